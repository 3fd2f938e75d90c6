"""STMicroelectronics LIS3DH: three axes, 16 g, 1.344 kHz in high resolution, FIFO of 32 samples."""
