"""From score to alert."""
