"""Evaluation of plan models: figures of chords and sections, baselines, and copying."""
