"""A note bundle with the interface of a network, many excerpts and steps at a time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instrument.models.bundle import Bundle
from instrument.models.notes.form_conditions import learned
from training.families.notes.network import contexts


class Stepper(Protocol):
    """How a family's step graph is run on a batch."""

    def initial(self, batch_size: int) -> Any:
        """States before the start of a piece."""
        ...

    def run(
        self, seen: NDArray[np.int64], condition: NDArray[np.float32], state: Any
    ) -> tuple[dict[str, NDArray[np.float32]], Any]:
        """What the graph gives for seen (batch, steps, 12) and condition (batch, steps, size), each output (batch,
        steps, ...), and the states after."""
        ...


class Recurrent:
    """A `Stepper` whose graph takes a step and its states."""

    def __init__(self, bundle: Bundle) -> None:
        self.step, self.pairs = bundle.session("step"), bundle.manifest.states

    def initial(self, batch_size: int) -> dict[str, NDArray[np.float32]]:
        """See `Stepper`."""
        return {
            s.input: np.full([batch_size if d < 0 else d for d in s.shape], s.initial, np.float32) for s in self.pairs
        }

    def run(
        self, seen: NDArray[np.int64], condition: NDArray[np.float32], state: dict[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
        """See `Stepper`."""
        steps = []
        for i in range(seen.shape[1]):
            feeds = {"seen": np.ascontiguousarray(seen[:, i : i + 1]), "condition": condition[:, i : i + 1], **state}
            found = dict(zip(self.step.outputs, self.step.run(feeds), strict=True))
            state = {s.input: found.pop(s.output) for s in self.pairs}
            steps.append(found)
        return {name: np.concatenate([s[name] for s in steps], 1) for name in steps[0]}, state


class BundlePredictor:
    """Teacher-forced logits from a bundle's graphs, run as the instrument runs them."""

    def __init__(self, bundle: Bundle, stepper: Stepper) -> None:
        self.bundle, self.stepper = bundle, stepper
        self.genres = len(bundle.manifest.condition_genres)
        self.learned = learned(bundle.manifest)

    def initial(self, batch_size: int) -> Any:
        """States before the start of a piece."""
        return self.stepper.initial(batch_size)

    def __call__(self, batch: dict[str, Tensor], condition: Tensor, state: Any) -> tuple[dict[str, Tensor], Any]:
        """Logits of every field, (batch, steps, classes), and the states after the last step."""
        shares, state = self.stepper.run(batch["seen"].numpy(), condition.numpy(), state)
        logits = {}
        for field, context in contexts(batch, self.learned).items():
            share = shares[f"share_{field}"]
            batch_size, steps = share.shape[:2]
            flat = {
                "share": share.reshape(batch_size * steps, 1, -1),
                "context": context.numpy().reshape(batch_size * steps, 1, -1),
            }
            (out,) = self.bundle.session(field).run(flat)
            logits[field] = torch.from_numpy(out.reshape(batch_size, steps, -1))
        return logits, state
