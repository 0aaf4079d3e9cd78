"""Run Python and C functions over many inputs in worker processes."""
