"""Hocket: a real-time instrument whose players are neural networks."""

__version__ = "0.1.0"
