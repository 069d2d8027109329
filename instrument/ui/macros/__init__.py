"""Macros, and variations of all knobs at once."""
