"""How the notes of players are played: swing, accents, microtiming, and dynamics over phrases and sections."""
