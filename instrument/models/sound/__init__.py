"""Sound models: streams, voices, the vocoder, and their features."""
