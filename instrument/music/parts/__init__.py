"""Which part (melody, chords, bass) each track of a MIDI file plays."""
