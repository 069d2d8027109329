"""What an `EventPlayer` keeps while it draws a note, or finds how likely a note is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.models.notes.plan_guidance import Expected, PlanGuidance
from instrument.models.notes.player import Ask
from instrument.models.notes.steering import History, Steering
from instrument.models.sampling import FLOOR, choose, noise
from instrument.music import codec
from instrument.music.codec import FIELDS, FLAT, ROWS
from instrument.music.notes import Note
from instrument.music.plan import Plan
from instrument.music.timebase import MetreMap

SIZES = (
    *(FIELDS[f] for f in ("time", "part")),
    ROWS,
    FIELDS["duration"],
    FLAT,
    FIELDS["micro"],
)
DRAWS = tuple(int(n) for n in np.cumsum((0, *SIZES)))
LEAST_LIKELY = -20.0  # log probability of a value that may not be


class StepResult(NamedTuple):
    """The inputs and outputs of the last step. steer, plan: what its conditions were made of; context: notes before
    it; style, guidance: how far genre and plan are exaggerated; shares: a hidden vector for each head."""

    steer: Steering
    plan: Plan | None
    context: int
    conditions: NDArray[np.float32]
    style: float
    guidance: float
    shares: list[NDArray[np.float32]]


@dataclass(slots=True)
class Draw:
    """A note that is being drawn: what it depends on, and what has been decided of it. With `known`, its fields are
    not drawn but those of a given note, and `likelihood` adds up the logarithms of their probabilities.

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
    known: tuple[int, ...] | None = None
    likelihood: float = 0.0

    def choose(
        self,
        number: int,
        logits: NDArray[np.float32],
        temperature: float,
        top_p: float,
        allowed: NDArray[np.bool_] | None = None,
        after: NDArray[np.bool_] | None = None,
    ) -> int:
        """The value of a field, as `sampling.choose`. number: of the field, in the order of `codec.FIELDS`."""
        if self.known is None:
            return choose(logits, self.draws[number], temperature, top_p, allowed, after)
        scores = logits.astype(np.float64)
        for mask in (allowed, after):
            scores = scores if mask is None else np.where(mask, scores, FLOOR)
        likely = float(scores[self.known[number]] - np.logaddexp.reduce(scores))
        self.likelihood += max(LEAST_LIKELY, likely)
        return self.known[number]

    def gaps(self, echoes: list[int], learned: bool) -> list[int]:
        """The gaps of the echoes, as the head takes them. echoes: of `codec.echo_gaps`; learned: whether that of the
        recalled bar is an echo more; else it takes the place of the others."""
        gap = codec.NO_GAP
        if self.expected:
            gap = self.expected.tick - (self.last.tick if self.last else 0)
            gap = gap if gap <= codec.ECHO_MAX_GAP else codec.NO_GAP
        if learned:
            return [*echoes, gap]
        return [gap] * len(echoes) if self.expected else echoes

    def take_echoes(self, keys: Sequence[int], bar: int, learned: bool) -> None:
        """Find the echoes at the tick that was drawn. keys: `Note.order` of the notes so far; bar: its ticks; learned:
        as in `gaps`."""
        own = codec.echo_notes(keys, self.tick, bar, self.history.start)
        rows = [keys[j] & 255 if j >= 0 else codec.NO_NOTE for j in own]
        if learned:
            above = self.last.order & 255 if self.last and self.last.tick == self.tick else -1
            found = self.expected = self.guide.recalled_at(keys, self.tick, above) if self.guide else None
            self.echoes = [*own, found.source if found else -1]
            self.echo_rows = [*rows, found.row if found else codec.NO_NOTE]
        elif self.expected and self.expected.tick == self.tick:
            self.echoes = [self.expected.source] * len(own)
            self.echo_rows = [self.expected.row] * len(own)
        else:
            self.expected, self.echoes, self.echo_rows = None, own, rows


def draws_after(notes: Sequence[Note], seed: int, player: int, metres: MetreMap) -> list[NDArray[np.float32]]:
    """The noise of each field of the note after `notes`, by where the last one is in the music."""
    last_tick = notes[-1].tick if notes else 0
    ordinal = 0
    while ordinal < len(notes) and notes[-1 - ordinal].tick == last_tick:
        ordinal += 1
    where = metres.locate(last_tick)
    flat = noise(seed, player, (where.bar, where.offset, ordinal), DRAWS[-1])
    return [flat[a:b] for a, b in itertools.pairwise(DRAWS)]
