"""Linux and systemd."""
