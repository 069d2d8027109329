"""Checkpoints: one safetensors file, no pickles. Tensors by name, everything else as JSON in its header."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from instrument.errors import HocketError

FORMER_STATE = {"momentum": "momentum_buffer"}  # of an optimiser, in files of 0.1


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write atomically, so that an interrupted write leaves the previous checkpoint intact. HocketError if it cannot be
    written."""
    temporary = path.with_suffix(".tmp")
    contiguous = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(contiguous, temporary, {"facts": json.dumps(facts)})
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise HocketError(
            f"{path} cannot be written ({error}): make room or give another --run; the one before is kept"
        ) from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a checkpoint. Raises HocketError if it cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise HocketError(f"checkpoint {path} cannot be read ({error}): train again or give another") from error


def prefixed(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix.`, with that prefix removed."""
    return {n.removeprefix(prefix + "."): t for n, t in tensors.items() if n.startswith(prefix + ".")}


def optimiser_tensors(optimiser: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state as named tensors."""
    return {
        f"optimiser.{name}.{key}": value
        for name, parameter in network.named_parameters()
        for key, value in optimiser.state[parameter].items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`."""
    for name, parameter in network.named_parameters():
        state = prefixed(tensors, f"optimiser.{name}")
        optimiser.state[parameter] = {
            FORMER_STATE.get(k, k): v.to(parameter.device) for k, v in state.items() if "." not in k
        }
