"""The family `ddsp`."""
