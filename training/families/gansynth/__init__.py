"""The family `gansynth`."""
