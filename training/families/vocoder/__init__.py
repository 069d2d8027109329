"""The family `vocoder`."""
