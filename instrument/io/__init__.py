"""Devices as Protocols and adapters: audio, MIDI, clocks (each adapter beside its stand-in)."""
