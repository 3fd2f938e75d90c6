"""The technician's commands, one module a group. Heavy parts are imported when a command runs."""
