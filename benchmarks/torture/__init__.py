"""Whether an alert can be lost: gateway, broker and network fail at random moments, again and again."""
