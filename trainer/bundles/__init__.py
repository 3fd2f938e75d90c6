"""Bundles: made of what was learnt, derived from others, of imported networks."""
