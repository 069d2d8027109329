"""The stages of an evaluation: what is printed while they run, with the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from training.core.run_log import duration


class Stages:
    """Stages that run one after another. usual: seconds that they take of a model that ships, from which the time left
    is estimated; seconds: what they took, filled here."""

    def __init__(self, usual: Mapping[str, float], seconds: dict[str, float]) -> None:
        self._usual, self._seconds = usual, seconds

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """Print what is being measured, and record how long it took."""
        print(f"{title} ...", end="", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        yield
        took = self._seconds[name] = round(time.perf_counter() - begin, 1)
        left = self.seconds_left()
        told = f", about {duration(left)} left" if left else ""
        print(f" {took:.0f} s{told}", file=sys.stderr, flush=True)

    def seconds_left(self) -> float:
        """Estimated, at the speed so far; 0 after the last stage."""
        rest = sum(seconds for name, seconds in self._usual.items() if name not in self._seconds)
        done = sum(self._usual.get(name, 0.0) for name in self._seconds)
        return rest * (sum(self._seconds.values()) / done if done else 1.0)
