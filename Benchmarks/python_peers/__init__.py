"""The Python peers: the same rows as the native programs, run by process pools of Python."""
