"""Measures of sound: distances, pitch, ears (classifiers), and the evaluations of the sound models."""
