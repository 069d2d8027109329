"""The model that recognises chords (assets/chordmodel): learned from annotated pieces, and measured on others."""
