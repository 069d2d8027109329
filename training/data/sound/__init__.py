"""Corpora of sound: from recordings, notes and rendered MIDI."""
