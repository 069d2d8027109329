"""The window, a client of the engine. Only this package imports Qt."""
