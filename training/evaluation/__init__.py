"""How good a bundle is, in figures."""
