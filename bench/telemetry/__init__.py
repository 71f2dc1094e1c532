"""Samplers of the GPU, the host and the server's own metrics."""
