"""Accompaniment of a melody with chords: comping and bass lines by rule, and drums from real performances."""
