"""The Music Transformer (Huang and others, 2018) while playing: an `EventPlayer` with a cache of keys and values.

Positions are rotary (Su and others, 2021), of notes and of ticks.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from instrument.models.bundle import Bundle
from instrument.models.notes.event_player import EventPlayer
from instrument.music import codec
from instrument.music.notes import Note

POSITION_PERIOD = 9216  # positions wrap around after so many notes or ticks, as in training
SPARE_CONTEXTS = 3  # room for so many more contexts, so that rows are seldom moved
CHUNK = 64  # notes of a prompt in one run
MASKED = np.float32(-1e9)  # added to the score of what may not be attended to
TIME = 1  # column of an event


class TransformerBackbone:
    """The cache of keys and values, a row for each note, written once and never changed.

    A step attends to the rows of the last notes, a plain slice of the array, so its output depends on these
    rows alone and `rewind` only lowers the count. When the array is full, rows that cannot be returned to are dropped
    and the others moved to the front.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._session = bundle.session("step")
        self._outputs = list(self._session.outputs)
        self._pairs = [(s.input, self._outputs.index(s.output)) for s in bundle.manifest.states]
        self._shares = [self._outputs.index(f"share_{field}") for field in codec.FIELDS]
        _, self._context, width = bundle.manifest.states[0].shape
        room = (self._context + 1) * (1 + SPARE_CONTEXTS)
        self._rows = np.zeros((len(self._pairs), room, width), np.float32)
        self._clear = np.zeros((1, self._context + 1), np.float32)
        self.reset()

    def reset(self) -> None:
        """See `Backbone`."""
        self._first = 0  # the number of the note in the array's first row
        self._back = 0  # `rewind` goes back to so many notes at least
        self._ticks = [0]  # _ticks[i]: the position of step i - 1, modulo POSITION_PERIOD

    @property
    def _count(self) -> int:
        return len(self._ticks) - 1

    def step(self, seen: Sequence[int], conditions: NDArray[np.float32], context: int) -> list[NDArray[np.float32]]:
        """See `Backbone`. Several conditions are steps at one position that do not attend to one another."""
        found = self._run([seen] * len(conditions), conditions, context, side_by_side=True)
        return [found[i].swapaxes(0, 1) for i in self._shares]

    def advance(self) -> None:
        """See `Backbone`."""
        self._store()

    def prefill(self, seen: Sequence[Sequence[int]], conditions: Sequence[NDArray[np.float32]], context: int) -> None:
        """See `Backbone`."""
        for at in range(0, len(seen), CHUNK):
            self._run(seen[at : at + CHUNK], np.stack(conditions[at : at + CHUNK]), context + at)
            self._store()

    def rewind(self, count: int) -> None:
        """See `Backbone`."""
        if count < self._back:
            raise ValueError(f"the state after {count} notes was dropped: rewind to a later one")
        del self._ticks[count + 1 :]

    def fork(self) -> Self:
        """See `Backbone`."""
        other = copy.copy(self)
        other._rows, other._ticks = self._rows.copy(), list(self._ticks)
        return other

    def forget_before(self, count: int) -> None:
        """See `Backbone`."""
        self._back = max(self._back, count)

    def _run(
        self,
        seen: Sequence[Sequence[int]],
        conditions: NDArray[np.float32],
        context: int,
        side_by_side: bool = False,
    ) -> list[NDArray[Any]]:
        """The graph's outputs for the current step and those that follow it, or that stand `side_by_side` at its
        position. Keeps the new rows for `_store`."""
        steps, count = len(seen), self._count
        past = min(context, self._context)
        end = count - self._first
        events = np.array(seen, np.int64)
        later = np.zeros(steps, np.int64) if side_by_side else np.arange(steps)
        ticks = (self._ticks[-1] + np.cumsum(events[:, TIME])[later]) % POSITION_PERIOD
        position = np.stack([(count + later) % POSITION_PERIOD, ticks], 1)
        feeds: dict[str, NDArray[Any]] = {
            "seen": events[None],
            "condition": conditions[None],
            "position": position[None],
            "mask": self._clear[:, : past + 1] if steps == 1 else mask(past, later, self._context),
        }
        for rows, (name, _) in zip(self._rows, self._pairs, strict=True):
            feeds[name] = rows[None, end - past : end]
        found = self._session.run(feeds)
        kept = 1 if side_by_side else steps
        self._new = ticks[:kept], [found[i][:, :kept] for _, i in self._pairs]
        return found

    def _store(self) -> None:
        """Append the rows that `_run` kept."""
        ticks, new = self._new
        end = self._count - self._first
        if end + len(ticks) > self._rows.shape[1]:
            end = self._make_room(len(ticks))
        for rows, written in zip(self._rows, new, strict=True):
            rows[end : end + len(ticks)] = written[0]
        self._ticks.extend(int(t) for t in ticks)

    def _make_room(self, steps: int) -> int:
        """Drop rows that are not needed any more, or double the array if these are few. Returns where the rows end."""
        keep = max(self._first, self._back - self._context)
        kept = self._rows[:, keep - self._first : self._count - self._first]
        room = self._rows.shape[1]
        while kept.shape[1] + max(steps, room // 2) > room:
            room *= 2
        rows = self._rows if room == self._rows.shape[1] else np.zeros((len(kept), room, kept.shape[2]), np.float32)
        rows[:, : self._count - keep] = kept.copy()
        self._rows, self._first = rows, keep
        return self._count - keep


def mask(past: int, later: NDArray[np.int64], context: int) -> NDArray[np.float32]:
    """The attention mask (steps, past + steps), added to the scores. later: (steps,) positions after the `past` rows.
    A step attends to itself and to the `context` steps before it, and to no other at its own position."""
    back = past + later[:, None] - np.concatenate([np.arange(past), past + later])
    sees = (back >= 0) & (back <= context)
    sees[:, past:] &= (back[:, past:] > 0) | np.eye(len(later), dtype=bool)
    return np.where(sees, np.float32(0), MASKED)


class TransformerPlayer(EventPlayer):
    """A `NotePlayer` of a bundle of the family transformer."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, TransformerBackbone(bundle))

    def prefill(self, notes: Sequence[Note]) -> None:
        """As `Prefilling.prefill`."""
        self._steering(self._asked)
        self._prefill(notes)
