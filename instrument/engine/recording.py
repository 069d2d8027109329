"""Recording while playing, to takes, MIDI and sound. After a crash or a full disk the files can still be read."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

from instrument import last_resort
from instrument.engine.offline.midi_file import write_notes
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import SUFFIX, TakeRecorder
from instrument.errors import HocketError

logger = logging.getLogger(__name__)

FILE = "recording.json"  # in the state folder
GO_ON_S = 60.0  # a recording goes on in an engine that starts so soon after the last one wrote to it
RECORDED_S, AFTER_CRASH_S = 10.0, 30.0  # how long it is told where a recording went
ANSWER_S = 8.0  # how long the start and the end of an engine wait for a disk
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
        write_notes(take.sounded(), take, metres, end, self.path, plan=self._performance.written_plan)


class _Running(NamedTuple):
    """A file that is being recorded. whose: the performance that it records, None for sound; began: monotonic."""

    recorder: Recorder
    whose: Performance | None
    began: float

    @property
    def seconds(self) -> float:
        """How long it has been recorded."""
        return time.monotonic() - self.began


class Recordings:
    """All running recordings. Any thread may call it and none waits for a disk: files are opened and written in a
    thread of its own. The paths are kept in a file, so that an engine that is started after a crash goes on."""

    def __init__(self, record_sound: Callable[[Path], Recorder], state: Path) -> None:
        """record_sound: starts a .wav file; state: the state folder."""
        self._record_sound = record_sound
        self._marker = state / FILE
        self._running: tuple[_Running, ...] = ()
        self._problems: dict[Path, str] = {}
        self._done: dict[str, float] = {}  # line -> until when it is told
        self._work = ThreadPoolExecutor(1, "recording")
        self._updating: Future[None] | None = None

    @property
    def text(self) -> str:
        """The paths of the files, as shown in the window."""
        return ", ".join(str(running.recorder.path) for running in self._running)

    @property
    def seconds(self) -> float:
        """How long the first of them has been recorded; 0 without one."""
        return self._running[0].seconds if self._running else 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed, a line for each file, and for some seconds where the files went that were completed."""
        now = time.monotonic()
        done = (line for line, until in list(self._done.items()) if now < until)
        return (*self._problems.values(), *done)

    def start(self, path: str, current: Callable[[], Performance]) -> Future[None]:
        """Record the current performance from its start, or to .wav the sound from now on. HocketError for another kind
        of file, or one that cannot be written."""
        return self._work.submit(self._start, path, current)

    def go_on(self, current: Callable[[], Performance]) -> Future[None]:
        """Go on with what was being recorded when the last engine crashed, in files beside the first ones."""
        return self._work.submit(self._go_on, current)

    def update(self) -> None:
        """Write what is new. A recording that fails ends, and `problems` says why."""
        if self._running and (self._updating is None or self._updating.done()):
            self._updating = self._work.submit(self._update)

    def finish(self, performance: Performance) -> None:
        """Complete the files of a performance that has stopped."""
        self._work.submit(self._close, lambda running: running.whose is performance)

    def close(self) -> Future[None]:
        """Complete all files. HocketError if one could not be written."""
        return self._work.submit(self._close, lambda running: True)

    # In the thread of the recordings

    def _start(self, path: str, current: Callable[[], Performance]) -> None:
        if not path.endswith((SUFFIX, ".mid", ".wav")):
            raise HocketError(f"cannot record to {path!r}: give a file that ends in .mid, .wav or {SUFFIX}")
        where, performance = Path(path).absolute(), current()
        if where.exists() and not where.is_file():
            raise HocketError(f"cannot record to {path}: it is no plain file; give another one")
        recorder: Recorder
        if path.endswith(SUFFIX):
            recorder = TakeRecorder(where, performance.take)
        elif path.endswith(".mid"):
            recorder = MidiRecorder(where, performance)
        else:
            recorder = self._record_sound(where)
        self._problems.pop(where, None)
        whose = None if path.endswith(".wav") else performance
        self._set((*self._running, _Running(recorder, whose, time.monotonic())))
        logger.info("recording to %s", path)
        if whose and current() is not performance:  # it has stopped meanwhile
            self._close(lambda running: running.whose is performance)

    def _go_on(self, current: Callable[[], Performance]) -> None:
        try:
            fresh = time.time() - self._marker.stat().st_mtime < GO_ON_S
            paths = [Path(path) for path in json.loads(self._marker.read_text("utf-8"))] if fresh else []
        except (OSError, ValueError, TypeError):
            return
        self._set(())
        for path in paths:
            beside = next(name for name in map(partial(_numbered, path), count(2)) if not name.exists())
            try:
                self._start(str(beside), current)
            except HocketError as error:
                self._problems[beside] = str(error)
            else:
                self._tell(
                    f"recording goes on in {beside}; what was recorded before the crash is in {path}", AFTER_CRASH_S
                )

    def _update(self) -> None:
        well = tuple(running for running in self._running if self._try(running, running.recorder.update))
        if well != self._running:
            self._set(well)
        with suppress(OSError):
            os.utime(self._marker)  # see `GO_ON_S`

    def _close(self, which: Callable[[_Running], bool]) -> None:
        closing = [running for running in self._running if which(running)]
        if not closing:
            return
        failed = []
        for running in closing:
            if self._try(running, running.recorder.close):
                minutes, seconds = divmod(round(running.seconds), 60)
                self._tell(f"recorded {minutes}:{seconds:02d} to {running.recorder.path}", RECORDED_S)
            else:
                failed.append(self._problems[running.recorder.path])
        self._set(tuple(running for running in self._running if running not in closing))
        if failed:
            raise HocketError("; ".join(failed))

    def _tell(self, line: str, seconds: float) -> None:
        logger.info("%s", line)
        self._done[line] = time.monotonic() + seconds

    def _set(self, running: tuple[_Running, ...]) -> None:
        self._running = running
        with suppress(OSError):  # without the file, a recording does not go on after a crash
            if running:
                self._marker.write_text(json.dumps([str(each.recorder.path) for each in running]), "utf-8")
            else:
                self._marker.unlink(missing_ok=True)

    def _try(self, running: _Running, write: Callable[[], None]) -> bool:
        try:
            write()
        except HocketError as error:
            self._problems[running.recorder.path] = str(error)
            return False
        except Exception as error:  # noqa: BLE001
            self._problems[running.recorder.path] = last_resort.report(f"recording {running.recorder.path}", error)
            return False
        return True


def wait_for_disk(work: Future[None]) -> None:
    """Wait until a recording has begun or ended. HocketError as that raises, and if the disk does not answer."""
    try:
        work.result(ANSWER_S)
    except TimeoutError as error:
        raise HocketError("the disk that is recorded to does not answer: choose another place") from error


def _numbered(path: Path, number: int) -> Path:
    """The name of another part of a recording: "a (2).take.json"."""
    kind = SUFFIX if path.name.endswith(SUFFIX) else path.suffix
    return path.with_name(f"{path.name.removesuffix(kind)} ({number}){kind}")
