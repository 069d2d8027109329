"""What turns notes into sound: FluidSynth, a plain voice, sound models; and the table of programs."""
