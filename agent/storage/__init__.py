"""What outlives a power cut: alerts, the outbox, what a person or a controller has set."""
