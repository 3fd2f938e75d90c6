"""``judder-train``: the data engineer's commands, one module a command."""
