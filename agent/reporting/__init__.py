"""What the daemon says of itself: status, metrics, telemetry."""
