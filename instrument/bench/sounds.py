"""What `hocket bench` measures of sound models: on one thread, and in the sound that a running engine recorded."""

from __future__ import annotations

import importlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import soundfile

from instrument.bench.tools import (
    CONTROL,
    PATIENCE_S,
    Figures,
    finish,
    first_line,
    percentiles,
    quit_engine,
    telemetry_of,
)
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Panic, Play, Record, SetKnob, Stop, Telemetry, Value
from instrument.engine.performance.chords import Chords
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.roster import OpenPlayer
from instrument.engine.sound.mixer import BLOCK
from instrument.engine.sound.streams import Mono, Strand, Turned
from instrument.engine.voices.gain import to_gain
from instrument.errors import HocketError
from instrument.io.child import spawn
from instrument.io.midi.output import VIRTUAL, open_midi
from instrument.io.ports import MidiOutput
from instrument.midi_spec import note_off, note_on
from instrument.models.manifest import Knob
from instrument.models.sound.base import StreamModel, VoiceModel

PLAYERS = "instrument.models.catalog:open_player"
RATE = 48_000
SEED = 1
CHUNKS, EARLY = 200, 10  # of a stream that are counted, and that come before
PITCHES = (36, 43, 48, 52, 55, 60, 64, 67, 72, 76, 79, 84)  # that a voice is asked for
MANY = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # tones at once that are tried
LEVEL_DB = -12.0  # of what is recorded, so that the limiter leaves it as it is
TURNS, TURN_S = 14, 0.45  # how often a knob is turned, and the time between
KEYS, KEY_S = 24, 0.2  # the same of keys
TRIES = 3  # where the machine stood still, and nothing can be told from what was recorded
GRADUAL = frozenset(("motion",))  # knobs that say how fast something moves: there is no moment at which they are heard
AUDIBLE = 1e-3  # -60 dBFS
SAME = 1e-3  # rendered again, a stream differs by less
HEARD, WINDOW_S = 0.05, 0.005  # a knob is heard when the sound differs by this share, over so long
KEYBOARD = "bench keys"
HELD = tuple(range(40, 72, 2))  # sixteen keys


class Recorded(NamedTuple):
    """What an engine recorded: mono sound, its rate, the frame at which streams began, those from which turns of their
    knobs hold, and when (ns) frame 0 was heard."""

    sound: Mono
    rate: int
    begun: int
    taken: tuple[int, ...]
    ns: float

    def frame_at(self, ns: float) -> float:
        """The frame that was heard at an instant."""
        return (ns - self.ns) / 1e9 * self.rate


class Session:
    """An engine that plays a patch and records what sounds."""

    def __init__(self, home: Path, players: str, *seats: PlayerPatch, midi_in: str = "null") -> None:
        """players: the function "module:name" that opens models. HocketError if the engine does not start."""
        self.wav, self._trace = home / "bench.wav", home / "sounds.json"
        patch = home / "bench.json"
        patch.write_bytes(msgspec.json.encode(Patch(knobs={"seed": float(SEED)}, players=seats)))
        options = {"patch": str(patch), "trace": str(self._trace), "players": players, "midi-in": midi_in}
        self.client = EngineClient.connect(options={**options, "midi": "null"}, timeout_s=PATIENCE_S)

    def listen(self, seconds: float) -> Telemetry | None:
        """Let it play; the last that was told."""
        last, ends = None, time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self.client.wait(left)
            last = next((r for r in reversed(self.client.poll()) if isinstance(r, Telemetry)), last)
        return last

    def end(self) -> Recorded:
        """End the recording and the engine."""
        self.client.ask(Record(""))
        quit_engine(self.client)
        traced = json.loads(self._trace.read_text("utf-8"))["sound"]
        sound, rate = soundfile.read(self.wav, dtype="float32")
        first, ns = traced["recorded"]
        taken = tuple(frame - first for frame in traced["taken"])
        return Recorded(sound[:, 0], rate, traced["begun"] - first, taken, ns)


@contextmanager
def session(home: Path, players: str, *seats: PlayerPatch, midi_in: str = "null") -> Iterator[Session]:
    """A `Session`, ended in any case."""
    opened = Session(home, players, *seats, midi_in=midi_in)
    try:
        yield opened
    finally:
        if opened.client.alive:
            quit_engine(opened.client)


