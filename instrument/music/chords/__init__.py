"""Chords: their names, what is heard beat by beat, and which chords that is."""
