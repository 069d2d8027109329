"""A note bundle that answers like a network, many lanes and steps at a time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.notes.transformer import TIME, TURN, mask
from training.families.notes.network import contexts

AT_ONCE = 16  # steps of a Transformer in one run: more are quicker, and share the scale of their 8-bit products


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


class Recurrent:
    """A `Stepper` whose graph takes a step and its states."""

    def __init__(self, bundle: Bundle) -> None:
        self.step, self.pairs = bundle.session("step"), bundle.manifest.states

    def initial(self, lanes: int) -> dict[str, NDArray[np.float32]]:
        """See `Stepper`."""
        return {s.input: np.full([lanes if d < 0 else d for d in s.shape], s.initial, np.float32) for s in self.pairs}

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


class Attentive:
    """A `Stepper` whose graph takes some steps, their positions, and the rows of the last ones."""

    def __init__(self, bundle: Bundle) -> None:
        self.step, self.pairs = bundle.session("step"), bundle.manifest.states
        _, self.context, self.width = self.pairs[0].shape

    def initial(self, lanes: int) -> dict[str, NDArray[Any]]:
        """See `Stepper`."""
        rows = {s.input: np.zeros((lanes, 0, self.width), np.float32) for s in self.pairs}
        return rows | {"position": np.tile([-1, 0], (lanes, 1))}

    def run(
        self, seen: NDArray[np.int64], condition: NDArray[np.float32], state: dict[str, NDArray[Any]]
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[Any]]]:
        """See `Stepper`."""
        parts = []
        for at in range(0, seen.shape[1], AT_ONCE):
            events = np.ascontiguousarray(seen[:, at : at + AT_ONCE])
            lanes, steps, _ = events.shape
            moves = np.stack([np.ones((lanes, steps), np.int64), events[..., TIME]], -1)
            position = (state["position"][:, None] + np.cumsum(moves, 1)) % TURN
            past = state[self.pairs[0].input].shape[1]
            feeds = state | {
                "seen": events,
                "condition": condition[:, at : at + AT_ONCE],
                "position": position,
                "mask": mask(past, np.arange(steps), self.context),
            }
            found = dict(zip(self.step.outputs, self.step.run(feeds), strict=True))
            state = {"position": position[:, -1]}
            for pair in self.pairs:
                rows = np.concatenate([feeds[pair.input], found.pop(pair.output)], 1)
                state[pair.input] = rows[:, max(0, rows.shape[1] - self.context) :]
            parts.append(found)
        return {name: np.concatenate([p[name] for p in parts], 1) for name in parts[0]}, state


STEPPERS = {"lstm": Recurrent, "transformer": Attentive}


class BundlePredictor:
    """Teacher-forced logits from a bundle's graphs, run as the instrument runs them."""

    def __init__(self, bundle: Bundle) -> None:
        family = bundle.manifest.family
        if family not in STEPPERS:
            raise HocketError(f"bundle {bundle.manifest.slug!r} is a {family}: it does not play note by note")
        self.bundle = bundle
        self.genres = len(bundle.manifest.condition_genres)
        self.stepper: Stepper = STEPPERS[family](bundle)

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
