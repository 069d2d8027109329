"""The recurrent note model while playing: an `EventPlayer` of a long short-term memory network (Hochreiter and
Schmidhuber, 1997) whose states are kept for each note."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.notes.event_player import EventPlayer
from instrument.music import codec


class LstmBackbone:
    """The states of the step graph, one set for each note. `rewind` takes an older set."""

    def __init__(self, bundle: Bundle) -> None:
        self._session = bundle.session("step")
        self._outputs = list(self._session.outputs)
        self._names = [(s.input, s.output) for s in bundle.manifest.states]
        self._initial = {
            s.input: np.full([1 if d < 0 else d for d in s.shape], s.initial, np.float32)
            for s in bundle.manifest.states
        }
        self.reset()

    def reset(self) -> None:
        """See `Backbone`."""
        # _states[i]: after i advances; None where it was dropped
        self._states: list[dict[str, NDArray[np.float32]] | None] = [self._initial]

    def step(self, seen: Sequence[int], conditions: NDArray[np.float32], context: int) -> list[NDArray[np.float32]]:
        """See `Backbone`."""
        states = self._states[-1] if context else self._initial
        assert states is not None
        lanes = len(conditions)
        feeds: dict[str, NDArray[Any]] = {
            "seen": np.array([[seen]] * lanes, np.int64),
            "condition": conditions[:, None],
        }
        feeds |= {name: state.repeat(lanes, 0) for name, state in states.items()}
        found = dict(zip(self._outputs, self._session.run(feeds), strict=True))
        self._after = {name: found[output][:1] for name, output in self._names}
        return [found[f"share_{field}"] for field in codec.FIELDS]

    def prefill(self, seen: Sequence[Sequence[int]], conditions: Sequence[NDArray[np.float32]], context: int) -> None:
        """See `Backbone`."""
        for at, (each, condition) in enumerate(zip(seen, conditions, strict=True)):
            self.step(each, condition[None], context + at)
            self.advance()

    def advance(self) -> None:
        """See `Backbone`."""
        self._states.append(self._after)

    def rewind(self, count: int) -> None:
        """See `Backbone`."""
        if self._states[count] is None:
            raise ValueError(f"the state after {count} notes was dropped: rewind to a later one")
        del self._states[count + 1 :]

    def fork(self) -> Self:
        """See `Backbone`."""
        other = copy.copy(self)
        other._states = list(self._states)
        return other

    def forget_before(self, count: int) -> None:
        """See `Backbone`."""
        for i in range(min(count, len(self._states)) - 1, -1, -1):
            if self._states[i] is None:
                break
            self._states[i] = None


class LstmPlayer(EventPlayer):
    """A `NotePlayer` of a bundle of the family lstm."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, LstmBackbone(bundle))
