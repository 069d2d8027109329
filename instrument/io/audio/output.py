"""Audio outputs: a device in a process of its own, which is reopened, or the timed null device."""

from __future__ import annotations

import json
import threading

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.io.audio.ring import CHANNELS, FRAMES, AudioRing
from instrument.io.audio.timing import FrameClock
from instrument.io.child import Child, Keeper, ask
from instrument.io.clocks import SystemClock
from instrument.io.jack_servers import jack_is_running
from instrument.io.ports import AudioOutput, AudioStatus, Clock

DEVICE_PROCESS = "audio-device"
NULL = "null"

_REFIT_BLOCKS = 8  # callbacks between two fits of the clock


def room(written: int, played: int, lead: int, block: int) -> int:
    """Frames that may be written so that the ring holds `lead`, or two blocks where those are more."""
    return max(0, min(max(lead, 2 * block), FRAMES) - (written - played))


class NullAudio:
    """Discards sound in real time: the stand-in of every device, and the engine's fallback.

    Takes blocks as its clock advances and counts as a device does. keep: what is written is kept in `recorded`.
    """

    def __init__(self, clock: Clock | None = None, rate: int = 48_000, block: int = 256, *, keep: bool = False) -> None:
        self._clock = clock or SystemClock()
        self._rate = rate
        self._block = block
        self._kept: list[NDArray[np.float32]] | None = [] if keep else None
        self._lock = threading.Lock()
        self._state = "stopped"
        self._start = 0
        self._written = self._played = self._silent = self._starved = self._blocks = 0

    @property
    def rate(self) -> int:
        """Frames a second."""
        return self._rate

    @property
    def recorded(self) -> NDArray[np.float32]:
        """Everything written so far (n, 2), if `keep` is set."""
        return np.concatenate([np.zeros((0, CHANNELS), np.float32), *(self._kept or [])])

    def start(self) -> None:
        """Begin to take blocks."""
        if self._state != "running":
            self._start = self._clock.now()
            self._state = "running"

    def free(self, lead: int) -> int:
        """As `AudioOutput.free`."""
        with self._lock:
            self._play()
            return room(self._written, self._played, lead, self._block)

    def write(self, frames: NDArray[np.float32]) -> None:
        """As `AudioOutput.write`."""
        with self._lock:
            self._play()
            self._written += len(frames)
            if self._kept is not None:
                self._kept.append(np.array(frames, np.float32))

    def heard_ns(self, frame: int) -> int:
        """As `AudioOutput.heard_ns`; a frame is heard as it leaves the ring."""
        return self._start + round((frame + self._silent) * 1e9 / self._rate)

    def status(self) -> AudioStatus:
        """As `AudioOutput.status`."""
        with self._lock:
            self._play()
            return AudioStatus(
                self._state,
                NULL,
                self._rate,
                self._block,
                self._written,
                self._played,
                self._starved,
                0,
                self._blocks,
                0,
            )

    def poll(self) -> bool:
        """Never lost."""
        return False

    def close(self) -> None:
        """Stop."""
        self._state = "stopped"

    def _play(self) -> None:
        """Take the blocks that are due."""
        if self._state != "running":
            return
        due = (self._clock.now() - self._start) * self._rate // (1_000_000_000 * self._block)
        frames = max(0, due - self._blocks) * self._block
        self._blocks += frames // self._block
        taken = min(frames, self._written - self._played)
        self._played += taken
        self._silent += frames - taken
        if self._written:
            self._starved += -(-(frames - taken) // self._block)


class _Stream:
    """One opening of the device: a child and its ring, frames counted from 0."""

    def __init__(self, child: Child[AudioRing]) -> None:
        self.child = child
        self.ring = child.memory
        self.rate = self.ring.get("rate")
        self._clock = FrameClock(self.rate)
        self._taken = 0
        self._fitting = threading.Lock()
        self._fit()

    def free(self, lead: int) -> int:
        ring = self.ring
        return room(ring.get("written"), ring.get("played"), lead, ring.get("block"))

    def write(self, frames: NDArray[np.float32]) -> None:
        self.ring.write(frames)

    def heard_ns(self, frame: int) -> int:
        if self.ring.pairs.count - self._taken >= _REFIT_BLOCKS:
            self._fit()
        return self._clock.ns(frame + self.ring.get("silent"))

    def status(self) -> AudioStatus:
        ring, number = self.ring, self.ring.get
        return AudioStatus(
            "running",
            ring.text("device"),
            self.rate,
            number("block"),
            number("written"),
            number("played"),
            number("starved"),
            number("xruns"),
            number("blocks"),
            number("latency_ns"),
        )

    def _fit(self) -> None:
        if self._fitting.acquire(blocking=False):  # else another thread fits it: the old line is used
            try:
                pairs, self._taken = self.ring.pairs.pull(self._taken)
                self._clock.add(pairs)
            finally:
                self._fitting.release()


class DeviceAudio:
    """A PortAudio device in a disposable process.

    While the device is lost a null device takes its place, so that the mixer goes on in real time. At every change the
    new one gets as much silence as the old one had left to play, so that frame numbers and their times continue.
    """

    def __init__(self, device: str = "") -> None:
        """device: a name or the part of one; empty: the default."""
        self._device = device
        self._keeper = Keeper(lambda: Child(DEVICE_PROCESS, AudioRing.create(), [device]), jack_is_running)
        self._sink: tuple[_Stream | NullAudio, int] = (NullAudio(), 0)  # and the number of its frame 0
        self._before = (0, 0, 0)  # starved, xruns and blocks of streams that ended
        self._ended: list[_Stream] = []
        self._changing = threading.Lock()
        self._state = "stopped"
        self._detail = ""

    @property
    def rate(self) -> int:
        """Frames a second of the open device; of the last one while there is none."""
        return self._sink[0].rate

    @property
    def pid(self) -> int:
        """The id of the device process, 0 without one."""
        sink = self._sink[0]
        return sink.child.pid if isinstance(sink, _Stream) else 0

    def start(self) -> None:
        """As `AudioOutput.start`."""
        if self._state != "stopped":
            return
        try:
            self._replace(self._sink[0], _Stream(self._keeper.open()))
        except HocketError as error:
            self._replace(self._sink[0], NullAudio(), str(error))
            raise

    def free(self, lead: int) -> int:
        """As `AudioOutput.free`."""
        self._check()
        return self._sink[0].free(lead)

    def write(self, frames: NDArray[np.float32]) -> None:
        """As `AudioOutput.write`."""
        with self._changing:
            self._sink[0].write(frames)

    def heard_ns(self, frame: int) -> int:
        """As `AudioOutput.heard_ns`."""
        sink, first = self._sink
        return sink.heard_ns(frame - first)

    def status(self) -> AudioStatus:
        """As `AudioOutput.status`."""
        sink, first = self._sink
        now = sink.status()
        starved, xruns, blocks = self._before
        if isinstance(sink, _Stream):
            starved, xruns, blocks = starved + now.starved, xruns + now.xruns, blocks + now.blocks
        device = now.device if isinstance(sink, _Stream) else self._device
        return AudioStatus(
            self._state,
            device,
            now.rate,
            now.block,
            first + now.written,
            first + now.played,
            starved,
            xruns,
            blocks,
            now.latency_ns,
            self._detail,
        )

    def poll(self) -> bool:
        """As `AudioOutput.poll`."""
        self._check()
        while self._ended:
            self._ended.pop().child.end()
        if self._state != "lost":
            return False
        child = self._keeper.step()
        if child:
            self._replace(self._sink[0], _Stream(child))
        else:
            self._detail = self._keeper.problem or self._detail
        return child is not None

    def close(self) -> None:
        """As `AudioOutput.close`."""
        self._state = "stopped"
        self._keeper.close()
        with self._changing:
            sink = self._sink[0]
            streams = [*self._ended, *([sink] if isinstance(sink, _Stream) else [])]
            self._ended = []
        for stream in streams:
            stream.child.end()

    def _check(self) -> None:
        """Replace a stream that died or stalled by the null device."""
        sink = self._sink[0]
        if isinstance(sink, _Stream) and self._state == "running" and (problem := sink.child.problem()):
            self._replace(sink, NullAudio(rate=sink.rate), problem)

    def _replace(self, old: _Stream | NullAudio, new: _Stream | NullAudio, problem: str = "") -> None:
        with self._changing:
            if self._sink[0] is not old:
                return  # another thread has done it
            last = old.status()
            if isinstance(new, NullAudio):
                new.start()
            new.write(np.zeros((last.written - last.played, CHANNELS), np.float32))
            if isinstance(old, _Stream):
                starved, xruns, blocks = self._before
                self._before = (starved + last.starved, xruns + last.xruns, blocks + last.blocks)
                self._ended.append(old)
            self._sink = (new, self._sink[1] + last.played)
            self._state = "lost" if problem else "running"
            self._detail = problem


def list_devices() -> list[str]:
    """The names of the audio outputs that are there now, the default first. Raises HocketError when PortAudio
    is missing or hangs."""
    names = [device["name"] for device in json.loads(ask(DEVICE_PROCESS, "--list"))]
    return list(dict.fromkeys(names))


def open_audio(device: str | None) -> AudioOutput:
    """Open a device by name, the default (None) or the timed null device ("null"). Raises HocketError when
    it is not there."""
    audio: AudioOutput = NullAudio() if device == NULL else DeviceAudio(device or "")
    try:
        audio.start()
    except HocketError:
        audio.close()
        raise
    return audio
