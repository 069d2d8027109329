"""Notes to sound: FluidSynth as a library, with any sound font, offline."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument import fluidsynth_library
from instrument.errors import HocketError
from instrument.midi_spec import CHANNELS, DRUM_CHANNEL, VOLUME
from instrument.music.notes import Part, Piece
from instrument.music.reading import RawMidi
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT
from training.data.sound.ensembles import LEVELS, Ensemble

FONT_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts")
FONT_SUFFIXES = (".sf2", ".sf3")
PREROLL_S = 3.0  # what sounds before a window still rings in it
GAIN = 0.5
DRUM_BANK = 128
ONLY_FONT = 1  # the number of a synthesiser's first sound font


@dataclass(frozen=True, slots=True)
class Score:
    """Notes in seconds: float64 (n, 5), onset, end, MIDI channel, pitch, velocity; the program and the MIDI
    volume of each channel that plays."""

    notes: NDArray[np.float64]
    programs: Mapping[int, int]
    volumes: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Room:
    """Reverberation: size and level, 0..1."""

    size: float = 0.4
    level: float = 0.2


def scored(piece: Piece, ensemble: Ensemble) -> Score:
    """A piece as an ensemble plays it, from its first onset on."""
    notes = piece.notes
    ticks = notes[:, 0] + notes[:, 1] / MICRO_STEPS
    onsets, ends = (_seconds(t, piece.tempos, TICKS_PER_BEAT) for t in (ticks, ticks + notes[:, 3]))
    channels = np.where(notes[:, 5] == Part.DRUMS, DRUM_CHANNEL, notes[:, 5])
    rows = np.stack([onsets, ends, channels, notes[:, 2], notes[:, 4]], 1)
    present = sorted({int(part) for part in notes[:, 5]})
    channel_of = {part: DRUM_CHANNEL if part == Part.DRUMS else part for part in present}
    return Score(
        _from_zero(rows),
        {channel_of[part]: ensemble.program(part) for part in present},
        {channel_of[part]: LEVELS[Part(part)] for part in present},
    )


def scored_as_written(raw: RawMidi) -> Score | None:
    """A MIDI file with its own programs, from its first onset on; None where it names none."""
    tracks = [t for t in raw.tracks if len(t.starts)]
    if not any(t.program for t in tracks if not t.is_drum):
        return None
    free = [c for c in range(CHANNELS) if c != DRUM_CHANNEL]
    melodic = list(dict.fromkeys(t.program for t in tracks if not t.is_drum))
    channel_of = {program: free[i % len(free)] for i, program in enumerate(melodic)}
    programs = {channel: program for program, channel in reversed(channel_of.items())}
    rows = []
    for track in tracks:
        channel = DRUM_CHANNEL if track.is_drum else channel_of[track.program]
        if track.is_drum:
            programs[DRUM_CHANNEL] = track.program
        ends = track.starts + track.durations
        times = (_seconds(t, tuple(raw.tempos) or ((0, 120.0),), raw.resolution) for t in (track.starts, ends))
        rows.append(np.stack([*times, np.full(len(ends), channel), track.pitches, track.velocities], 1))
    return Score(_from_zero(np.concatenate(rows)), programs, dict.fromkeys(programs, 100))


def find_fonts(given: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """The sound fonts given, or else those of this machine. HocketError if one is missing or there are none."""
    if given:
        fonts = [Path(name) for name in given]
        for font in fonts:
            if font.suffix.lower() not in FONT_SUFFIXES or not font.is_file():
                raise HocketError(f"{font} is no sound font: give a file {' or '.join(FONT_SUFFIXES)}")
        return tuple(font.resolve() for font in fonts)
    found = (p for folder in FONT_FOLDERS for p in Path(folder).glob("*") if p.suffix.lower() in FONT_SUFFIXES)
    fonts = sorted({path.resolve() for path in found if path.is_file()})
    if not fonts:
        raise HocketError("no sound font is installed: give one with --font, or install fluid-soundfont-gm")
    return tuple(fonts)


class Renderer:
    """Plays scores and single notes into arrays at one rate. Fonts stay loaded until `close`."""

    def __init__(self, rate: int) -> None:
        """HocketError where FluidSynth is missing."""
        self.rate = rate
        self._library, self._calls = fluidsynth_library.load()
        self._open: dict[Path, tuple[int, int]] = {}  # settings and synthesiser that loaded it

    def play(self, score: Score, font: Path, room: Room, start: float, seconds: float) -> NDArray[np.float32]:
        """Mono samples (frames,) of a number of seconds of a score, from `start` on; what began before still
        sounds. HocketError for a font that cannot be read."""
        begin = max(0.0, start - PREROLL_S)
        notes = _disjoint(score.notes[(score.notes[:, 1] > begin) & (score.notes[:, 0] < start + seconds)])
        onsets = np.rint((np.maximum(notes[:, 0], begin) - begin) * self.rate).astype(int).tolist()
        ends = np.rint((notes[:, 1] - begin) * self.rate).astype(int).tolist()
        keys = notes[:, 2:].astype(int).tolist()
        events = [(frame, 1, *key) for frame, key in zip(onsets, keys, strict=True)]
        events += [(max(end, on + 1), 0, *key) for end, on, key in zip(ends, onsets, keys, strict=True)]
        before, frames = round((start - begin) * self.rate), round(seconds * self.rate)
        with self._fresh(font, room) as synth:
            for channel, program in score.programs.items():
                bank = DRUM_BANK if channel == DRUM_CHANNEL else 0
                self._calls.pin_preset(self._open[font][1], ONLY_FONT, bank, program)  # loaded once, not every time
                self._library.fluid_synth_program_change(synth, channel, program)
                self._library.fluid_synth_cc(synth, channel, VOLUME, score.volumes[channel])
            return self._run(synth, sorted(events), before + frames)[before:]

    def tone(
        self, font: Path, preset: tuple[int, int], pitch: int, velocity: int, hold: float, tail: float
    ) -> NDArray[np.float32]:
        """Mono samples (frames,) of a single note without reverberation, its key held for `hold` seconds,
        and `tail` seconds more. preset: bank and program; HocketError if the font does not have it."""
        events = [(0, 1, 0, pitch, velocity), (round(hold * self.rate), 0, 0, pitch, velocity)]
        with self._fresh(font, Room(level=0)) as synth:
            self._calls.pin_preset(self._open[font][1], ONLY_FONT, *preset)
            if self._library.fluid_synth_program_select(synth, 0, ONLY_FONT, *preset) < 0:
                raise HocketError(f"{font.name} has no preset {preset[1]} in bank {preset[0]}")
            return self._run(synth, events, round((hold + tail) * self.rate))

    def close(self) -> None:
        """Close all fonts."""
        for settings, synth in self._open.values():
            self._delete(settings, synth)
        self._open.clear()

    def _run(self, synth: int, events: list[tuple[int, ...]], frames: int) -> NDArray[np.float32]:
        out = np.zeros((frames, 2), np.float32)
        done = 0
        for frame, on, channel, pitch, velocity in (*events, (frames, 0, 0, 0, 0)):
            if count := min(frame, frames) - done:
                left = out.ctypes.data + done * out.strides[0]
                self._calls.write(synth, count, left, 0, 2, left, 1, 2)
                done += count
            if done == frames:
                break
            if on:
                self._library.fluid_synth_noteon(synth, channel, pitch, velocity)
            else:
                self._library.fluid_synth_noteoff(synth, channel, pitch)
        return out.mean(1)

    @contextlib.contextmanager
    def _fresh(self, font: Path, room: Room) -> Iterator[int]:
        """A new synthesiser with this font: what is played does not depend on what was played before,
        which resetting one does not achieve (its reverberation continues)."""
        library, calls = self._library, self._calls
        if font not in self._open:
            settings, loader = self._synth()
            if library.fluid_synth_sfload(loader, str(font).encode(), 1) < 0:
                self._delete(settings, loader)
                raise HocketError(f"{font} is no sound font that FluidSynth can read")
            self._open[font] = settings, loader
        loaded = calls.get_font(self._open[font][1], 0)
        settings, synth = self._synth()
        calls.add_font(synth, loaded)
        library.fluid_synth_set_reverb(synth, room.size, 0.3, 0.8, room.level)
        try:
            yield synth
        finally:
            calls.remove_font(synth, loaded)
            self._delete(settings, synth)

    def _synth(self) -> tuple[int, int]:
        library = self._library
        settings = library.new_fluid_settings()
        library.fluid_settings_setnum(settings, b"synth.sample-rate", float(self.rate))
        library.fluid_settings_setnum(settings, b"synth.gain", GAIN)
        library.fluid_settings_setint(settings, b"synth.chorus.active", 0)
        library.fluid_settings_setint(settings, b"synth.dynamic-sample-loading", 1)
        library.fluid_settings_setstr(settings, b"synth.midi-bank-select", b"gm")
        return settings, library.new_fluid_synth(settings)

    def _delete(self, settings: int, synth: int) -> None:
        self._library.delete_fluid_synth(synth)
        self._library.delete_fluid_settings(settings)


def _seconds(
    ticks: NDArray[Any], tempos: tuple[tuple[int, float], ...] | list[tuple[int, float]], beat: int
) -> NDArray[np.float64]:
    """Times of ticks in seconds; the first tempo applies from the start."""
    at = np.array([tick for tick, _ in tempos], np.float64)
    per_tick = np.array([60 / (bpm * beat) for _, bpm in tempos])
    at[0] = 0
    when = np.concatenate([[0.0], np.cumsum(np.diff(at) * per_tick[:-1])])
    segment = np.searchsorted(at, ticks, side="right").clip(1) - 1
    return when[segment] + (ticks - at[segment]) * per_tick[segment]


def _from_zero(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    rows[:, :2] -= rows[:, 0].min()
    return rows[np.argsort(rows[:, 0], kind="stable")]


def _disjoint(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    """No note outlasts the next of its key: a key that is struck again was released."""
    notes = notes[np.lexsort((notes[:, 0], notes[:, 3], notes[:, 2]))].copy()
    again = (notes[1:, 2:4] == notes[:-1, 2:4]).all(1)
    notes[:-1, 1] = np.where(again, np.minimum(notes[:-1, 1], notes[1:, 0]), notes[:-1, 1])
    return notes
