"""Measures the program: notes, timing, knobs, sound, the window."""
