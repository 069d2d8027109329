"""A note player for tests: small, deterministic, and as obedient as a real model is to be.

It draws with Gumbel noise keyed by where a note falls in the music, as the runners of real models do, so that
what holds for it (plans dropped and planned anew come out the same) can be expected of them.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import VERSION, Golden, Graph, Knob, Manifest
from instrument.models.notes.player import Ask
from instrument.music.harmony import scale_mask
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap

STEPS = np.array((0, 3, 6, 8, 12, 18, 24, 36, 48, 96))  # ticks since the last onset
LENGTHS = np.array((1, 3, 6, 12, 24, 48, 96))
PARTS = (Part.MELODY, Part.CHORDS, Part.BASS, Part.DRUMS)
CENTRES = {Part.MELODY: 72, Part.CHORDS: 60, Part.BASS: 40, Part.DRUMS: 42}
EVERY = np.arange(128)
GENRES = ("none", "waltz", "march")

KNOBS = (
    Knob("genre", "Genre", "choice", default="none", choices=GENRES),
    Knob("temperature", "Temperature", low=0.1, high=2.0, default=1.0, step=0.05),
    Knob("density", "Density", low=0.0, high=8.0, default=0.0, step=0.25, zero="free"),
    Knob("register", "Register", low=0.0, high=8.0, default=0.0, step=0.25, zero="free"),
)


class Field(IntEnum):
    TIME = 0
    PART = 1
    PITCH = 2
    LENGTH = 3
    VELOCITY = 4
    MICRO = 5


@dataclass(frozen=True)
class ScaleBundle:
    """What a performance asks of a manifest."""

    slug: str = "scale"
    bundle_hash: str = "5ca1e" * 12
    legacy_hash: str = "01d" * 21
    knobs: tuple[Knob, ...] = KNOBS
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

    def fork(self) -> ScalePlayer:
        other = copy(self)
        other._notes, other._ordinals = list(self._notes), list(self._ordinals)
        return other

    def reseed(self, seed: int) -> None:
        self._key = seed << 16 | self._key & 0xFFFF

    def log_likelihood(self, note: Note, ask: Ask) -> float:
        """Leaps are unlikely."""
        return -float(abs(note.pitch - self._last[0].pitch)) if self._last else 0.0

    def propose(self, ask: Ask) -> Note:
        self.proposed += 1
        noise = self._noise()
        heat = float(ask.knobs.get("temperature", 1.0))
        density = float(ask.knobs.get("density", 0.0))
        register = float(ask.knobs.get("register", 0.0))
        genre = GENRES.index(str(ask.knobs.get("genre", "none")))
        last, ordinal = self._last or (None, 0)
        wanted = ask.parts & set(PARTS) or PARTS  # as real models: all, if it can play none of them
        free = {part: _pitches(part, ask) for part in PARTS if part in wanted}
        after = {
            part: mask & (EVERY + 128 * (part == Part.DRUMS) > last.order % 256) if last else mask
            for part, mask in free.items()
        }  # what may follow on the same tick
        if not any(mask.any() for mask in free.values()):
            raise HocketError("no pitch may sound: widen the range or change the scale")

        ticks = (last.tick if last else 0) + STEPS
        can = (
            (ticks >= ask.floor)
            & (ask.latest is None or ticks <= max(ask.latest, ask.floor))
            & ((STEPS > 0) | any(mask.any() for mask in after.values()))
        )
        likely = -0.4 * np.abs(np.arange(len(STEPS)) - 3 + density / 2 - genre) - ordinal * (STEPS == 0)
        tick = int(ticks[_draw(noise[Field.TIME], likely / heat, can)]) if can.any() else ask.floor
        masks = after if last and tick == last.tick else free
        possible = np.array([part in masks and masks[part].any() for part in PARTS])
        part = PARTS[_draw(noise[Field.PART], np.zeros(len(PARTS)), possible)]
        centre = CENTRES[part] + (2 * (register - 4) * min(1.0, register) if part != Part.DRUMS else 0) + genre
        return Note(
            tick,
            _draw(noise[Field.MICRO], -np.abs(np.arange(8) - 4.0) / heat) - 4 if tick else 0,
            _draw(noise[Field.PITCH], -((EVERY - centre) ** 2) / 60 / heat, masks[part]),
            int(LENGTHS[_draw(noise[Field.LENGTH], -0.5 * np.abs(np.arange(7) - 3.0) / heat)]),
            8 * (1 + _draw(noise[Field.VELOCITY], -0.2 * np.abs(np.arange(15) - 9.0) / heat)),
            int(part),
        )

    def _noise(self) -> NDArray[np.float64]:
        """A row for each field. It depends on where the last note fell, and on nothing else."""
        where = (0, 0, 0)
        if self._last:
            place = self._metres.locate(self._last[0].tick)
            where = (place.bar, place.offset, self._last[1] + 1)
        draws = np.random.Generator(np.random.Philox(key=self._key, counter=(*where, 0)))
        return -np.log(-np.log(draws.random((len(Field), 128)) + 1e-300))


def _draw(noise: NDArray[np.float64], logits: NDArray[np.float64], can: NDArray[np.bool_] | bool = True) -> int:
    """Gumbel-max among those that can be."""
    return int(np.argmax(np.where(can, logits + noise[: len(logits)], -np.inf)))


def _pitches(part: Part, ask: Ask) -> NDArray[np.bool_]:
    """Which of the 128 keys a part may take."""
    if part == Part.DRUMS:
        return (EVERY >= 35) & (EVERY < 60)
    return scale_mask(ask.key, ask.scale)[EVERY % 12] & (ask.low <= EVERY) & (ask.high >= EVERY)


def open_scale(slug: str) -> tuple[ScaleBundle, ScalePlayer]:
    """As `catalog.open_note_player`, for the slugs "scale" and "scale-2"."""
    if slug not in ("scale", "scale-2"):
        raise HocketError(f"unknown model {slug!r}: choose one of scale, scale-2")
    return ScaleBundle(slug, ("5ca1e" if slug == "scale" else "5ca1f") * 12), ScalePlayer()


def stand_in_manifest(*genres: str, knobs: tuple[Knob, ...] = ()) -> Manifest:
    """Of family `lstm`, with a melody part, these genres, a genre knob and `knobs`. No graph file is behind it."""
    return Manifest(
        VERSION,
        "stand-in",
        "Stand-in",
        "lstm",
        "1.0.0",
        "CC0-1.0",
        (Graph("step", "step.onnx", "0" * 64, (), ()),),
        Golden("golden.npz", "0" * 64, 0.01),
        condition_genres=genres,
        genres=genres,
        parts=(int(Part.MELODY),),
        knobs=(Knob("genre", "Genre", "choice", default="none", choices=("none", *genres)), *knobs),
    )
