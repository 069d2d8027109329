"""Clips: the last bars that were heard, kept as notes, sound and take after they have been played."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from instrument.engine.note_thread import NoteThread
from instrument.engine.offline.midi_file import write_notes
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import SUFFIX, TakeRecorder
from instrument.engine.sound.mix_thread import MixThread
from instrument.engine.sound.wavfile import WavFile
from instrument.errors import HocketError
from instrument.io.ports import Clock
from instrument.music.timebase import TempoMap
from instrument.paths import clips_dir

logger = logging.getLogger(__name__)


class _Heard(NamedTuple):
    """A performance, its map to time, and the tick until which it has been heard."""

    performance: Performance
    tempo: TempoMap
    tick: float


class Clips:
    """Keeps clips of what was heard last, also after the transport has stopped."""

    def __init__(self, notes: NoteThread, sound: MixThread, clock: Clock) -> None:
        self._notes, self._sound, self._clock = notes, sound, clock
        self._last: _Heard | None = None

    def update(self) -> None:
        """Remember how far the performance has been heard. Call it a few times a second, and from `keep`."""
        tempo = self._notes.transport.tempo
        if tempo is not None:
            self._last = _Heard(self._notes.performance, tempo, tempo.tick(self._clock.now()))

    def keep(self, bars: int) -> Path:
        """Keep the last `bars` whole bars, or as many as there are, as NAME.mid, NAME.wav and NAME.take.json; the take
        is that of the performance until now. Returns the path of the .mid file. Slow: run it in a worker.

        HocketError if no bar has been heard yet, or a file cannot be written.
        """
        self.update()
        if self._last is None or (ends := self._bars_heard(self._last)) < 1:
            raise HocketError("no whole bar has been heard yet: keep a clip after the first bar")
        performance, tempo, _ = self._last
        begins = max(0, ends - bars)
        start, end = (performance.metres.start_of(bar) for bar in (begins, ends))
        count = ends - begins
        stamp = f"{datetime.now():%Y-%m-%d %H.%M.%S}"
        path = clips_dir() / f"{stamp} {count} {'bar' if count == 1 else 'bars'}.mid"
        take, plan = performance.take, performance.written_plan
        write_notes(take.sounded(), take, performance.metres, end, path, start, plan)
        sound = WavFile(path.with_suffix(".wav"), self._sound.memory.rate)
        try:
            sound.write(self._sound.memory.cut(tempo.ns(start), tempo.ns(end)))
        finally:
            sound.close()
        TakeRecorder(path.with_suffix(SUFFIX), take).close()
        logger.info("kept the clip %s", path)
        return path

    def _bars_heard(self, heard: _Heard) -> int:
        return heard.performance.metres.locate(int(max(0.0, heard.tick))).bar
