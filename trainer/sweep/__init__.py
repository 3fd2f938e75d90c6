"""The search for good layers and training settings: what is tried, how it is judged, and in what order."""
