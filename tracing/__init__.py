"""Tracing tells: rows in, Langfuse traces out."""
