"""Rendering and bouncing: the same performance without time."""
