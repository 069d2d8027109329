"""Offline training: data, fit, export, evaluate. torch is imported nowhere else."""
