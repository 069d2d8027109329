"""Corpora of notes: from MIDI files to shards and batches."""
