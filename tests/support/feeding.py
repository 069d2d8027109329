"""Devices that are kept filled: by sound that names its own frames, in real time, or by a mix thread, as time is let
pass."""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray

from instrument.engine.sound.mix_thread import MixThread
from instrument.engine.sound.mixer import BLOCK
from instrument.io.audio.output import NullAudio
from instrument.io.clocks import ManualClock
from instrument.io.ports import AudioOutput
from instrument.io.priority import DEADLINE_PRIORITY, set_realtime_priority
from tests.support.jack import wait_for

CODES = 32_767  # frames are numbered modulo this; as 16-bit fractions the numbers are exact in float32


def coded(first: int, count: int) -> NDArray[np.float32]:
    """Frames (count, 2) that tell their number: left is it, right its negative; no sample is 0."""
    left = ((np.arange(first, first + count) % CODES + 1) / 65_536).astype(np.float32)
    return np.stack([left, -left], axis=1)


def decode(sound: NDArray[np.float32]) -> NDArray[np.int64]:
    """The number of each frame modulo `CODES`; -1 where it is no frame of `coded`."""
    numbers = sound[:, 0].astype(np.float64) * 65_536
    whole = (numbers == np.round(numbers)) & (numbers >= 1) & (sound[:, 1] == -sound[:, 0])
    return np.where(whole, np.round(numbers) - 1, -1).astype(np.int64)


class Feeder:
    """Writes coded frames to `audio` and polls it, until the block is left."""

    def __init__(self, audio: AudioOutput, lead: int = 1920) -> None:
        self.audio = audio
        self.lead = lead
        self.reopened = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the mixer hangs in the device"

    def _run(self) -> None:
        set_realtime_priority(DEADLINE_PRIORITY)  # as a mixer has it
        polled = 0.0
        while not self._stop.wait(0.002):
            if frames := self.audio.free(self.lead):
                self.audio.write(coded(self.audio.status().written, frames))
            if time.monotonic() - polled > 0.1:
                polled = time.monotonic()
                self.reopened += self.audio.poll()


def let_play(sound: MixThread, clock: ManualClock, frames: int) -> NDArray[np.float32]:
    """The next frames (frames, 2) that a mix thread writes to its `NullAudio(clock, keep=True)`.

    Time goes on by a block whenever the mixer and its streams are ready for the next one, so that nothing starves and
    nothing runs dry, however slow the machine is.
    """
    audio = sound.audio
    assert isinstance(audio, NullAudio)
    block_ns = -(-BLOCK * 1_000_000_000 // audio.rate)
    first = audio.status().written
    while audio.status().written < first + frames:
        wait_for(lambda: audio.status().written >= audio.status().played + 2 * BLOCK, what="the mixer")
        wait_for(lambda: not sound.players.is_short(BLOCK), what="a stream")
        clock.advance(block_ns)
    wait_for(lambda: len(audio.recorded) >= first + frames, what="the last block")
    return audio.recorded[first : first + frames]
