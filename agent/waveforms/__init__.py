"""Raw samples kept as recordings: on demand, and around each alert."""
