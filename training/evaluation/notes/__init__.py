"""Evaluation of the models of notes."""
