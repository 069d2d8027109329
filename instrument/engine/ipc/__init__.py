"""Messages between the engine and its clients, over a private local socket."""
