"""Logging: the one place that sets it up. Every other module only has `logger = logging.getLogger(__name__)`.

The variable HOCKET_LOG chooses the least severe level that is logged (debug, info, warning, error). Child processes
inherit it, so `--log-level` sets the variable. The engine logs to `engine.log` in the state folder; every other
process logs to standard error, and the engine copies what its children write there into its log.

Audio callbacks and what runs once per block never log: a write to a slow disk would starve the device.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import subprocess
import threading
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from instrument.errors import HocketError

VARIABLE = "HOCKET_LOG"
LEVELS = ("debug", "info", "warning", "error")
ENGINE_LOG = "engine.log"  # in the state folder
MAX_BYTES, BACKUPS = 1_000_000, 2  # three files in all: engine.log, engine.log.1, engine.log.2
STDERR_FORMAT = "%(levelname)s %(name)s: %(message)s"
FILE_FORMAT = "%(asctime)s %(levelname)s %(name)s [%(threadName)s]: %(message)s"
STDERR = 2  # its file descriptor


def choose_level(name: str) -> None:
    """Set the level of this process and of those that it starts. HocketError for a name that is not in `LEVELS`."""
    os.environ[VARIABLE] = _checked(name)
    logging.getLogger().setLevel(name.upper())


def to_stderr(default: str = "warning") -> None:
    """Log to standard error: for the command line and for child processes. default: the level where HOCKET_LOG is not
    set. HocketError where it is set to an unknown level."""
    logging.basicConfig(level=_level(default), format=STDERR_FORMAT)


def to_file(path: Path, default: str = "info") -> None:
    """Log to a file that is rotated, and send standard error there too, with tracebacks of crashes: for the engine.

    HocketError where the file cannot be written, or HOCKET_LOG is set to an unknown level.
    """
    level = _level(default)
    try:
        handler = _LogFile(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise HocketError(f"cannot write {path}: {error.strerror}; set HOCKET_HOME to a writable folder") from error
    logging.basicConfig(level=level, format=FILE_FORMAT, handlers=[handler])
    logging.captureWarnings(True)
    faulthandler.enable(STDERR)


def copy_stderr(process: subprocess.Popen[bytes], logger: logging.Logger) -> threading.Thread:
    """Log each line that a child writes to standard error, which has to be a pipe. Lines of its own log keep their
    level; all others, such as tracebacks, are errors. The thread that is returned ends when the child closes it."""
    assert process.stderr is not None
    levels = logging.getLevelNamesMapping()
    lines = TextIOWrapper(process.stderr, encoding="utf-8", errors="backslashreplace")

    def copy() -> None:
        with lines:
            for line in lines:
                level = levels.get(line.partition(" ")[0], logging.ERROR)
                logger.log(level, "process %d: %s", process.pid, line.rstrip())

    thread = threading.Thread(target=copy, name=f"stderr-{process.pid}", daemon=True)
    thread.start()
    return thread


class _LogFile(RotatingFileHandler):
    """A rotated file that standard error is sent to as well, also after a rotation."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.dup2(stream.fileno(), STDERR)
        return stream

    def doRollover(self) -> None:
        """As `RotatingFileHandler.doRollover`. Windows cannot rename an open file, so standard error leaves it."""
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), STDERR)
        super().doRollover()


def _level(default: str) -> str:
    return _checked(os.environ.get(VARIABLE) or default).upper()


def _checked(name: str) -> str:
    if name.lower() not in LEVELS:
        raise HocketError(f"log level {name!r} is not known: choose one of {', '.join(LEVELS)}")
    return name.lower()
