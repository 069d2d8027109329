"""A family of note models for tests: whatever its bundle holds, it plays a scale."""

from __future__ import annotations

from instrument.models.bundle import Bundle
from tests.support.players import ScalePlayer


class ToyPlayer(ScalePlayer):
    """A `NotePlayer` on a bundle of family toy."""

    def __init__(self, bundle: Bundle) -> None:
        self.step = bundle.session("step")
        super().__init__()
