"""Evaluators judge: one file per judgement, synchronous, without I/O of their own."""
