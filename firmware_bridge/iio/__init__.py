"""Accelerometers that the Linux kernel drives itself: the Industrial I/O subsystem, by sysfs and a device."""
