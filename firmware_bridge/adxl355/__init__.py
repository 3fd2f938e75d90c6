"""Analog Devices ADXL355: three axes, 8 g, 20 bits, low noise, 4 kHz, FIFO of 32 samples."""
