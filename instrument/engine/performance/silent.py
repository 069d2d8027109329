"""What sits in the place of a model that cannot be used: it plays nothing, and its settings stay in the patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instrument.errors import HocketError
from instrument.models.manifest import Knob
from instrument.models.notes.player import Ask
from instrument.music.notes import Note
from instrument.music.timebase import MetreMap


@dataclass(frozen=True)
class SilentBundle:
    """A `BundleInfo` of a model that is not open. No installed bundle has its hash, so a take that it was recorded in
    renders to the notes that were heard."""

    slug: str
    bundle_hash: str = ""
    legacy_hash: str = ""
    parts: Sequence[int] = ()
    knobs: Sequence[Knob] = ()


class SilentPlayer:
    """A `NotePlayer` that says why there are no notes."""

    def __init__(self, why: str) -> None:
        self.count = 0
        self._why = why

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        """As `NotePlayer.reset`."""
        self.count = 0

    def propose(self, ask: Ask) -> Note:
        """HocketError, always."""
        raise HocketError(self._why)

    def feed(self, note: Note) -> None:
        """As `NotePlayer.feed`."""
        self.count += 1

    def rewind(self, count: int) -> None:
        """As `NotePlayer.rewind`."""
        self.count = count

    def forget_before(self, count: int) -> None:
        """As `NotePlayer.forget_before`."""
