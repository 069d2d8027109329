"""What an `EventPlayer` keeps while it draws a note."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.models.notes.plan_guidance import Expected, PlanGuidance
from instrument.models.notes.player import Ask
from instrument.models.notes.steering import History, Steering
from instrument.music.codec import ROWS
from instrument.music.notes import Note
from instrument.music.plan import Plan


class StepResult(NamedTuple):
    """The inputs and outputs of the last step. steer, plan: what its conditions were made of; context: notes before
    it; shares: a hidden vector for each head."""

    steer: Steering
    plan: Plan | None
    context: int
    conditions: NDArray[np.float32]
    style: float
    shares: list[NDArray[np.float32]]


@dataclass(slots=True)
class Draw:
    """A note that is being drawn: what it depends on, and what has been decided of it.

    draws: noise by field; expected: the note that a recalled bar has next; context: gap, position in the bar and metre,
    as the heads take them; echoes: indices of the notes that are repeated (-1: none); rows: those that may sound.
    """

    ask: Ask
    shares: list[NDArray[np.float32]]
    history: History
    last: Note | None
    draws: list[NDArray[np.float32]]
    temperature: float
    top_p: float
    guide: PlanGuidance | None
    expected: Expected | None
    tick: int = 0
    context: list[int] = field(default_factory=list)
    echoes: list[int] = field(default_factory=list)
    echo_rows: list[int] = field(default_factory=list)
    rows: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(ROWS, bool))
