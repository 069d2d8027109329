"""How a band accompanies a tune with chords, by rule: styles, chords, bass lines, drums that people played."""
