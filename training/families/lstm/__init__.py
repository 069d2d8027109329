"""The family `lstm`."""
