"""The form of training pieces: sections and recalled bars, found or read, and as features."""
