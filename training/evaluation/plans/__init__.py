"""Measuring models of plans: yardsticks of chords and sections, baselines, and what is copied."""
