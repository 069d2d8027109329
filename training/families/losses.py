"""Parts of losses that several families have."""

from __future__ import annotations

from torch import Tensor


def kl_from_standard_normal(mean: Tensor, log_deviation: Tensor) -> Tensor:
    """Kullback-Leibler divergence (lanes,) in nats of the Gaussian of that mean and logarithm of the standard deviation
    (lanes, size), its covariance diagonal, from the standard normal distribution."""
    return 0.5 * (mean**2 + (2 * log_deviation).exp() - 1 - 2 * log_deviation).sum(-1)
