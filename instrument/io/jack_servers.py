"""The servers that speak JACK: jackd, and PipeWire through its own JACK library."""

from __future__ import annotations

import ctypes
import functools
import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

_JACK_FOLDERS = ("/dev/shm", "/tmp")  # where jackd puts its socket, by how it was built
# Where distributions put PipeWire's libjack.so.0, which `pw-jack` puts before that of jackd.
_PIPEWIRE_LIBRARIES = ("/usr/lib/*/pipewire-0.3/jack", "/usr/lib64/pipewire-0.3/jack", "/usr/lib/pipewire-0.3/jack")


def jack_sockets() -> list[str]:
    """Paths where the socket of jackd may be."""
    if sys.platform == "win32":
        return []
    server = os.environ.get("JACK_DEFAULT_SERVER") or "default"
    return [f"{folder}/jack_{server}_{os.getuid()}_0" for folder in _JACK_FOLDERS]


def pipewire_sockets() -> list[str]:
    """The path where PipeWire's socket may be; none elsewhere than on Linux."""
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR")
    if not sys.platform.startswith("linux") or not folder:
        return []
    return [os.path.join(folder, os.environ.get("PIPEWIRE_REMOTE") or "pipewire-0")]


def jackd_is_running() -> bool:
    """Whether jackd accepts clients. Connects to its socket, since its library can hang."""
    return any(map(_answers, jack_sockets()))


def pipewire_is_running() -> bool:
    """Whether PipeWire accepts clients."""
    return any(map(_answers, pipewire_sockets()))


def jack_is_running() -> bool:
    """Whether a server accepts clients of JACK: jackd, or PipeWire where its JACK library is installed."""
    return jackd_is_running() or (pipewire_is_running() and has_pipewire_library())


def has_pipewire_library() -> bool:
    """Whether clients of JACK can reach PipeWire."""
    return bool(pipewire_library() or _usual_library_is_pipewires())


@functools.cache
def pipewire_library() -> str:
    """The folder of PipeWire's JACK library where it is beside that of jackd, empty if there is none."""
    found = (folder for pattern in _PIPEWIRE_LIBRARIES for folder in _matching(pattern))
    return next((str(folder) for folder in found if (folder / "libjack.so.0").exists()), "")


def library_path() -> dict[str, str]:
    """The environment with which a child process loads the JACK library of the server that runs."""
    if jackd_is_running() or not pipewire_is_running() or not pipewire_library():
        return {}
    before = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, [pipewire_library(), before]))}


@functools.cache
def _usual_library_is_pipewires() -> bool:
    """Whether the distribution has PipeWire's library in place of jackd's."""
    try:
        version = ctypes.CDLL("libjack.so.0").jack_get_version_string
    except (OSError, AttributeError):
        return False
    version.restype = ctypes.c_char_p
    return b"PipeWire" in (version() or b"")


def _matching(pattern: str) -> Iterable[Path]:
    return sorted(Path("/").glob(pattern.lstrip("/")))


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(0.1)
        return client.connect_ex(path) == 0
