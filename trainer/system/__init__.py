"""Processes, files and the chatter of libraries."""
