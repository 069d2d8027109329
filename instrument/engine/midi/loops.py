"""Recognises that the notes that Hocket sends come back to it."""

from __future__ import annotations

from collections import deque

WITHIN_NS = 20_000_000  # a note that arrives so long after, or before, it was to be heard
ENOUGH = 3  # such notes within `MEMORY_NS` are a loop
MEMORY_NS = 3_000_000_000


class LoopWatch:
    """Compares what arrives with what was sent. One thread may send while another receives."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, int, int]] = deque(maxlen=256)  # ns, key, velocity
        self._back: deque[int] = deque(maxlen=ENOUGH)  # when notes came back

    def sent(self, ns: int, key: int, velocity: int) -> None:
        """A note-on was sent, to be heard at `ns`."""
        self._sent.append((ns, key, velocity))

    def is_echo(self, ns: int, key: int, velocity: int) -> bool:
        """Whether a note-on that arrived at `ns` has to be left out, as it comes back in a loop."""
        if not any(abs(ns - at) <= WITHIN_NS and (key, velocity) == (k, v) for at, k, v in self._sent.copy()):
            return False
        self._back.append(ns)
        return self.is_loop(ns)

    def is_loop(self, ns: int) -> bool:
        """Whether there is a loop at `ns`."""
        return len(self._back) == ENOUGH and ns - self._back[0] < MEMORY_NS
