"""Muon: steps of a matrix that are as long in all its directions (Jordan et al. 2024; rates as in Liu et al. 2025)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ROUNDS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of the singular values, towards 1
LIKE_ADAM = 0.2  # size of a number of a step, as Adam's usually are


class Muon(torch.optim.AdamW):
    """AdamW for all parameters but `matrices`, which go by Muon at `factor` times its rate."""

    def __init__(self, parameters: Iterable[nn.Parameter], matrices: list[nn.Parameter], factor: float, **options: Any):
        super().__init__(parameters, **options)
        self.matrices, self.factor = matrices, factor

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """As of any optimiser. `closure` is AdamW's."""
        (group,) = self.param_groups
        rate = self.factor * group["lr"]
        for matrix in self.matrices:
            if matrix.grad is None:
                continue
            state = self.state[matrix]
            if not state:
                state["momentum"] = torch.zeros_like(matrix)
            state["momentum"].lerp_(matrix.grad, 1 - MOMENTUM)
            step = orthogonal(matrix.grad.lerp(state["momentum"], MOMENTUM))
            size = LIKE_ADAM * max(matrix.shape) ** 0.5
            matrix.mul_(1 - rate * group["weight_decay"]).add_(step, alpha=-rate * size)
            matrix.grad = None  # so that AdamW passes it over
        return super().step(closure)


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal matrix nearest to one: its singular values all about 1, by Newton-Schulz rounds."""
    a, b, c = QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + torch.addmm(square, square, square, beta=b, alpha=c) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
