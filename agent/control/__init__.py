"""What the daemon is told: the socket, the commands, and what each does."""
