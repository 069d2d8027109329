"""From MIDI files to memory-mapped shards of notes."""
