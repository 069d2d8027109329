"""Offline training: data, fit, export, evaluate (torch lives here alone)."""
