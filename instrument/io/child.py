"""Disposable child processes for all that uses a driver, so that a hanging driver can be killed.

The parent holds a `Child` (its process and the memory shared with it); a `Keeper` replaces it when it dies or stalls.
In the child, `serve` runs the work and ends it when the parent is gone.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import instrument
from instrument.errors import HocketError
from instrument.io.jack_servers import library_path
from instrument.io.priority import DEVICE_PRIORITY, normal_priority, set_realtime_priority
from instrument.io.shared import FAILED, RUNNING, SharedFile
from instrument.processes import command

logger = logging.getLogger(__name__)

Memory = TypeVar("Memory", bound=SharedFile)

OPEN_NS = 10_000_000_000  # a driver that takes longer is taken to hang
STALL_NS = 1_000_000_000  # a device without a callback for so long is taken to hang
CLOSE_S = 1.0  # how long a child may take to end
KILL_S = 2.0  # how long a killed process may take to disappear
_RETRY_NS = (250_000_000, 500_000_000, 1_000_000_000, 2_000_000_000)  # waits between tries; the last one repeats


def spawn(
    name: str, *arguments: str, output: int = subprocess.DEVNULL, errors: int | None = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start the process `name` of `instrument.processes` with these arguments, at normal priority.

    Its standard input is a pipe that closes when this process ends. Standard error is discarded, since drivers print
    there, unless `errors` says otherwise (None: the same as this process's).
    """
    root = str(Path(instrument.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    with normal_priority():
        return subprocess.Popen(
            command(name, *arguments),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "JACK_NO_START_SERVER": "1", **library_path()},
        )


def ask(name: str, *arguments: str, seconds: float = 10.0) -> str:
    """The last line that the process `name` of `instrument.processes` prints, for what only a fresh process can find
    out. Raises HocketError with that line when it fails, or when it takes longer than `seconds`."""
    process = spawn(name, *arguments, output=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise HocketError(f"the process {name} did not answer within {seconds:g} s: a driver hangs") from None
    finally:
        process.kill()
        process.wait(KILL_S)
    lines = output.decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise HocketError(lines[-1] if lines else f"the process {name} ended with status {process.returncode}")
    return lines[-1] if lines else ""


class Child(Generic[Memory]):
    """A process and the memory shared with it."""

    def __init__(self, name: str, memory: Memory, arguments: Sequence[str] = ()) -> None:
        self.memory = memory
        self._started_ns = time.perf_counter_ns()
        self._process = spawn(name, str(memory.path), *arguments)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it is open and its callback was called recently."""
        return self.memory.get("state") == RUNNING and not self.problem()

    def problem(self) -> str:
        """Why this child cannot be used any more, in one line; empty while it works."""
        state, now = self.memory.get("state"), time.perf_counter_ns()
        if state == FAILED:
            return self.memory.text("detail")
        if self._process.poll() is not None:
            return f"the device process ended with status {self._process.returncode}"
        since = self.memory.get("heartbeat_ns") if state == RUNNING else self._started_ns
        if now - since > (STALL_NS if state == RUNNING else OPEN_NS):
            return "the driver hangs"
        return ""

    def end(self) -> None:
        """End the process: politely if it works, then by a kill. Returns when it is gone."""
        asked = not self.problem()
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            if asked:
                self._process.wait(CLOSE_S)
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_S)
        self.memory.unlink()


class Keeper(Generic[Memory]):
    """Opens a child again and again, at a bounded rate and without blocking.

    spawn: starts one, or raises HocketError; look: a cheap check of the system; when its value changes, the next try is
    at once.
    """

    def __init__(self, spawn: Callable[[], Child[Memory]], look: Callable[[], object]) -> None:
        self._spawn = spawn
        self._look = look
        self._seen = look()
        self._opening: Child[Memory] | None = None
        self._tries = 0
        self._next_ns = 0
        self.problem = ""

    def step(self) -> Child[Memory] | None:
        """Continue the opening: the child once it runs, else None. `problem` is the last error."""
        now = time.perf_counter_ns()
        if self._opening is None:
            if (seen := self._look()) != self._seen:
                self._seen, self._tries = seen, 0
            elif now < self._next_ns:
                return None
            try:
                self._opening = self._spawn()
            except (HocketError, OSError) as error:
                self._failed(now, str(error))
                return None
        if self._opening.running:
            child, self._opening = self._opening, None
            logger.info("process %d holds the device", child.pid)
            self._tries = 0
            self.problem = ""
            return child
        if problem := self._opening.problem():
            self._failed(now, problem)
        return None

    def open(self) -> Child[Memory]:
        """Wait for one opening, bounded by `OPEN_NS`. Raises HocketError when it fails."""
        self._next_ns, self.problem = 0, ""
        child = self.step()
        while child is None and self._opening is not None:
            time.sleep(0.005)
            child = self.step()
        if child is None:
            raise HocketError(self.problem or "the device is not there")
        return child

    def close(self) -> None:
        """Stop an opening that is in progress."""
        if self._opening:
            self._opening.end()
            self._opening = None

    def _failed(self, now: int, problem: str) -> None:
        if problem != self.problem:  # it is tried again every two seconds
            logger.warning("a device did not open: %s", problem)
        self.problem = problem
        self.close()
        self._next_ns = now + _RETRY_NS[min(self._tries, len(_RETRY_NS) - 1)]
        self._tries += 1


def exit_after(seconds: float = 15.0) -> None:
    """In a child started by `ask`: exit when the parent is gone, or after `seconds`, whatever hangs. A client that
    hangs while it connects blocks a JACK server for all others."""
    parent, ends = os.getppid(), time.monotonic() + seconds

    def watch() -> None:
        while os.getppid() == parent and time.monotonic() < ends:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def when_parent_ends(do: Callable[[], None]) -> None:
    """In the child: call `do` when standard input closes, as the parent is gone or asks for the end."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        do()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def serve(memory: SharedFile, work: Callable[[], None]) -> None:
    """In the child: call `work` and exit after it; an error is passed to the parent in one line.

    When standard input closes or SIGTERM arrives, the number `closing` is set and `work` has `CLOSE_S` to return. An
    interrupt from the keyboard is left to the parent.
    """

    def end() -> None:
        memory.put("closing", 1)
        threading.Timer(CLOSE_S, os._exit, [0]).start()

    set_realtime_priority(DEVICE_PRIORITY)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: end())
    when_parent_ends(end)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        work()
    except HocketError as error:
        memory.fail(str(error))
    except Exception as error:  # noqa: BLE001  drivers raise anything, and standard error is discarded
        memory.fail(f"{type(error).__name__}: {error}")
    os._exit(memory.get("state") == FAILED)  # without clean-up, in which a driver may hang
