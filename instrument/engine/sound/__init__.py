"""Mixing: mixer, limiter, streams, players that sound, wav files."""
