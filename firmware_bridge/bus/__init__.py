"""The I2C bus: real, simulated, and with faults."""
