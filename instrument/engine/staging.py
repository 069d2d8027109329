"""Performances that have not begun yet, with the models that they use."""

from __future__ import annotations

from typing import NamedTuple

from instrument.engine.offline.played_again import PlayedAgain
from instrument.engine.performance.patches import Patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.roster import Opened
from instrument.engine.performance.takes import Take
from instrument.engine.pool.model_pool import ModelPool
from instrument.errors import HocketError

PREPARED = 24  # ticks that are planned before a performance begins


class Staged(NamedTuple):
    """A performance and the models that it uses."""

    performance: Performance
    players: list[Opened]

    @classmethod
    def of(cls, patch: Patch, models: ModelPool) -> Staged:
        """A performance of a patch. HocketError for an unknown model, or a knob out of range."""
        given: list[Opened] = []

        def give(slug: str) -> Opened:
            given.append(models.give(slug))
            return given[-1]

        return cls(Performance(patch, give), given)

    @classmethod
    def again(cls, take: Take, patch: Patch, models: ModelPool) -> Staged:
        """A performance that plays a take again, with the patch of the take as it is to be here. HocketError as
        `of`."""
        given: list[Opened] = []

        def give(slug: str) -> Opened:
            given.append(models.give(slug))
            return given[-1]

        return cls(PlayedAgain(take, patch, give), given)

    @classmethod
    def after(cls, last: Performance, models: ModelPool) -> Staged:
        """The next performance of the patch of the last one. HocketError as `of`."""
        staged = cls.of(last.next_patch(), models)
        staged.performance.remember(last)
        return staged


class Coming(NamedTuple):
    """A performance that begins where the present one is at a tick."""

    staged: Staged
    tick: int

    def prepare(self) -> bool:
        """Plan a note of its beginning. Returns False if there is none to plan."""
        try:
            return self.staged.performance.extend(PREPARED) is not None
        except HocketError:
            return False  # that player is silent; the performance says so when it has begun
