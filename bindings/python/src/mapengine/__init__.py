"""MapEngine: functions over many inputs, in worker processes."""
