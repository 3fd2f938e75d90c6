"""What all accelerometers share."""
