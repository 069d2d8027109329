"""The ring between mixer and device: interleaved stereo float32 in shared memory, one writer, one reader."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.io.shared import PairRing, SharedFile

CHANNELS = 2
FRAMES = 1 << 15  # capacity: 340 ms at 96 kHz
PAIRS = 512  # published (device frame, ns), one a callback

_SOUND_BYTES = FRAMES * CHANNELS * 4
_PAIR_BYTES = PairRing.size(PAIRS) * 8


class AudioRing(SharedFile):
    """Sound on its way to the device, and what the device reports.

    rate, block, latency_ns: of the device. written: frames appended by the mixer; played: those the device
    took; silent: frames of silence it played instead, so that played + silent is the device's own clock.
    starved, xruns, blocks: as in `AudioStatus`. `pairs`: for every callback the device's clock and when
    (`perf_counter_ns`) its first frame is heard.
    """

    numbers = ("rate", "block", "latency_ns", "written", "played", "silent", "starved", "xruns", "blocks")
    texts = ("detail", "device")

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        super().__init__(path, mapped)
        sound = np.frombuffer(self.body(0, _SOUND_BYTES), np.float32)
        self.sound: NDArray[np.float32] = sound.reshape(FRAMES, CHANNELS)
        self.pairs = PairRing(self.body(_SOUND_BYTES, _PAIR_BYTES).cast("q"), PAIRS)

    @classmethod
    def body_bytes(cls) -> int:
        """Sound, then pairs."""
        return _SOUND_BYTES + _PAIR_BYTES

    def write(self, frames: NDArray[np.float32]) -> None:
        """Append frames (n, 2). The caller ensures that they fit."""
        written = self.get("written")
        at, n = written % FRAMES, len(frames)
        first = min(n, FRAMES - at)
        self.sound[at : at + first] = frames[:first]
        self.sound[: n - first] = frames[first:]
        self.put("written", written + n)
