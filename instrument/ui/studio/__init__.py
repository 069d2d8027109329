"""The panel for clocks, MIDI ports and MIDI maps."""