def time_stream(slug: str, home: Path, players: str = PLAYERS) -> dict[str, Any]:
    """`streams.<slug>` of the report."""
    bundle, model = _opener(players)(slug)
    assert isinstance(model, StreamModel)
    knobs = {knob.id: knob.default for knob in bundle.knobs}
    model.reset(SEED, 0)
    took = []
    for _ in range(EARLY + CHUNKS):
        began = time.perf_counter_ns()
        model.render(knobs)
        took.append((time.perf_counter_ns() - began) / 1e6)
    took = took[EARLY:]
    late = _tried(lambda: _knobs_heard(slug, bundle.knobs, model, home, players))
    return {
        "times_real_time": round(1000 * model.chunk / model.rate / float(np.mean(took)), 1),
        "chunk_ms": percentiles(took, 50, 99),
        "knob_to_sound_ms": percentiles(late, 50, 95),
    }


def time_voice(slug: str, home: Path, players: str = PLAYERS) -> dict[str, Any]:
    """`voices.<slug>` of the report. render_ms: for the first second of one tone; voices_at_once: the most of `MANY`
    that one thread renders as fast as they sound."""
    bundle, model = _opener(players)(slug)
    assert isinstance(model, VoiceModel)
    knobs = {knob.id: knob.default for knob in bundle.knobs}
    took = [_render_ms(model, knobs, [pitch], 1.0) for pitch in 3 * PITCHES]
    at_once = 0
    for count in MANY:
        pitches = [PITCHES[i % len(PITCHES)] + i // len(PITCHES) for i in range(count)]
        if _render_ms(model, knobs, pitches, 0.5) > 500:
            break
        at_once = count
    late = _tried(lambda: _keys_heard(slug, home, players))
    return {
        "render_ms": percentiles(took, 50, 99),
        "voices_at_once": at_once,
        "key_to_sound_ms": percentiles(late, 50, 95),
    }


def time_together(
    seats: Sequence[str], voices: Sequence[str], home: Path, seconds: float, players: str = PLAYERS
) -> Figures:
    """Blocks that starved while everything plays at once: the players of notes and streams, and 16 tones of a voice;
    beside those of a process that does nothing but feed a device."""
    band = [PlayerPatch(slug) for slug in seats] + [PlayerPatch(slug, {"part": "all"}) for slug in voices]
    with _keyboard() as keys, session(home, players, *band, midi_in=KEYBOARD if keys else "null") as playing:
        control = spawn(CONTROL, "stream", output=subprocess.PIPE)
        try:
            first_line(control)
            before = telemetry_of(playing.client)
            playing.client.ask(Play())
            if keys:
                for key in HELD:
                    keys.send(note_on(0, key, 80), 0)
            after = playing.listen(seconds)
            playing.client.ask(Stop())
        finally:
            starved = finish(control)
    if after is None:
        raise HocketError("the engine told nothing while it was measured: see engine.log in its state folder")
    return {
        "seconds": seconds,
        "starved_blocks": after.starved - before.starved,
        "control_starved_blocks": starved,
        "device_xruns": after.xruns - before.xruns,
        "stream_underruns": sum(after.underruns),
        "load": round(after.load, 3),
    }


def _opener(players: str) -> OpenPlayer:
    module, _, name = players.partition(":")
    opener: OpenPlayer = getattr(importlib.import_module(module), name)
    return opener


@contextmanager
def _keyboard() -> Iterator[MidiOutput | None]:
    """A port to play on, None where there can be none."""
    try:
        port = open_midi(VIRTUAL, KEYBOARD)
    except HocketError:
        yield None
        return
    try:
        yield port
    finally:
        port.close()


def _render_ms(model: VoiceModel, knobs: dict[str, Value], pitches: Sequence[int], seconds: float) -> float:
    """What it takes to strike so many tones, and to render them for so long, block by block."""
    tones = model.start(RATE)
    tones.turn(knobs)
    began = time.perf_counter_ns()
    for tone, pitch in enumerate(pitches):
        tones.strike(tone, pitch, 90)
    for _ in range(round(seconds * RATE / BLOCK)):
        tones.render(BLOCK)
    return (time.perf_counter_ns() - began) / 1e6


def _keys_heard(slug: str, home: Path, players: str) -> list[float]:
    """ms from sending a key to a MIDI port to the first sound of it. Empty where there are no ports."""
    struck = []
    seat = PlayerPatch(slug, {"part": "keys"})
    with _keyboard() as keys:
        if keys is None:
            return []
        with session(home, players, seat, midi_in=KEYBOARD) as playing:
            playing.client.ask(Record(str(playing.wav)))
            playing.listen(1.0)
            for i in range(KEYS):
                pitch = PITCHES[i % len(PITCHES)]
                struck.append(time.perf_counter_ns())
                keys.send(note_on(0, pitch, 100), 0)
                playing.listen(KEY_S)
                keys.send(note_off(0, pitch), 0)
                playing.client.ask(Panic())
                playing.listen(KEY_S + 0.001 * (i * 7 % 11))  # at any place of a block
            recorded = playing.end()
    late, span = [], int(2 * KEY_S * recorded.rate)
    for at in map(recorded.frame_at, struck):
        heard = np.flatnonzero(np.abs(recorded.sound[int(at) : int(at) + span]) > AUDIBLE)
        if len(heard):
            late.append((int(at) + int(heard[0]) - at) / recorded.rate * 1000)
    return _possible(late)


def _knobs_heard(slug: str, knobs: Sequence[Knob], model: StreamModel, home: Path, players: str) -> list[float]:
    """ms from turning a knob to the first sound that differs from what it would have been without."""
    turnable = [knob for knob in knobs if knob.kind != "switch" and knob.id not in GRADUAL]
    if not turnable:
        return []
    values: dict[str, Value] = {knob.id: knob.default for knob in knobs}
    turned: list[tuple[int, dict[str, Value]]] = []
    with session(home, players, PlayerPatch(slug, {"level": LEVEL_DB})) as playing:
        playing.client.ask(Record(str(playing.wav)))
        playing.client.ask(Play())
        playing.listen(1.0)
        for i in range(TURNS):
            knob = turnable[i % len(turnable)]
            values[knob.id] = _elsewhere(knob, values[knob.id])
            turned.append((time.perf_counter_ns(), dict(values)))
            playing.client.send(SetKnob(knob.id, values[knob.id]))
            playing.listen(TURN_S + 0.001 * (i * 11 % 47))  # at any place of a chunk
        recorded = playing.end()
    start = recorded.begun
    stream = recorded.sound[start:] / np.float32(to_gain(LEVEL_DB))
    turns = [
        (recorded.frame_at(ns) - start, frame - start, now)
        for (ns, now), frame in zip(turned, recorded.taken, strict=False)
    ]
    return _possible(_differing(stream, recorded.rate, turns, knobs, model))


def _tried(measure: Callable[[], list[float]]) -> list[float]:
    """What the first of some tries finds that finds anything."""
    return next(filter(None, (measure() for _ in range(TRIES))), [])


def _possible(late: list[float]) -> list[float]:
    """The figures; none where the device stood still, after which frames are heard later than they were told: then
    something seems to be heard before it was asked for."""
    return late if min(late, default=0.0) >= 0 else []


def _differing(
    sound: Mono,
    rate: int,
    turns: Sequence[tuple[float, int, dict[str, Value]]],
    knobs: Sequence[Knob],
    model: StreamModel,
) -> list[float]:
    """ms until each turn was heard: (frame at which it was sent, frame from which it holds, what the knobs then are).
    The stream is rendered again, without the turn, beside what was recorded."""
    late = []
    window = round(WINDOW_S * rate)
    taken: list[tuple[int, dict[str, Value]]] = [(0, {knob.id: knob.default for knob in knobs})]
    for sent, holds, now in turns:
        without = _again(model, rate, taken, min(holds + int(TURN_S * rate), len(sound)))
        taken.append((holds, now))
        difference = sound[: len(without)] - without
        if np.abs(difference[:holds]).max() > SAME:
            break  # the stream ran dry: from there on it lies elsewhere
        power = np.sqrt(np.convolve(difference[holds:] ** 2, np.ones(window) / window)[window - 1 :: window])
        heard = np.flatnonzero(power > HEARD * float(np.sqrt(np.mean(without[holds:] ** 2))))
        if len(heard):  # else it changes nothing here, or little
            late.append((holds + int(heard[0]) * window - sent) / rate * 1000)
    return late


def _again(model: StreamModel, rate: int, taken: Sequence[tuple[int, dict[str, Value]]], frames: int) -> Mono:
    """The stream (frames,) as it is when knobs hold from those frames on."""
    strand = Strand(model, rate, float, Chords())
    pieces: list[Mono] = []
    at, told = 0, list(taken)
    while at < frames:
        while told and told[0][0] <= at:
            place, values = told.pop(0)
            strand.tell(place, Turned(values, tuple(range(12)), 0.0, False, 0.0, SEED, 0))
            if not pieces:
                strand.restart()
        pieces.append(strand.next(at))
        at += len(pieces[-1])
    return np.concatenate(pieces)[:frames]


def _elsewhere(knob: Knob, value: Value) -> Value:
    """Another value of a knob, far away."""
    if knob.kind == "choice":
        return knob.choices[(knob.choices.index(str(value)) + 1) % len(knob.choices)]
    return knob.low if float(value) > (knob.low + knob.high) / 2 else knob.high
