"""The last resort of the engine's threads: an error that nothing else has caught is logged with its traceback, told to
the clients in one line, and the thread goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from instrument.errors import one_line

logger = logging.getLogger(__name__)

SHOWN_S = 30.0  # how long an error is told
PAUSE_S = 0.1  # after a turn that failed, so that one that always fails does not take a whole core

_told: dict[str, tuple[str, float]] = {}  # by part: the line, and when it was told last


def report(part: str, error: BaseException) -> str:
    """Log an error of a part of the program ("the notes thread") and tell it. Returns the line that is told."""
    line = f"internal error in {part}: {one_line(error)}; it goes on (details are in engine.log)"
    before, when = _told.get(part, ("", 0.0))
    if line != before or time.monotonic() - when > SHOWN_S:  # one that is repeated is logged once
        logger.critical("internal error in %s", part, exc_info=error)
    _told[part] = line, time.monotonic()
    return line


def problems() -> tuple[str, ...]:
    """What was reported lately."""
    now = time.monotonic()
    return tuple(line for line, when in list(_told.values()) if now - when < SHOWN_S)


def keep_going(part: str, turn: Callable[[], object], closed: Callable[[], bool]) -> None:
    """Repeat a turn of a thread's loop until it is closed, whatever a turn raises."""
    while not closed():
        try:
            turn()
        except Exception as error:  # noqa: BLE001
            report(part, error)
            time.sleep(PAUSE_S)
