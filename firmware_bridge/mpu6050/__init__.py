"""InvenSense MPU-6050: three axes, 16 g, 1 kHz, FIFO of 1024 bytes (its gyroscope is only its clock)."""
