"""All that knows registers: I2C buses, accelerometer drivers, their simulated twins and signal sources."""
