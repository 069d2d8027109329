"""`python -m training bench`: speed of training, against plain PyTorch loops of the same size."""
