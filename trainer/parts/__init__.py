"""The parts of a detector, fitted to healthy windows."""
