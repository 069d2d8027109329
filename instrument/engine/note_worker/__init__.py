"""The process that runs the note models, and its client in the engine."""
