"""Knobs, other controls, and the text of their values."""
