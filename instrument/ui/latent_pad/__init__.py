"""The latent pad."""
