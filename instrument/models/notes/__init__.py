"""Models of notes: what they are asked, and the code that plays each family."""
