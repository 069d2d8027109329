"""OSC in and out, in a process of its own that is a client of the engine."""
