"""Preparing training data: corpora of notes and of sound."""
