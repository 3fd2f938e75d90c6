"""The report on a bundle: what it makes of recordings, as one HTML file."""
