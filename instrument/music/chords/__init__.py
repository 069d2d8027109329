"""Chords: their names, pitch class profiles of beats, and chord recognition."""
