"""From window to score: the code that the gateway runs and the trainer calibrates with."""
