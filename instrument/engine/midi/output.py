"""What the notes thread needs of a destination of notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from instrument.engine.performance.performance import Performance, Played
from instrument.music.timebase import TempoMap


class Output(Protocol):
    """A destination of notes: the MIDI scheduler, the mix thread."""

    def strike(self, played: Sequence[Played]) -> None:
        """Take committed notes."""
        ...

    def cut(self, played: Sequence[Played]) -> None:
        """End committed notes now, and do not begin those that are still to come."""
        ...

    def silence(self) -> None:
        """End all sounding notes and drop the coming ones."""
        ...

    def retime(self, tempo: TempoMap | None) -> None:
        """Use this tempo map from now on; None: the transport is stopped."""
        ...

    def lead_ns(self) -> int:
        """How long (ns) before it is heard the output takes a note."""
        ...

    def arrange(self, performance: Performance) -> None:
        """A patch was loaded, or a knob or model changed. Called by the notes thread; must not block."""
        ...

    def panic(self) -> None:
        """Silence everything, including notes that are not known to sound."""
        ...
