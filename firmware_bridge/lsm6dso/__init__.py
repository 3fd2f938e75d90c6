"""STMicroelectronics LSM6DSO: three axes, 16 g, 6.66 kHz, FIFO of 512 samples (its gyroscope stays off)."""
