"""The devices the engine speaks to, as Protocols. Adapters and their stand-ins live beside this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Clock(Protocol):
    """Monotonic time, passed in so that tests need not sleep."""

    def now(self) -> int:
        """Nanoseconds, as `time.perf_counter_ns`."""
        ...

    def sleep_until(self, ns: int) -> None:
        """Return at `ns` or soon after, at once if it is past."""
        ...


@dataclass(frozen=True, slots=True)
class AudioStatus:
    """What the device reports.

    state: "running", "lost" (being reopened) or "stopped"; device: its name; rate: frames a second;
    block: frames a callback; written, played: frames since `start`, counted on when the device is reopened;
    starved: blocks that found the ring empty; xruns: what the driver itself reported; blocks: callbacks
    so far; latency_ns: from a frame's leaving the ring to its being heard, as the device says;
    detail: why it is lost.
    """

    state: str
    device: str
    rate: int
    block: int
    written: int
    played: int
    starved: int
    xruns: int
    blocks: int
    latency_ns: int
    detail: str = ""


class AudioOutput(Protocol):
    """Where the mixer's blocks go. Two channels, float32 in -1..1."""

    @property
    def rate(self) -> int:
        """Frames a second of the open device."""
        ...

    def start(self) -> None:
        """Open the device; nothing happens if it is open. Raises HocketError when there is none; the output
        is then "lost": it takes frames as time passes, and `poll` goes on trying."""
        ...

    def free(self, lead: int) -> int:
        """Frames that may be written so that the ring holds at most `lead` frames not yet played (or two of
        the device's blocks, where those are more). Never blocks; while the device is lost, room comes as time
        passes."""
        ...

    def write(self, frames: NDArray[np.float32]) -> None:
        """Append frames (n, 2); n at most `free(...)`."""
        ...

    def heard_ns(self, frame: int) -> int:
        """When frame number `frame` (counted as `written`) is or will be heard: a regression of the
        device's (frames, ns) pairs, in `perf_counter_ns`."""
        ...

    def status(self) -> AudioStatus:
        """Cheap; callable from any thread."""
        ...

    def poll(self) -> bool:
        """Keep the device alive: called a few times a second from the control thread; respawns what was
        lost. True when the device was reopened since the last call, so `rate` may be another. Frame numbers
        go on (`status().written` is the next one), so nothing that is being mixed meanwhile is misplaced."""
        ...

    def close(self) -> None:
        """Stop and release everything; nothing is left running."""
        ...


@dataclass(frozen=True, slots=True)
class MidiStatus:
    """port: the name others see; backend: "alsa", "coremidi", "jack", "winmm", "null";
    state: "open" or "lost"; sent, late: messages so far and those sent after their deadline by over 1 ms."""

    port: str
    backend: str
    state: str
    sent: int
    late: int
    detail: str = ""


class MidiOutput(Protocol):
    """Where MIDI goes."""

    def send(self, message: bytes, ns: int) -> None:
        """Send a short message so that it is heard at `ns` (`perf_counter_ns`). A backend with stamps (JACK)
        takes it early and places it on its frame; the others send at once. `ns` 0: as soon as possible."""
        ...

    @property
    def stamps(self) -> bool:
        """True where the backend places messages itself: hand them over ~40 ms early."""
        ...

    def poll(self) -> bool:
        """Keep the port alive; True when it was reopened since the last call."""
        ...

    def status(self) -> MidiStatus:
        """Cheap; callable from any thread."""
        ...

    def close(self) -> None:
        """All notes off on every channel, then release everything."""
        ...


class MidiInput(Protocol):
    """Where MIDI of a person comes from. pace_s: how often it is worth reading."""

    pace_s: float

    def read(self) -> list[tuple[int, bytes]]:
        """(ns, short message) of what arrived since the last call, in order; ns (`perf_counter_ns`): when."""
        ...

    def poll(self) -> bool:
        """Keep the port alive; True when it was reopened since the last call."""
        ...

    def status(self) -> MidiStatus:
        """As of an output, but that nothing is sent. Cheap; callable from any thread."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
