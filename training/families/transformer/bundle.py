"""A Transformer's bundle: as of all models of notes, its step graph run with the rows of the last notes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.notes.transformer import TIME, TURN, mask
from training.families.notes.bundle import NoteBundling

AT_ONCE = 16  # steps in one run: more are quicker, and share the scale of their 8-bit products


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


class TransformerBundling(NoteBundling):
    """See `families.bundling.Bundling`. The same turn of a knob changes more of what it plays than of what an LSTM
    does, and one step is to change little, so steps are twice as large."""

    stepper = Attentive
    knob_steps = 2
