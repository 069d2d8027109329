"""Settings, models, the check of the sound, and what is told after an error."""
