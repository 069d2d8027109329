"""Which sound models an engine uses, in a file that outlasts it: after a crash the next engine starts without those
that may have caused it. Note models run in a process of their own, whose end the engine survives."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from instrument.models.catalog import list_models

FILE = "in-use.json"  # in the state folder
QUICK_S = 60.0  # an engine that crashes sooner after its start has crashed quickly


class _Left(msgspec.Struct):
    """The content of the file. models: slugs; began: when the engine started, in seconds since the epoch; quick: number
    of quick crashes in a row before it."""

    models: list[str]
    began: float
    quick: int


class InUse:
    """The file of one engine. Any thread may call it.

    suspects: slugs of the models that the last engine used when it crashed: those that did not come with Hocket, or all
    of them if it was the second quick crash in a row.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / FILE
        self._lock = threading.Lock()
        self.suspects: frozenset[str] = frozenset()
        self._now = _Left([], time.time(), 0)
        if left := self._read():
            self._now.quick = left.quick + 1 if self._now.began - left.began < QUICK_S else 0
            shipped = {entry.slug for entry in list_models() if entry.shipped} if self._now.quick < 2 else set()
            self.suspects = frozenset(left.models) - shipped
        self._write()

    def add(self, slug: str) -> None:
        """A model is about to be opened in this process."""
        with self._lock:
            if slug not in self._now.models:
                self._now.models.append(slug)
                self._write()

    def close(self) -> None:
        """The engine ends as it should."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> _Left | None:
        """What an engine left that crashed; None if the last one ended as it should."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Left)
        except (OSError, msgspec.MsgspecError):
            return None

    def _write(self) -> None:
        with suppress(OSError):  # without it, a crash is forgotten
            self._path.write_bytes(msgspec.json.encode(self._now))
