"""The plan model: chords and sections ahead of the players."""
