"""Note models: their interface, and the code that plays each family."""
