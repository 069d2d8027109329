"""Measures sound models for `hocket bench`: on one thread, and in recordings of a running engine."""

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
    TIMEOUT_S,
    Figures,
    finish,
    first_line,
    percentiles,
    quit_engine,
    telemetry_of,
)
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Panic, Play, Record, SetKnob, Stop, Telemetry, Value
from instrument.engine.performance.harmony.band_chords import Chords
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.roster import OpenPlayer
from instrument.engine.sound.mixer import BLOCK
from instrument.engine.sound.streams import Mono, StreamSettings, TunedStream
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
CHUNKS, WARM_UP = 200, 10  # chunks of a stream during and before the measurement
PITCHES = (36, 43, 48, 52, 55, 60, 64, 67, 72, 76, 79, 84)  # notes of the measurement of a voice
TONE_COUNTS = (1, 2, 4, 8, 16, 24, 32, 48, 64)  # numbers of tones at once
LEVEL_DB = -12.0  # level of the recording, below the limiter
TURNS, TURN_S = 14, 0.45  # number of knob turns, and the time between them
KEYS, KEY_S = 24, 0.2  # number of keys, and half the time between them
TRIES = 3  # attempts, if the machine stood still and the recording is of no use
GRADUAL = frozenset(("motion",))  # knobs that change a speed: there is no moment at which they become audible
AUDIBLE = 1e-3  # -60 dBFS
MAX_DIFFERENCE = 1e-3  # largest difference of a stream that is rendered again
AUDIBLE_CHANGE, WINDOW_S = 0.05, 0.005  # a knob is audible when the sound in a window (s) differs by this share
KEYBOARD = "bench keys"
HELD_KEYS = tuple(range(40, 72, 2))  # sixteen keys


class RecordedSound(NamedTuple):
    """A recording of an engine. sound: mono (n,); rate: frames a second; begun: frame at which streams began; taken:
    frames from which turned knobs hold; ns: when frame 0 was heard."""

    sound: Mono
    rate: int
    begun: int
    taken: tuple[int, ...]
    ns: float

    def frame_at(self, ns: float) -> float:
        """The frame, with its fraction, that was heard at a time in ns."""
        return (ns - self.ns) / 1e9 * self.rate


class BenchSession:
    """An engine that plays a patch and records its output."""

    def __init__(self, home: Path, players: str, *seats: PlayerPatch, midi_in: str = "null") -> None:
        """players: the function "module:name" that opens models. HocketError if the engine does not start."""
        self.wav, self._trace = home / "bench.wav", home / "sounds.json"
        patch = home / "bench.json"
        patch.write_bytes(msgspec.json.encode(Patch(knobs={"seed": float(SEED)}, players=seats)))
        options = {"patch": str(patch), "trace": str(self._trace), "players": players, "midi-in": midi_in}
        self.client = EngineClient.connect(options={**options, "midi": "null"}, timeout_s=TIMEOUT_S)

    def listen(self, seconds: float) -> Telemetry | None:
        """Wait while it plays. Returns the last telemetry."""
        last, ends = None, time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self.client.wait(left)
            last = next((r for r in reversed(self.client.poll()) if isinstance(r, Telemetry)), last)
        return last

    def trace(self) -> dict[str, Any]:
        """End the engine. Returns its measurements, as `process.write_trace` has them."""
        quit_engine(self.client)
        traced: dict[str, Any] = json.loads(self._trace.read_text("utf-8"))
        return traced

    def end(self) -> RecordedSound:
        """End the recording and the engine."""
        self.client.ask(Record(""))
        traced = self.trace()["sound"]
        sound, rate = soundfile.read(self.wav, dtype="float32")
        first, ns = traced["recorded"]
        taken = tuple(frame - first for frame in traced["taken"])
        return RecordedSound(sound[:, 0], rate, traced["begun"] - first, taken, ns)


@contextmanager
def bench_session(home: Path, players: str, *seats: PlayerPatch, midi_in: str = "null") -> Iterator[BenchSession]:
    """A `BenchSession` whose engine is ended at exit."""
    opened = BenchSession(home, players, *seats, midi_in=midi_in)
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
    for _ in range(WARM_UP + CHUNKS):
        began = time.perf_counter_ns()
        model.render(knobs)
        took.append((time.perf_counter_ns() - began) / 1e6)
    took = took[WARM_UP:]
    late = _retried(lambda: _knobs_heard(slug, bundle.knobs, model, home, players))
    return {
        "times_real_time": round(1000 * model.chunk / model.rate / float(np.mean(took)), 1),
        "chunk_ms": percentiles(took, 50, 99),
        "knob_to_sound_ms": percentiles(late, 50, 95),
    }


