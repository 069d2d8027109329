"""The family `musicvae`."""
