"""judder.toml: what it may say, and its defaults.

Imports nothing but the decoder, so that a command that needs no more than a path is quick.
"""
