"""Deadlines to MIDI, the notes that sound at a destination, and MIDI input."""
