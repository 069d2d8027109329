"""Shapes the notes of one player as they are committed: when they sound, and how hard they are struck.

What a player is told of its notes stays as it proposed them, so that no model hears its own swing. A shaped note is a
function of the player's notes so far and of what was set before them, never of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi, sin, sqrt

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.expression.grooves import groove_row
from instrument.models.sampling import normal
from instrument.music.grooves import SLOTS, STRAIGHT, row_of, swung
from instrument.music.notes import Note
from instrument.music.plan import Place, Plan
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT, BarPosition, Metre, MetreMap

PHRASE_BARS = 4
ARC = 5.0  # velocity from the edge of a phrase to the mean, and from there to its middle
LOUDER = {"A": 0.0, "B": 7.0, "C": 4.0, "D": -3.0}  # velocity of a section by its label
QUIET, QUIET_SECTIONS = -7.0, ("intro", "ending", "break")
BUILD, BUILDS = 2.0, 3  # velocity for every eight bars from the start of a section, at most so often
SOFTEST, LOUDEST = 12, 127
MEMORY = 64  # notes over which a player's own dynamics are measured


@dataclass(slots=True)
class _Spread:
    """Running mean and variance of the velocities that a player proposes."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def add(self, velocity: int) -> None:
        self.count += 1
        share = 1 / min(self.count, MEMORY)
        difference = velocity - self.mean
        self.mean += share * difference
        self.variance = (1 - share) * (self.variance + share * difference**2)


class Expression:
    """The knobs of one player's expression, and what it has played."""

    def __init__(self, number: int) -> None:
        """number: of the player."""
        self._number = number
        self._own: dict[str, _Spread] = {}
        self._swing, self._feel, self._dynamics = STRAIGHT, 0.0, 0.0
        self._seed, self._genre = 0, ""

    def change(self, instrument: Mapping[str, Value], genre: str) -> None:
        """Shape the notes to come by other knobs. instrument: by id; genre: of the player."""
        self._swing, self._feel, self._dynamics = (float(instrument[knob]) for knob in ("swing", "feel", "dynamics"))
        self._seed, self._genre = int(instrument["seed"]), genre

    def shaped(self, note: Note, metres: MetreMap, plan: Plan | None) -> Note:
        """The next note of the player as it is to be heard: not before its tick less half a tick."""
        own = self._own.setdefault(row_of(note.part, note.pitch), _Spread())
        own.add(note.velocity)
        where = metres.locate(note.tick)
        velocity = float(note.velocity)
        if self._feel:
            velocity, note = self._felt(note, own, where)
        if self._dynamics:
            place = plan.place(note.tick) if plan else None
            velocity += self._dynamics * (_arc(where, place) + _section(place))
        if velocity != note.velocity:
            note = note._replace(velocity=round(min(max(velocity, SOFTEST), LOUDEST)))
        return swung(note, where.offset % TICKS_PER_BEAT, self._swing) if _is_simple(where.metre) else note

    def _felt(self, note: Note, own: _Spread, where: BarPosition) -> tuple[float, Note]:
        """Velocity with accents, and the note with microtiming. A player with dynamics and timing of its own keeps
        them; too wide a spread is narrowed to that of the genre."""
        row = groove_row(self._genre, note.part, note.pitch)
        slot = _slot(where)
        spread = sqrt(own.variance)
        flat = max(0.0, 1.0 - spread / row.spread) if row.spread else 1.0
        chance = float(normal(self._seed, self._number, (note.tick, note.pitch, note.part), 1)[0])
        added = flat * (row.accents[slot] + row.spread * min(max(chance, -2.0), 2.0))
        if row.spread and spread > row.spread:
            added += (note.velocity - own.mean) * (row.spread / spread - 1.0)
        delay = 0 if note.micro or not note.tick else max(-MICRO_STEPS // 2, round(self._feel * row.delays[slot]))
        ticks, micro = divmod(note.micro + delay + MICRO_STEPS // 2, MICRO_STEPS)
        timed = note._replace(
            tick=note.tick + ticks, micro=micro - MICRO_STEPS // 2, duration=max(1, note.duration - ticks)
        )
        return note.velocity + self._feel * added, timed


def _slot(where: BarPosition) -> int:
    """The sixteenth of a bar of four beats at a place."""
    if _is_simple(where.metre):
        return round(where.offset * 4 / TICKS_PER_BEAT) % SLOTS
    assert where.metre is not None
    return round(where.offset * SLOTS / where.metre.bar_ticks) % SLOTS


def _is_simple(metre: Metre | None) -> bool:
    """Whether the beats of a metre are divided in two."""
    return metre is None or metre.denominator <= 4


def _arc(where: BarPosition, place: Place | None) -> float:
    """Velocity that rises to the middle of a phrase and falls to its end."""
    bars = place.since if place else where.bar
    ticks = where.metre.bar_ticks if where.metre else 4 * TICKS_PER_BEAT
    return ARC * (2 * sin(pi * (bars % PHRASE_BARS + where.offset / ticks) / PHRASE_BARS) - 1)


def _section(place: Place | None) -> float:
    """Velocity by the section of the plan, and by how far it has come."""
    if place is None:
        return 0.0
    if place.section.lower() in QUIET_SECTIONS:
        return QUIET
    return LOUDER.get(place.section[:1].upper(), 0.0) + BUILD * min(place.since // 8, BUILDS)
