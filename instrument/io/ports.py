"""The devices that the engine uses, as Protocols. Adapters and their stand-ins are in this package."""

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
    starved: blocks that found the ring empty; xruns: as the driver reports; blocks: callbacks so far; latency_ns: from
    the ring to the output, as the device reports; detail: why it is lost.
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
    """The output of the mixer: two channels, float32 in -1..1."""

    @property
    def rate(self) -> int:
        """Frames a second of the open device."""
        ...

    def start(self) -> None:
        """Open the device, unless it is open. Raises HocketError when there is none; the output is then "lost": it
        takes frames in real time, and `poll` tries again."""
        ...

    def free(self, lead: int) -> int:
        """Frames that may be written so that the ring holds at most `lead` frames not yet played, or two of the
        device's blocks if these are more. Never blocks; while the device is lost, frames are consumed in real time."""
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
        """Reopen the device if it is lost; called a few times a second from the control thread. True when the device
        was reopened since the last call, so that `rate` may have changed. Frame numbers continue (`status().written` is
        the next one), so what is mixed meanwhile stays in place."""
        ...

    def close(self) -> None:
        """Stop and release everything; no process is left running."""
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
    """A MIDI output."""

    def send(self, message: bytes, ns: int) -> None:
        """Send a short message so that it is heard at `ns` (`perf_counter_ns`). JACK
        takes it early and places it on its frame; the other backends send it at once. `ns` 0: as soon as possible."""
        ...

    @property
    def early_ns(self) -> int:
        """How long before they are heard messages have to be sent, as the backend places them on their frames; 0: it
        sends them at once."""
        ...

    @property
    def latency_ns(self) -> int:
        """How long before they are heard messages leave the port, as the backend counts it; 0 where it does not."""
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
    """A MIDI input, as of a keyboard. pace_s: seconds between reads that make sense."""

    pace_s: float

    def read(self) -> list[tuple[int, bytes]]:
        """(ns, short message) of what arrived since the last call, in order; ns (`perf_counter_ns`): when."""
        ...

    def poll(self) -> bool:
        """Keep the port alive; True when it was reopened since the last call."""
        ...

    def status(self) -> MidiStatus:
        """As of an output, with nothing sent. Cheap; callable from any thread."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
