"""What a raw score means, and where the lines are placed."""
