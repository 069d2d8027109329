"""Recording while playing, to takes, MIDI and sound. After a crash or a full disk the files can still be read."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from instrument.engine.offline.midi_file import write_notes
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import SUFFIX, TakeRecorder
from instrument.errors import HocketError

logger = logging.getLogger(__name__)

REWRITE_S = 15.0  # a MIDI file begins with its lengths, so it is rewritten as a whole


class Recorder(Protocol):
    """A file that is being recorded."""

    path: Path

    def update(self) -> None:
        """Write what is new. HocketError on a full disk; what was recorded so far is kept."""
        ...

    def close(self) -> None:
        """Write the rest and close. HocketError as `update`."""
        ...


class MidiRecorder:
    """The notes of a performance, from its start on, as a Standard MIDI File."""

    def __init__(self, path: Path, performance: Performance) -> None:
        """HocketError where the file cannot be written."""
        self.path = path
        self._performance = performance
        self._next = 0.0
        self.update()

    def update(self) -> None:
        """As `Recorder.update`, every `REWRITE_S`."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + REWRITE_S
            self.close()

    def close(self) -> None:
        """As `Recorder.close`."""
        take, metres = self._performance.take, self._performance.metres
        end = self._performance.floor if take.stopped is None else take.stopped
        write_notes(take.sounded(), take, metres, end, self.path)


class Recordings:
    """All running recordings. Locked, as performances end in another thread than the one that updates files."""

    def __init__(self, record_sound: Callable[[Path], Recorder]) -> None:
        """record_sound: starts a .wav file."""
        self.problem = ""
        self._record_sound = record_sound
        self._lock = threading.Lock()
        self._running: list[tuple[Recorder, Performance | None]] = []

    @property
    def text(self) -> str:
        """The paths of the files, as shown in the window."""
        return ", ".join(str(recorder.path) for recorder, _ in self._running)

    def start(self, path: str, performance: Performance) -> None:
        """Record `performance` from its start, or to .wav the sound from now on. HocketError for another kind of file,
        or one that cannot be written."""
        recorder: Recorder
        if path.endswith(SUFFIX):
            recorder = TakeRecorder(path, performance.take)
        elif path.endswith(".mid"):
            recorder = MidiRecorder(Path(path), performance)
        elif path.endswith(".wav"):
            recorder = self._record_sound(Path(path))
        else:
            raise HocketError(f"cannot record to {path!r}: give a file that ends in .mid, .wav or {SUFFIX}")
        with self._lock:
            self.problem = ""
            self._running.append((recorder, None if path.endswith(".wav") else performance))
        logger.info("recording to %s", path)

    def update(self) -> None:
        """Write what is new. A recording that fails ends, and `problem` says why."""
        with self._lock:
            self._running = [entry for entry in self._running if self._try(entry[0].update)]

    def finish(self, performance: Performance) -> None:
        """Complete the files of a performance that has stopped."""
        with self._lock:
            self._running = [
                (recorder, whose)
                for recorder, whose in self._running
                if whose is not performance or (self._try(recorder.close) and False)
            ]

    def close(self) -> None:
        """Complete all files. HocketError if one could not be written."""
        with self._lock:
            running, self._running = self._running, []
            well = [self._try(recorder.close) for recorder, _ in running]
        for recorder, _ in running:
            logger.info("recorded %s", recorder.path)
        if not all(well):
            raise HocketError(self.problem)

    def _try(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except HocketError as error:
            self.problem = str(error)
            return False
        return True
