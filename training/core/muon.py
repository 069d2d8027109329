"""Muon for the matrices of a network's layers, AdamW for all else, as one optimiser.

Muon: orthogonalised momentum updates (Jordan et al., 2024), as large as Adam's usually are (Liu et al., 2025). PyTorch
computes them in bfloat16, also on a processor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


class Muon(torch.optim.AdamW):
    """AdamW for all parameters but `matrices`, which PyTorch's Muon updates at `factor` times its learning rate. The
    state of both is in `state`."""

    def __init__(self, parameters: Iterable[nn.Parameter], matrices: list[nn.Parameter], factor: float, **options: Any):
        super().__init__(parameters, **options)
        self.matrices, self.factor = matrices, factor
        self.inner = torch.optim.Muon(matrices, adjust_lr_fn="match_rms_adamw") if matrices else None
        if self.inner is not None:
            self.inner.state = self.state

    def step(self, closure: Any = None) -> Any:
        """One update, as of any optimiser. `closure` is passed to AdamW."""
        (group,) = self.param_groups
        if self.inner is not None:
            (inner,) = self.inner.param_groups
            inner["lr"], inner["weight_decay"] = self.factor * group["lr"], group["weight_decay"]
            self.inner.step()
            for matrix in self.matrices:
                matrix.grad = None  # so that AdamW skips it
        return super().step(closure)
