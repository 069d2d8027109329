"""Devices by name: the processor, GPUs, and where a model is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from instrument.errors import HocketError

KINDS = ("cpu", "cuda", "mps")


def check_device(name: str) -> str:
    """The name of a device. HocketError if PyTorch does not know it, or this machine has none such."""
    try:
        if torch.device(name).type not in KINDS:
            raise RuntimeError("it is of another kind")
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise HocketError(
            f"device {name!r} cannot be used ({reason}): choose cpu, or cuda or cuda:N on a GPU"
        ) from error
    return name


def device_of(model: Any) -> torch.device:
    """Where a network is; what is none (a bundle that answers like one) computes on the processor."""
    return next(model.parameters()).device if isinstance(model, nn.Module) else torch.device("cpu")


def mixed_precision(device: str) -> AbstractContextManager[Any]:
    """Products in bfloat16 on a GPU; nothing changes elsewhere."""
    return torch.autocast("cuda", torch.bfloat16) if torch.device(device).type == "cuda" else nullcontext()