def time_voice(slug: str, home: Path, players: str = PLAYERS) -> dict[str, Any]:
    """`voices.<slug>` of the report. render_ms: for the first second of one tone; voices_at_once: the largest of
    `TONE_COUNTS` that one thread renders in real time."""
    bundle, model = _opener(players)(slug)
    assert isinstance(model, VoiceModel)
    knobs = {knob.id: knob.default for knob in bundle.knobs}
    took = [_render_ms(model, knobs, [pitch], 1.0) for pitch in 3 * PITCHES]
    at_once = 0
    for count in TONE_COUNTS:
        pitches = [PITCHES[i % len(PITCHES)] + i // len(PITCHES) for i in range(count)]
        if _render_ms(model, knobs, pitches, 0.5) > 500:
            break
        at_once = count
    late = _retried(lambda: _keys_heard(home, players, PlayerPatch(slug, {"part": "keys"})))
    return {
        "render_ms": percentiles(took, 50, 99),
        "voices_at_once": at_once,
        "key_to_sound_ms": percentiles(late, 50, 95),
    }


def time_keys(home: Path, players: str = PLAYERS) -> Figures:
    """ms from a key to the sound of the built-in voice, and the starved blocks meanwhile, with those of a control
    process that only feeds silence to a device. HocketError if the engine does not start."""
    control = spawn(CONTROL, "stream", output=subprocess.PIPE)
    starved: list[int] = []
    try:
        first_line(control)
        late = _retried(lambda: _keys_heard(home, players, starved=starved))
    finally:
        control_starved = finish(control)
    heard = percentiles(late, 50, 95)
    return {
        "key_to_sound_p50_ms": heard["p50"],
        "key_to_sound_p95_ms": heard["p95"],
        "starved_blocks": sum(starved),
        "control_starved_blocks": control_starved,
    }


def time_together(
    seats: Sequence[str], voices: Sequence[str], home: Path, seconds: float, players: str = PLAYERS
) -> Figures:
    """Starved blocks while note players, streams and 16 tones of a voice play at once, and those of a control process
    that only feeds silence to a device."""
    band = [PlayerPatch(slug) for slug in seats] + [PlayerPatch(slug, {"part": "all"}) for slug in voices]
    with _keyboard() as keys, bench_session(home, players, *band, midi_in=KEYBOARD if keys else "null") as playing:
        control = spawn(CONTROL, "stream", output=subprocess.PIPE)
        try:
            first_line(control)
            before = telemetry_of(playing.client)
            playing.client.ask(Play())
            if keys:
                for key in HELD_KEYS:
                    keys.send(note_on(0, key, 80), 0)
            after = playing.listen(seconds)
            playing.client.ask(Stop())
        finally:
            starved = finish(control)
    if after is None:
        raise HocketError("the engine sent no telemetry during the measurement: see engine.log in its state folder")
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
    """A virtual MIDI port to send keys from, None if there can be none."""
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
    """ms to start tones at these pitches and to render them for so long, block by block."""
    tones = model.start(RATE)
    tones.turn(knobs)
    began = time.perf_counter_ns()
    for tone, pitch in enumerate(pitches):
        tones.strike(tone, pitch, 90)
    for _ in range(round(seconds * RATE / BLOCK)):
        tones.render(BLOCK)
    return (time.perf_counter_ns() - began) / 1e6


def _keys_heard(home: Path, players: str, *seats: PlayerPatch, starved: list[int] | None = None) -> list[float]:
    """ms from sending a key to a MIDI port to its first sound, of the built-in voice or of the seats. Empty if there
    are no ports. starved: gets the number of blocks that starved."""
    struck = []
    with _keyboard() as keys:
        if keys is None:
            return []
        with bench_session(home, players, *seats, midi_in=KEYBOARD) as playing:
            before = telemetry_of(playing.client)
            playing.client.ask(Record(str(playing.wav)))
            playing.listen(1.0)
            for i in range(KEYS):
                pitch = PITCHES[i % len(PITCHES)]
                struck.append(time.perf_counter_ns())
                keys.send(note_on(0, pitch, 100), 0)
                playing.listen(KEY_S)
                keys.send(note_off(0, pitch), 0)
                playing.client.ask(Panic())
                playing.listen(KEY_S + 0.001 * (i * 7 % 11))  # so that keys fall on any place of a block
            if starved is not None:
                starved.append(telemetry_of(playing.client).starved - before.starved)
            recorded = playing.end()
    late, span = [], int(2 * KEY_S * recorded.rate)
    for at in map(recorded.frame_at, struck):
        heard = np.flatnonzero(np.abs(recorded.sound[int(at) : int(at) + span]) > AUDIBLE)
        if len(heard):
            late.append((int(at) + int(heard[0]) - at) / recorded.rate * 1000)
    return _plausible(late)


def _knobs_heard(slug: str, knobs: Sequence[Knob], model: StreamModel, home: Path, players: str) -> list[float]:
    """ms from turning a knob to the first difference from the sound without that turn."""
    turnable = [knob for knob in knobs if knob.kind != "switch" and knob.id not in GRADUAL]
    if not turnable:
        return []
    values: dict[str, Value] = {knob.id: knob.default for knob in knobs}
    turned: list[tuple[int, dict[str, Value]]] = []
    with bench_session(home, players, PlayerPatch(slug, {"level": LEVEL_DB})) as playing:
        playing.client.ask(Record(str(playing.wav)))
        playing.client.ask(Play())
        playing.listen(1.0)
        for i in range(TURNS):
            knob = turnable[i % len(turnable)]
            values[knob.id] = _elsewhere(knob, values[knob.id])
            turned.append((time.perf_counter_ns(), dict(values)))
            playing.client.send(SetKnob(knob.id, values[knob.id]))
            playing.listen(TURN_S + 0.001 * (i * 11 % 47))  # so that turns fall on any place of a chunk
        recorded = playing.end()
    start = recorded.begun
    stream = recorded.sound[start:] / np.float32(to_gain(LEVEL_DB))
    turns = [
        (recorded.frame_at(ns) - start, frame - start, now)
        for (ns, now), frame in zip(turned, recorded.taken, strict=False)
    ]
    return _plausible(_differing(stream, recorded.rate, turns, knobs, model))


def _retried(measure: Callable[[], list[float]]) -> list[float]:
    """The result of the first of `TRIES` attempts that is not empty."""
    return next(filter(None, (measure() for _ in range(TRIES))), [])


def _plausible(late: list[float]) -> list[float]:
    """The figures, or none if one is negative. That happens after the device stood still, as frames are then heard
    later than computed."""
    return late if min(late, default=0.0) >= 0 else []


def _differing(
    sound: Mono,
    rate: int,
    turns: Sequence[tuple[float, int, dict[str, Value]]],
    knobs: Sequence[Knob],
    model: StreamModel,
) -> list[float]:
    """ms until each turn was audible. The recording is compared with the stream rendered again without the turn.

    turns: (frame at which it was sent, frame from which it holds, values of all knobs from then on).
    """
    late = []
    window = round(WINDOW_S * rate)
    taken: list[tuple[int, dict[str, Value]]] = [(0, {knob.id: knob.default for knob in knobs})]
    for sent, holds, now in turns:
        without = _rendered_again(model, rate, taken, min(holds + int(TURN_S * rate), len(sound)))
        taken.append((holds, now))
        difference = sound[: len(without)] - without
        if np.abs(difference[:holds]).max() > MAX_DIFFERENCE:
            break  # the stream ran dry: the rest of it is shifted
        power = np.sqrt(np.convolve(difference[holds:] ** 2, np.ones(window) / window)[window - 1 :: window])
        heard = np.flatnonzero(power > AUDIBLE_CHANGE * float(np.sqrt(np.mean(without[holds:] ** 2))))
        if len(heard):  # else the turn changes little
            late.append((holds + int(heard[0]) * window - sent) / rate * 1000)
    return late


def _rendered_again(model: StreamModel, rate: int, taken: Sequence[tuple[int, dict[str, Value]]], frames: int) -> Mono:
    """Render a stream (frames,) with knob values that hold from given frames on."""
    tuned = TunedStream(model, rate, float, Chords())
    pieces: list[Mono] = []
    at, pending = 0, list(taken)
    while at < frames:
        while pending and pending[0][0] <= at:
            place, values = pending.pop(0)
            tuned.update(place, StreamSettings(values, tuple(range(12)), 0.0, False, 0.0, SEED, 0))
            if not pieces:
                tuned.restart()
        pieces.append(tuned.next(at))
        at += len(pieces[-1])
    return np.concatenate(pieces)[:frames]


def _elsewhere(knob: Knob, value: Value) -> Value:
    """Another value of a knob, far from the present one."""
    if knob.kind == "choice":
        return knob.choices[(knob.choices.index(str(value)) + 1) % len(knob.choices)]
    return knob.low if float(value) > (knob.low + knob.high) / 2 else knob.high
