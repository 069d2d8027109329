"""The Music Transformer (Huang et al., 2019): causal attention over the last notes, one position a note, with the
heads of `families.notes`.

Differences: positions are rotary (Su et al., 2021) instead of learned and relative; half of the heads measure distance
in notes and the other half in ticks, so that "a bar ago" is one direction however many notes it holds; heads share
keys and values in groups (Ainslie et al., 2023), so that a step reads less of the past; hidden layers are gated
(Shazeer, 2020).
"""
