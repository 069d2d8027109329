"""The family `transformer`."""
