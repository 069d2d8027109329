"""What a person does to the band while it plays, beyond turning a knob."""
