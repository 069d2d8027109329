"""An LSTM's bundle: as of all models of notes, its step graph run with the states of the LSTM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from training.families.notes.bundle import NoteBundling


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


class LstmBundling(NoteBundling):
    """See `families.bundling.Bundling`."""

    stepper = Recurrent
