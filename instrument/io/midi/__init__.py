"""MIDI ports, by rtmidi or JACK."""
