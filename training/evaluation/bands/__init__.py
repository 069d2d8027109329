"""Figures of a band: parts, chords, form, melody and rhythm of a piece, against bounds of real pieces.

The figures, the reference pieces and the bounds are frozen: they are not changed once models are trained by them.
"""
