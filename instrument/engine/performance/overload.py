"""Handles models that are too slow: their players play fewer notes, and rest before they come in again."""

from __future__ import annotations

# By level, which rises each time the plan runs dry: (least ticks between onsets, ticks of rest).
THINNING = ((0, 0), (0, 1), (1, 2), (6, 6), (12, 12), (24, 24), (24, 96))
RECOVERED = 144  # ticks; a player that is planned this far ahead returns by one level


class Overload:
    """The thinning of one player. level: index into `THINNING`."""

    def __init__(self) -> None:
        self.level = 0

    @property
    def spacing(self) -> int:
        """Least ticks between two onsets, 0 = free."""
        return THINNING[self.level][0]

    def update(self, known: int, overdue: int, floor: int) -> int | None:
        """Adapt the level to how far the player is planned.

        known: tick up to which it is planned; overdue: tick up to which it should be, at the latest; floor: tick up to
        which notes have been committed. Returns the tick from which the player continues at the new level, None if
        nothing changes for it.
        """
        before = self.level
        if known < overdue:
            self.level = min(before + 1, len(THINNING) - 1)
            return overdue + THINNING[self.level][1] if self.level > before else None
        if before and known >= floor + RECOVERED:
            self.level = before - 1
            return floor if THINNING[self.level][0] != THINNING[before][0] else None
        return None
