"""The window: a client of the engine. Qt lives here alone."""
