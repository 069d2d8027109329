"""At most one engine for each state folder: its lock, and the address and key of its private socket."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from instrument.errors import HocketError

_LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes


def lock(state: Path) -> IO[str]:
    """Lock `state` for this engine. The lock lasts as long as the returned file is open.

    HocketError when another engine holds it or the folder cannot be written.
    """
    path = state / "engine.lock"
    try:
        state.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise HocketError(f"cannot write {path}: {error.strerror}; set HOCKET_HOME to a writable folder") from error
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise HocketError(f"an engine is already running in {state}: connect to it, or end it first") from error
    return file


def authkey(state: Path) -> bytes:
    """The secret shared by engine and clients: the content of a file of mode 0600, which is created if missing."""
    path = state / "engine.key"
    try:
        state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
    except FileExistsError:
        pass
    except OSError as error:
        raise HocketError(f"cannot write {path}: {error.strerror}; set HOCKET_HOME to a writable folder") from error
    return path.read_bytes()


def address(state: Path, owner: str = "engine") -> tuple[str, str]:
    """(family, address) of the socket of the engine or of the window, the same in every process."""
    name = hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:16]
    if sys.platform == "win32":
        return "AF_PIPE", rf"\\.\pipe\hocket-{name}" + ("" if owner == "engine" else f"-{owner}")
    path = state.resolve() / f"{owner}.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return "AF_UNIX", str(path)
    folder = Path(tempfile.gettempdir()) / f"hocket-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise HocketError(f"{folder} is not private to you: remove it, or set HOCKET_HOME to a shorter path")
    return "AF_UNIX", str(folder / f"{owner}.sock")


@contextmanager
def patience(connection: Connection, seconds: float) -> Iterator[None]:
    """Hang up if what is done inside takes longer, as the other end is silent. OSError or EOFError then comes of it."""
    timer = threading.Timer(seconds, hang_up, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def hang_up(connection: Connection) -> None:
    """Shut a connection down, which wakes a thread that waits in `recv_bytes`; closing alone does not."""
    with suppress(OSError, ValueError):
        if sys.platform == "win32":
            connection.close()
        else:
            with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)
