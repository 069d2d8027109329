"""The mix thread: keeps the audio device a little ahead in sound."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from instrument.engine.performance import Performance, Played
from instrument.engine.recording import Recorder
from instrument.engine.scheduler import Agenda, strikes
from instrument.errors import HocketError
from instrument.io.ports import AudioOutput
from instrument.music.timebase import TempoMap

BLOCK = 256  # frames mixed at a time
LEAD_S = 0.030  # sound mixed ahead of the device


class Sound:
    """An `Output` of the conductor: plays notes by the built-in voices, from a thread of its own.

    load: share of the time it may take that mixing takes, 0..1; problem: what the player should know.
    """

    def __init__(self, audio: AudioOutput) -> None:
        self.agenda = Agenda()
        self.audio = audio
        self.load = 0.0
        self.problem = ""
        self._tempo: TempoMap | None = None
        self._closed = False
        self._changing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="mix", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def strike(self, played: Sequence[Played]) -> None:
        """As `Output.strike`."""
        self.agenda.add(strikes(played))

    def retime(self, tempo: TempoMap | None) -> None:
        """As `Output.retime`."""
        self._tempo = tempo

    def arrange(self, performance: Performance) -> None:
        """As `Output.arrange`."""

    def reach_ns(self) -> int:
        """As `Output.reach_ns`."""
        status = self.audio.status()
        frames = max(LEAD_S * status.rate, 2 * status.block) + BLOCK
        return int(frames / status.rate * 1e9) + status.latency_ns

    def silence(self) -> None:
        """As `Output.silence`."""
        self.agenda.silence()

    def panic(self) -> None:
        """As `Output.panic`."""
        self.silence()

    def poll(self) -> None:
        """Keep the device alive."""
        self.audio.poll()

    def use(self, audio: AudioOutput) -> None:
        """Play to another device from now on; the last one is closed."""
        with self._changing:
            last, self.audio = self.audio, audio
        last.close()

    def levels(self) -> tuple[float, float]:
        """Peak of left and right since the last call, dBFS."""
        return -120.0, -120.0

    def record(self, path: Path) -> Recorder:
        """Record what sounds to a .wav file."""
        raise HocketError(f"cannot record to {path}: not yet")

    def close(self) -> None:
        """End the thread, close the device."""
        self._closed = True
        if self._thread.is_alive():
            self._thread.join(2)
        self.audio.close()

    def _run(self) -> None:
        while not self._closed:
            with self._changing:
                audio = self.audio
                free = audio.free(int(LEAD_S * audio.rate))
                for _ in range(free // BLOCK):
                    frame = audio.status().written
                    if self._tempo:
                        self.agenda.take(self._tempo.tick(audio.heard_ns(frame + BLOCK)))
                    audio.write(np.zeros((BLOCK, 2), np.float32))
            time.sleep(BLOCK / audio.rate / 2)
