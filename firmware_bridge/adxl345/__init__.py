"""Analog Devices ADXL345: three axes, 16 g, FIFO of 32 samples."""
