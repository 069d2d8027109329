"""Measures of notes and of sound that a family needs for its loss, its validation or its bundle, and that the
evaluation uses too."""
