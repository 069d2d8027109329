"""The piano roll: notes played and planned, with keyboard, bar numbers and drum lanes."""
