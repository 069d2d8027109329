"""A note bundle that answers like a network, many lanes and steps at a time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instrument.models.bundle import Bundle
from training.families.notes.network import contexts


class Stepper(Protocol):
    """How a family's step graph is run on lanes side by side."""

    def initial(self, lanes: int) -> Any:
        """States before the start of a piece."""
        ...

    def run(
        self, seen: NDArray[np.int64], condition: NDArray[np.float32], state: Any
    ) -> tuple[dict[str, NDArray[np.float32]], Any]:
        """What the graph gives for seen (lanes, steps, 12) and condition (lanes, steps, size), each output (lanes,
        steps, ...), and the states after."""
        ...


class BundlePredictor:
    """Teacher-forced logits from a bundle's graphs, run as the instrument runs them."""

    def __init__(self, bundle: Bundle, stepper: Stepper) -> None:
        self.bundle, self.stepper = bundle, stepper
        self.genres = len(bundle.manifest.condition_genres)

    def initial(self, lanes: int) -> Any:
        """States before the start of a piece."""
        return self.stepper.initial(lanes)

    def __call__(self, batch: dict[str, Tensor], condition: Tensor, state: Any) -> tuple[dict[str, Tensor], Any]:
        """Logits of every field, (lanes, steps, classes), and the states after the last step."""
        shares, state = self.stepper.run(batch["seen"].numpy(), condition.numpy(), state)
        logits = {}
        for field, context in contexts(batch).items():
            share = shares[f"share_{field}"]
            lanes, steps = share.shape[:2]
            flat = {
                "share": share.reshape(lanes * steps, 1, -1),
                "context": context.numpy().reshape(lanes * steps, 1, -1),
            }
            (out,) = self.bundle.session(field).run(flat)
            logits[field] = torch.from_numpy(out.reshape(lanes, steps, -1))
        return logits, state
