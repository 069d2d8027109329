"""How much sound is mixed ahead of the device: little while a person plays, as that is heard as delay."""

from __future__ import annotations

LEAD_S = 0.026
# While a person plays the built-in voice, or a sound model plays the keyboard: the lead to begin with; what is added
# each time the device starved (up to LEAD_S); how long it must not starve for that to be taken back; and the maximum
# when mixing is expensive.
PLAYED_LEAD_S, KEYED_LEAD_S, STEP_S, UNLEARN_S, MAX_LEAD_S = 0.007, 0.011, 0.004, 20.0, 0.040
PLAYED_S = 8.0  # a person who has not played for so long has paused
BUSY_LOAD, BUSY_LEAD_S = 0.25, 0.05  # load above BUSY_LOAD adds BUSY_LEAD_S times the excess


class Lead:
    """Learns from starved blocks how short the lead may be. Times are in seconds. For the mix thread; any thread may
    set `played`, when a person played last, and `buffer`, what a person wants to be mixed ahead in addition."""

    def __init__(self) -> None:
        self.played = -PLAYED_S
        self.buffer = 0.0
        self._added = 0.0
        self._less_at = 0.0  # when some of it is taken back
        self._starved = 0

    def seconds(self, now: float, starved: int, keyed: bool, load: float) -> float:
        """The lead. starved: blocks so far; keyed: a sound model plays the keyboard; load: of mixing, 0..1."""
        more, self._starved = starved > self._starved, starved
        if not keyed and now - self.played >= PLAYED_S:
            return LEAD_S + self.buffer
        if more:
            self._added, self._less_at = min(LEAD_S, self._added + STEP_S), now + UNLEARN_S
        elif self._added and now >= self._less_at:
            self._added, self._less_at = max(0.0, self._added - STEP_S), now + UNLEARN_S
        lead = min(LEAD_S, (KEYED_LEAD_S if keyed else PLAYED_LEAD_S) + self._added)
        return min(MAX_LEAD_S, lead + BUSY_LEAD_S * max(0.0, load - BUSY_LOAD)) + self.buffer
