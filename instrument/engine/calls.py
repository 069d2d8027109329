"""Calls from other threads, which a thread runs between its own work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

from instrument import last_resort
from instrument.errors import HocketError

Result = TypeVar("Result")


class Calls:
    """Any thread may `call`; the thread that owns it calls `run`."""

    def __init__(self, thread: str) -> None:
        """thread: what it is called in messages."""
        self._thread = thread
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def call(self, do: Callable[[], Result]) -> Future[Result]:
        """Let the thread run a function. An unexpected error reaches the caller as a HocketError."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(do())
            except HocketError as error:
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001
                future.set_exception(HocketError(last_resort.report(self._thread, error)))

        self._waiting.put(run)
        return future

    def run(self, timeout_s: float) -> None:
        """Run the waiting calls; wait for the first one for up to `timeout_s`."""
        try:
            self._waiting.get(timeout=timeout_s)() if timeout_s else self._waiting.get_nowait()()
            while True:
                self._waiting.get_nowait()()
        except Empty:
            pass
