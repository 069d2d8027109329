"""Models of sound: streams, voices, the vocoder, and their features."""
