"""A note player for tests: small, deterministic, and as obedient as a real model is to be.

It draws with Gumbel noise keyed by where a note falls in the music, as the runners of real models do, so that
what holds for it (plans dropped and planned anew come out the same) can be expected of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from instrument.engine.messages import KnobInfo
from instrument.errors import HocketError
from instrument.models.players import Ask
from instrument.music.harmony import scale_mask
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap

STEPS = np.array((0, 3, 6, 8, 12, 18, 24, 36, 48, 96))  # ticks since the last onset
LENGTHS = np.array((1, 3, 6, 12, 24, 48, 96))
PARTS = (Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS)
CENTRES = {Part.MELODY: 72, Part.CHORDS: 60, Part.BASS: 40, Part.DRUMS: 42}
TIME, PART, PITCH, LENGTH, VELOCITY, MICRO = range(6)
GENRES = ("none", "waltz", "march")

KNOBS = (
    KnobInfo("genre", "Genre", "choice", default="none", choices=GENRES),
    KnobInfo("temperature", "Temperature", low=0.1, high=2.0, default=1.0),
    KnobInfo("density", "Density", low=0.0, high=8.0, default=0.0),
    KnobInfo("register", "Register", low=0.0, high=8.0, default=0.0),
)


@dataclass(frozen=True)
class ScaleBundle:
    """What a performance asks of a manifest."""

    slug: str = "scale"
    bundle_hash: str = "5ca1e" * 12
    knobs: tuple[KnobInfo, ...] = KNOBS
    parts: tuple[int, ...] = PARTS


class ScalePlayer:
    """Chords and four parts around centres, in the scale asked for."""

    def __init__(self) -> None:
        self.proposed = 0  # how often a note was asked for
        self.reset(0, 0, MetreMap())

    @property
    def count(self) -> int:
        return self._forgotten + len(self._notes)

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        self._key = seed << 16 | player
        self._metres = metres
        self._notes: list[Note] = []
        self._forgotten = 0
        self._ordinals: list[int] = []
        self._last: tuple[Note, int] | None = None

    def feed(self, note: Note) -> None:
        assert self._last is None or note.order > self._last[0].order, "notes come in order"
        ordinal = self._last[1] + 1 if self._last and self._last[0].tick == note.tick else 0
        self._notes.append(note)
        self._ordinals.append(ordinal)
        self._last = note, ordinal

    def rewind(self, count: int) -> None:
        assert self._forgotten <= count <= self.count, "states before that were let go"
        del self._notes[count - self._forgotten :], self._ordinals[count - self._forgotten :]
        if self._notes:
            self._last = self._notes[-1], self._ordinals[-1]
        elif not self._forgotten:
            self._last = None

    def forget_before(self, count: int) -> None:
        drop = count - self._forgotten - 1  # the last one is what a rewind to `count` needs
        if drop > 0:
            del self._notes[:drop], self._ordinals[:drop]
            self._forgotten += drop

    def propose(self, ask: Ask) -> Note:
        self.proposed += 1
        heat = float(ask.knobs.get("temperature", 1.0))
        density = float(ask.knobs.get("density", 0.0))
        register = float(ask.knobs.get("register", 0.0))
        genre = GENRES.index(str(ask.knobs.get("genre", "none")))
        last, ordinal = self._last or (Note(0, 0, -1, 1, 1, Part.OTHER), -1)

        parts = [part for part in PARTS if not ask.parts or part in ask.parts]
        pitched = scale_mask(ask.key, ask.scale)[np.arange(128) % 12]
        pitched = pitched & (np.arange(128) >= ask.low) & (np.arange(128) <= ask.high)
        orders = np.concatenate([np.where(pitched, np.arange(128), -1), 128 + np.arange(35, 60)])
        allowed = np.concatenate([pitched & any(p != Part.DRUMS for p in parts), np.full(25, Part.DRUMS in parts)])

        ticks = last.tick + STEPS
        logits = -0.4 * np.abs(np.arange(len(STEPS)) - 3 + density / 2 - (genre == 1))
        logits[0] -= max(0, ordinal - 1)
        above = allowed & (orders > last.order - last.tick * 256)
        can = (ticks >= ask.floor) & ((STEPS > 0) | (above.any() and last.pitch >= 0) | (last.pitch < 0))
        tick = int(ticks[self._draw(TIME, logits / heat, can)]) if can.any() else ask.floor
        if tick == last.tick and last.pitch >= 0:
            allowed = above
        if not allowed.any():
            raise HocketError("nothing may sound")

        weights = np.concatenate([
            np.logaddexp.reduce([-((np.arange(128) - CENTRES[p] - 2 * (register - 4) * (register > 0)) ** 2) / 60
                                 for p in parts if p != Part.DRUMS] or [np.zeros(128)]),
            -((np.arange(35, 60) - 38 - genre) ** 2) / 20.0,
        ])
        choice = self._draw(PITCH, weights / heat, allowed)
        order = int(orders[choice])
        if order >= 128:
            pitch, part = order - 128, Part.DRUMS
        else:
            pitch = order
            part = min((p for p in parts if p != Part.DRUMS), key=lambda p: abs(CENTRES[p] - pitch))
        length = int(LENGTHS[self._draw(LENGTH, -0.5 * np.abs(np.arange(7) - 3.0) / heat)])
        velocity = 8 * (1 + self._draw(VELOCITY, -0.2 * np.abs(np.arange(15) - 9.0) / heat))
        micro = self._draw(MICRO, -np.abs(np.arange(8) - 4.0) / heat) - 4
        return Note(tick, micro if tick else max(0, micro), pitch, length, velocity, int(part))

    def _draw(self, field: int, logits: NDArray[np.float64], allowed: NDArray[np.bool_] | None = None) -> int:
        """Gumbel-max; the noise depends on where the last note fell, and on nothing else."""
        if self._last:
            place = self._metres.locate(self._last[0].tick)
            where = [place.bar, place.offset, self._last[1] + 1, field]
        else:
            where = [0, 0, 0, field]
        noise = np.random.Generator(np.random.Philox(key=self._key, counter=where)).gumbel(size=len(logits))
        return int(np.argmax(np.where(allowed if allowed is not None else True, logits + noise, -np.inf)))


def open_scale(slug: str) -> tuple[ScaleBundle, ScalePlayer]:
    """As `catalog.open_note_player`, for the slugs "scale" and "scale-2"."""
    if slug not in ("scale", "scale-2"):
        raise HocketError(f"unknown model {slug!r}: choose one of scale, scale-2")
    return ScaleBundle(slug, ("5ca1e" if slug == "scale" else "5ca1f") * 12), ScalePlayer()
