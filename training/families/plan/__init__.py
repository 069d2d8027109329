"""The plan model predicts the next chord and section, after the pointer sentinel mixture of Merity et al., 2017.

Differences: the pointers are places in the music (4, 8 or 16 bars ago, the longest match, earlier appearances of the
section), not attention over the past, because a few thousand charts do not suffice to learn where music repeats. A
second, small network without pointers draws the sections.
"""
