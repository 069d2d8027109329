"""The state shown by the piano roll, updated by telemetry and knob values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from instrument.engine.ipc.messages import NoteReport, Telemetry, Value
from instrument.music.harmony import KEYS, SCALES, scale_mask
from instrument.music.timebase import TICKS_PER_BEAT
from instrument.paths import assets_dir
from instrument.ui.roll.notes import Bars, Playhead, RollNotes

GHOSTS = "first_light.json"  # in the assets; tests/ui/pictures.py writes it


class Score:
    """Notes, bar lines, playhead and scale of the performance that is shown.

    position: the tick of the music at the last `advance`; sounding: the notes that sound there; keys: MIDI pitches that
    a person holds down.
    root: pitch class marked by a line; scale_version: incremented when the scale changes.
    """

    def __init__(self) -> None:
        self.notes, self.bars = RollNotes(), Bars()
        self.position = 0.0
        self.sounding: list[NoteReport] = []
        self.keys: tuple[int, ...] = ()
        self.scale_version = 0
        self.playing = False
        self.root = 0
        self._playhead = Playhead()
        self._scale = ("", "")  # names of key and scale
        self._in_scale = scale_mask(0, "major")

    def show_telemetry(self, report: Telemetry, now: float) -> None:
        """Take position, committed notes and planned notes. now: seconds, on the clock of `advance`."""
        started = report.playing and not self.playing
        jumped_back = report.playing and report.tick < self.position - TICKS_PER_BEAT
        planned_anew = not report.playing and bool(report.plan) and bool(self.notes.committed)
        if started or jumped_back or planned_anew:  # another performance, whose ticks begin at 0
            self.notes.begin()
            self.bars.restart()
            self._playhead.halt(report.tick)
        self.playing, self.keys = report.playing, report.keys
        if report.plan is not None:
            self.notes.set_planned(report.plan)
        self.notes.commit(report.committed)
        if report.playing:
            self._playhead.report(report.tick, report.bpm, now)
            self.bars.report(report.tick, report.bar, report.beat)
        else:
            self._playhead.halt(self.position if self.notes.committed else report.tick)

    def show_ghosts(self) -> None:
        """Show the first bars of First light as planned notes, until there are reports."""
        with suppress(OSError, msgspec.DecodeError):
            found = (assets_dir() / GHOSTS).read_bytes()
            self.notes.set_planned(msgspec.json.decode(found, type=tuple[NoteReport, ...]))

    def show_values(self, values: Mapping[str, Value]) -> None:
        """Take key, scale and metre from the values of the knobs by name."""
        key, scale = str(values.get("band/key", "C")), str(values.get("band/scale", "chromatic"))
        locked = scale in SCALES and scale != "chromatic" and key in KEYS
        self.root = KEYS.index(key) if locked else 0
        if (key, scale) != self._scale:
            self._scale = (key, scale)
            self._in_scale = scale_mask(self.root, scale if locked else "major")
            self.scale_version += 1
        self.bars.metre = str(values.get("band/metre", self.bars.metre))
        if not self.playing and not self.notes.committed:
            self.bars.restart()

    def advance(self, now: float) -> None:
        """Move the playhead to `now`."""
        self.position = self._playhead.at(now)
        self.sounding = self.notes.sounding(self.position) if self.playing else []

    def is_dark(self, pitch: int) -> bool:
        """Whether a pitch is outside the scale, or a black key if no scale is locked."""
        return not self._in_scale[pitch % 12]
