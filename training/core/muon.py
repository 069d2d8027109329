"""Muon: orthogonalised momentum updates for matrices (Jordan et al., 2024; learning rates as in Liu et al., 2025)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ROUNDS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of the singular values, towards 1
ADAM_STEP_SIZE = 0.2  # root mean square of an update, as Adam's usually is


class Muon(torch.optim.AdamW):
    """AdamW for all parameters but `matrices`, which are updated by Muon at `factor` times its learning rate."""

    def __init__(self, parameters: Iterable[nn.Parameter], matrices: list[nn.Parameter], factor: float, **options: Any):
        super().__init__(parameters, **options)
        self.matrices, self.factor = matrices, factor

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update, as of any optimiser. `closure` is passed to AdamW."""
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
            size = ADAM_STEP_SIZE * max(matrix.shape) ** 0.5
            matrix.mul_(1 - rate * group["weight_decay"]).add_(step, alpha=-rate * size)
            matrix.grad = None  # so that AdamW skips it
        return super().step(closure)


def orthogonal(matrix: Tensor) -> Tensor:
    """An approximation of the nearest orthogonal matrix, all singular values about 1, by Newton-Schulz iterations."""
    a, b, c = QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T
        x = a * x + torch.addmm(square, square, square, beta=b, alpha=c) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
