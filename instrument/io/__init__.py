"""Devices as Protocols and adapters: audio, MIDI, clocks (each adapter next to its stand-in)."""
