"""The instrument without a window: an engine in a process of its own."""
