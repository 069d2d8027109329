"""Patches in the window: saving, opening, and the browser."""
