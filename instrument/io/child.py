"""Disposable child processes: what touches a driver lives in one, so that a hung driver costs a kill.

The parent holds a `Child` (its process and the memory shared with it); a `Keeper` replaces it when it dies or
stalls. In the child, `serve` runs the work and ends it when the parent is gone.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import instrument
from instrument.errors import HocketError
from instrument.io.priority import DEVICE, hurry, unhurried
from instrument.io.shared import FAILED, RUNNING, SharedFile

logger = logging.getLogger(__name__)

Memory = TypeVar("Memory", bound=SharedFile)

OPEN_NS = 10_000_000_000  # a driver that has not opened by then never will
STALL_NS = 1_000_000_000  # a callback that has not come for so long will not come
CLOSE_S = 1.0  # how long a child that was asked to end may take
KILL_S = 2.0  # how long a killed process may take to disappear
_RETRY_NS = (250_000_000, 500_000_000, 1_000_000_000, 2_000_000_000)  # waits between tries; the last is kept


def spawn(
    module: str, *arguments: str, output: int = subprocess.DEVNULL, errors: int | None = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments`. Its standard input is a pipe that ends when this process does; what drivers
    print on standard error goes nowhere, unless `errors` says otherwise (None: where ours goes)."""
    root = str(Path(instrument.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    with unhurried():
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "JACK_NO_START_SERVER": "1"},
        )


def ask(module: str, *arguments: str, seconds: float = 10.0) -> str:
    """What `python -m module arguments` prints, for questions that only a fresh process answers well.
    Raises HocketError with its last line when it fails, or when it takes longer than `seconds`."""
    process = spawn(module, *arguments, output=subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise HocketError(f"{module} did not answer within {seconds:g} s: a driver hangs") from None
    finally:
        process.kill()
        process.wait(KILL_S)
    lines = output.decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise HocketError(lines[-1] if lines else f"{module} ended with status {process.returncode}")
    return lines[-1] if lines else ""


class Child(Generic[Memory]):
    """A process and the memory shared with it."""

    def __init__(self, module: str, memory: Memory, arguments: Sequence[str] = ()) -> None:
        self.memory = memory
        self._born = time.perf_counter_ns()
        self._process = spawn(module, str(memory.path), *arguments)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Open, and its callback was here lately."""
        return self.memory.get("state") == RUNNING and not self.problem()

    def problem(self) -> str:
        """Why this child is of no use any more, in one line; empty while all is well."""
        state, now = self.memory.get("state"), time.perf_counter_ns()
        if state == FAILED:
            return self.memory.text("detail")
        if self._process.poll() is not None:
            return f"the device process ended with status {self._process.returncode}"
        since = self.memory.get("heartbeat_ns") if state == RUNNING else self._born
        if now - since > (STALL_NS if state == RUNNING else OPEN_NS):
            return "the driver hangs"
        return ""

    def end(self) -> None:
        """End the process: ask it, unless it is of no use, then kill it. Returns when it is gone."""
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
    """Opens a child again and again, at a bounded pace and without ever waiting.

    spawn: starts one, or raises HocketError; look: a cheap glance at the world, which is hopeful enough for a
    try at once whenever it gives something else than before.
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
        """Go on with the opening: the child once it runs, else None. `problem` says what went wrong last."""
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
            raise HocketError(self.problem or "not there")
        return child

    def close(self) -> None:
        """Give up an opening that is under way."""
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


def answer_in_time(seconds: float = 15.0) -> None:
    """In a child that was asked: end when the parent is gone, or after so long, whatever hangs. A client that hangs
    while it connects keeps a JACK server from all others."""
    parent, ends = os.getppid(), time.monotonic() + seconds

    def watch() -> None:
        while os.getppid() == parent and time.monotonic() < ends:
            time.sleep(0.1)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def when_left(do: Callable[[], None]) -> None:
    """In the child: `do` it when the parent is gone or wants an end: the pipe on standard input closes."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        do()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def serve(memory: SharedFile, work: Callable[[], None]) -> None:
    """In the child: call `work` and end the process after it, telling the parent in one line what went wrong.

    When the parent is gone or wants an end (the pipe on standard input closes, SIGTERM), the number `closing`
    is set and `work` has `CLOSE_S` to return. An interrupt from the keyboard is the parent's affair.
    """

    def end() -> None:
        memory.put("closing", 1)
        threading.Timer(CLOSE_S, os._exit, [0]).start()

    hurry(DEVICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: end())
    when_left(end)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        work()
    except HocketError as error:
        memory.fail(str(error))
    except Exception as error:  # noqa: BLE001  what a driver raises is anybody's guess, and no one reads stderr
        memory.fail(f"{type(error).__name__}: {error}")
    os._exit(memory.get("state") == FAILED)  # at once: a driver's own clean-up is where it would hang
