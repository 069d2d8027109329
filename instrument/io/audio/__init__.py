"""Audio output: the device process and what feeds it."""
