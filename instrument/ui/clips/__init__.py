"""Clips that were kept, and plans of players, to be dragged out of the window as MIDI files."""
