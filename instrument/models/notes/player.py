"""What the engine asks of a note model, whatever its family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from instrument.models.latent import LatentPath, LatentSpace, Point
from instrument.music.notes import Note, Part
from instrument.music.phrases import Shape
from instrument.music.timebase import MetreMap


@dataclass(frozen=True, slots=True)
class Ask:
    """Everything besides the notes so far that decides the next note.

    knobs: knob id -> value, as the manifest's `knobs[]` describe them (genre, temperature, density, ...);
    floor: no onset before this tick; key: root 0..11; scale: a name of `harmony.SCALES` ("chromatic" = no lock);
    chromatic: 0..1, how freely steps outside the scale are allowed off the beat;
    low, high: MIDI pitch range of the pitched parts; parts: which parts may play (empty = all the model knows);
    chord: sounding pitch classes to prefer, empty = none; latest: no onset after this tick (None = free).
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

    def at(self, floor: int) -> Ask:
        """The same, from another floor."""
        return replace(self, floor=floor)


class NotePlayer(Protocol):
    """A note model with its memory of the notes played so far.

    Deterministic: the note proposed depends on the notes fed, the `Ask`, and counter-based draws keyed
    by (seed, player, bar, position of the last onset, ordinal, field) - never on how often it was asked.
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


@runtime_checkable
class Prefilling(Protocol):
    """A `NotePlayer` that takes many notes in at once, quicker than one by one."""

    def prefill(self, notes: Sequence[Note]) -> None:
        """Take `notes`, in order, as played."""
        ...


@runtime_checkable
class LatentPlayer(NotePlayer, Protocol):
    """A `NotePlayer` whose phrases are points of a latent space. What follows may be asked by a thread of its own."""

    @property
    def space(self) -> LatentSpace:
        """What its bundle tells of the space."""
        ...

    @property
    def shape(self) -> Shape:
        """Of its phrases."""
        ...

    @property
    def part(self) -> Part:
        """Whose phrases they are."""
        ...

    def encode(self, notes: Sequence[Note], metres: MetreMap) -> Point:
        """The point of the phrase that `notes` make, from the bar of the first on: an anchor. HocketError if no
        note in it is of the model's kind."""
        ...

    def pace(self, a: Point, b: Point) -> LatentPath:
        """The way from a to b by what is heard to change; see `pacing.pace`. The first time it takes a while."""
        ...


def feed_all(player: NotePlayer, notes: Sequence[Note]) -> None:
    """Let `player` take `notes`, in order, as played. What it remembers depends on which notes come together, so a
    take's are fed again in the same companies."""
    if isinstance(player, Prefilling):
        player.prefill(notes)
    else:
        for note in notes:
            player.feed(note)
