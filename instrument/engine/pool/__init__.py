"""The models in use: opened once, compared, brought back, left out."""
