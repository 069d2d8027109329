"""The progress of a run by its batches, on which the learning rate and the phases of a task depend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Schedule:
    """Progress, 0..1, is linear between `knots` (batch, progress) and never falls."""

    knots: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, batches: int) -> Schedule:
        """A run of so many batches."""
        return cls(((0, 0.0), (batches, 1.0)))

    @property
    def end(self) -> int:
        """The batches of the run."""
        return self.knots[-1][0]

    def progress(self, batch: int) -> float:
        """The progress before a batch."""
        return float(np.interp(batch, *zip(*self.knots, strict=True)))

    def until(self, end: int, batch: int) -> Schedule:
        """The schedule with another end, from `batch` on: progress goes on from where it is there, so that the learning
        rate does not jump."""
        before = [knot for knot in self.knots if knot[0] < batch]
        return Schedule((*before, (batch, self.progress(batch)), (max(end, batch + 1), 1.0)))
