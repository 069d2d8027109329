"""What an `EventPlayer` needs of a family's network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


class Backbone(Protocol):
    """The network of a family, with its state after each note."""

    def reset(self) -> None:
        """Forget everything."""
        ...

    def step(self, seen: Sequence[int], conditions: NDArray[np.float32], context: int) -> list[NDArray[np.float32]]:
        """Run the network on the event `seen`, with each of `conditions` (lanes, size).

        context: how many of the last advances count as the past; all there are, or those since it was last 0.
        Returns the hidden vectors (lanes, 1, hidden) of the heads. The state is not advanced, so the step may be
        repeated with other conditions.
        """
        ...

    def prefill(self, seen: Sequence[Sequence[int]], conditions: Sequence[NDArray[np.float32]], context: int) -> None:
        """Several steps and advances at once, without their outputs. context: as of the first `step`."""
        ...

    def advance(self) -> None:
        """Make the state after the last `step`, with the first of its conditions, the current one."""
        ...

    def rewind(self, count: int) -> None:
        """Go back to the state after `count` advances; ValueError if it was dropped."""
        ...

    def fork(self) -> Self:
        """Another with the same state, which then goes its own way."""
        ...

    def forget_before(self, count: int) -> None:
        """States before `count` advances may be dropped."""
        ...
