"""The interface of a note model, whatever its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

from instrument.errors import HocketError
from instrument.models.latent import LatentPath, LatentSpace, Point
from instrument.music.notes import Note, Part
from instrument.music.phrases import Shape
from instrument.music.plan import Plan
from instrument.music.timebase import MetreMap


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything that decides the next note, except the notes so far.

    knobs: knob id -> value, as the manifest's `knobs[]` describe them (genre, temperature, density, ...);
    floor: no onset before this tick; key: root 0..11; scale: a name of `harmony.SCALES` ("chromatic" = no lock);
    chromatic: 0..1, how freely steps outside the scale are allowed off the beat;
    low, high: MIDI pitch range of the pitched parts; parts: which parts may play (empty = all the model knows);
    chord: sounding pitch classes to prefer, empty = none; latest: no onset after this tick (None = free);
    on: parts that have to play; plan: chords and bars that return, written well beyond the next note (None = free):
    it takes no part in comparisons, as the same plan written further is the same request; harmony: 0..1, how closely
    its chords are kept to.
    """

    knobs: dict[str, float | str] = field(default_factory=dict)
    floor: int = 0
    latest: int | None = None
    key: int = 0
    scale: str = "chromatic"
    chromatic: float = 0.0
    low: int = 0
    high: int = 127
    parts: frozenset[int] = frozenset()
    chord: tuple[int, ...] = ()
    on: frozenset[int] = frozenset()
    harmony: float = 0.5
    plan: Plan | None = field(default=None, compare=False)

    def at(self, floor: int) -> Ask:
        """The same, from another floor."""
        return replace(self, floor=floor)


class NotePlayer(Protocol):
    """A note model with its state after the notes so far.

    Deterministic: the note proposed depends on the notes fed, the `Ask`, and counter-based draws keyed
    by (seed, player, bar, position of the last onset, ordinal, field) - never on how often it was called.
    """

    @property
    def count(self) -> int:
        """Notes fed so far."""
        ...

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """Forget everything; draws come from `seed` and `player` from now on."""
        ...

    def propose(self, ask: Ask) -> Note:
        """The next note, not yet fed: in `Note.order` after the last one and not before `ask.floor`."""
        ...

    def feed(self, note: Note) -> None:
        """Take `note` as played, the model's own or a live one."""
        ...

    def rewind(self, count: int) -> None:
        """Go back to the state after `count` notes (cheap: states are kept by note)."""
        ...

    def forget_before(self, count: int) -> None:
        """Notes before `count` are committed: what is only needed to rewind past them may be dropped."""
        ...


class AsHeard:
    """Base of note players that repeat notes as they were heard: nothing is to be added to those."""


@runtime_checkable
class Prefilling(Protocol):
    """A `NotePlayer` that can take many notes at once, faster than one by one."""

    def prefill(self, notes: Sequence[Note]) -> None:
        """Take `notes`, in order, as played."""
        ...


@runtime_checkable
class Scoring(NotePlayer, Protocol):
    """A `NotePlayer` whose state can be tried out, to make a bar anew that fits to what comes after it."""

    def fork(self) -> Self:
        """Another player with the same state, which then goes its own way."""
        ...

    def reseed(self, seed: int) -> None:
        """Draw with another seed from here on."""
        ...

    def log_likelihood(self, note: Note, ask: Ask) -> float:
        """The natural logarithm of the probability that `note` comes next."""
        ...


@runtime_checkable
class LatentPlayer(NotePlayer, Protocol):
    """A `NotePlayer` whose phrases are points of a latent space. The methods below may be called by another thread."""

    @property
    def space(self) -> LatentSpace:
        """The latent space of its bundle."""
        ...

    @property
    def shape(self) -> Shape:
        """The shape of its phrases."""
        ...

    @property
    def part(self) -> Part:
        """The part that it plays."""
        ...

    def encode(self, notes: Sequence[Note], metres: MetreMap) -> Point:
        """The point of the phrase of `notes`, from the bar of the first on: an anchor. HocketError if it has no note
        that the model can play (pitched or drums)."""
        ...

    def pace(self, a: Point, b: Point) -> LatentPath:
        """The path from a to b, paced by audible change; see `pacing.pace`. The first call for two points is slow."""
        ...


def checked_note(note: Note) -> Note:
    """A note that a model proposed. HocketError if a value is out of range, as a broken or hostile bundle gives."""
    if not note.possible:
        raise HocketError(f"its model proposes an impossible note ({tuple(note)}): install its bundle again")
    return note


def feed_all(player: NotePlayer, notes: Sequence[Note]) -> None:
    """Let `player` take `notes`, in order, as played. The states of a model may depend, by rounding, on which notes are
    fed in one call; so a take is replayed in identical batches."""
    if isinstance(player, Prefilling):
        player.prefill(notes)
    else:
        for note in notes:
            player.feed(note)
