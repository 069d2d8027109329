"""The model that recognises chords (assets/chordmodel): training on annotated pieces, and evaluation on others."""
