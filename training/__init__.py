"""Offline training: data, fit, export, evaluate. torch is imported nowhere else."""

import instrument  # noqa: F401  (what it sets has to come before onnxruntime and numpy)
