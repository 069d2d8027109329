"""Detecting changes of devices without opening any."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from instrument.io.jack_servers import jack_sockets, pipewire_sockets

_DEVICES = "/dev/snd"
_SEQUENCER = Path("/proc/asound/seq/clients")
_PULSE = "pulse/native"  # in the user's runtime folder


def device_snapshot() -> tuple[object, ...]:
    """A value that differs from the last one when devices may have come or gone. Fast, and wakes no driver; it does not
    see everything, and on macOS and Windows nothing."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or "/nowhere"
    sockets = [*jack_sockets(), *pipewire_sockets(), os.path.join(runtime, _PULSE)]
    return _entries(_DEVICES), _midi_clients(), tuple(map(_inode, sockets))


def _entries(folder: str) -> tuple[str, ...]:
    with suppress(OSError):
        return tuple(sorted(os.listdir(folder)))
    return ()


def _midi_clients() -> tuple[str, ...]:
    """Clients and ports of ALSA's sequencer, without the figures that change while they play."""
    with suppress(OSError, UnicodeDecodeError):
        lines = _SEQUENCER.read_text().splitlines()
        return tuple(line for line in lines if line.lstrip().startswith(("Client ", "Port ")))
    return ()


def _inode(path: str) -> tuple[int, int]:
    """Inode and change time of a file: a killed server leaves its socket behind, and the next one replaces it."""
    with suppress(OSError):
        found = os.stat(path)
        return found.st_ino, found.st_ctime_ns
    return 0, 0
