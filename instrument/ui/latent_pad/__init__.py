"""The latent pad: a plane with anchors and a puck that sets a note model's latent point."""
