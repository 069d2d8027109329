"""Measures of sound: distances, pitch, classifiers, and the evaluations of the sound models."""
