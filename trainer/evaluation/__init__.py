"""What a detector does on windows that it has never seen."""
