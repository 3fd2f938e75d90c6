"""From the chip's FIFO to the ring buffer."""
