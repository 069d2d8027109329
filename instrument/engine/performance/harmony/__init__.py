"""Harmony of a performance: the chords that the band plays, and the plan in force."""
