"""Streams and voices in the engine's process, heard and measured outside of it, on a JACK server."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from instrument.engine.ipc.messages import LoadModel, Panic, Play, Quit, RemovePlayer, SetKnob, Stop
from instrument.errors import HocketError
from instrument.io.midi.jack_port import JackMidiOutput
from instrument.music.timebase import ns_per_tick
from tests.support.engine import end, start_engine
from tests.support.jack import JackProbe, wait_for
from tests.support.soloists import CLICK_TICKS
from tests.support.sound.analysis import roughness
from tests.support.sound.players import AMPLITUDE, MAJOR
from tests.support.undisturbed import run_undisturbed

__all__ = ["start_engine"]  # the fixture

RATE = 48_000
PLAYERS = {"players": "tests.support.sound.players:open_any"}
HIGH = 96  # pitch of the stream, far above the scale


def patch(tmp_path, *players, **knobs) -> str:
    path = tmp_path / "patch.json"
    seats = [{"model": slug, "knobs": of} for slug, of in players]
    path.write_text(json.dumps({"version": 1, "knobs": knobs, "players": seats}))
    return str(path)


def hertz(key: float) -> float:
    return 440 * 2 ** ((key - 69) / 12)


def heard_key(sound: np.ndarray, low: float, high: float) -> float:
    """The MIDI pitch, with its fraction, of the strongest partial between two frequencies."""
    size = 1 << 17
    spectrum = np.abs(np.fft.rfft(sound[:, 0] * np.hanning(len(sound)), size))
    first, last = (int(edge * size / RATE) for edge in (low, high))
    peak = first + int(np.argmax(spectrum[first:last]))
    return 69 + 12 * np.log2(peak * RATE / size / 440)


def level_at(sound: np.ndarray, key: float, size: int = 2400) -> np.ndarray:
    """Amplitude of a sine of this pitch in pieces of `size` frames."""
    pieces = sound[: len(sound) // size * size, 0].reshape(-1, size) * np.hanning(size)
    turning = np.exp(-2j * np.pi * hertz(key) * np.arange(size) / RATE)
    return np.abs(pieces @ turning) / (np.hanning(size).sum() / 2)


@pytest.fixture
def probe(jack):
    with JackProbe() as probe:
        yield probe


def audio_client(probe) -> str:
    clients = {name.partition(":")[0] for name in probe.ports() if name.endswith("out_1")}
    wait_for(lambda: clients or clients.update({n.partition(":")[0] for n in probe.ports() if n.endswith("out_1")}))
    return next(iter(clients))


def record_band(start_engine, band, folder):
    """A trial: the reports of an engine that plays a patch, among them the last one while it played, and what a
    probe recorded."""
    engine = start_engine(audio="", patch=band, **PLAYERS)
    engine.until(lambda: engine.telemetry.audio)
    before = engine.telemetry
    with JackProbe() as probe:
        probe.listen(audio_client(probe))
        began = time.perf_counter_ns()  # clients that come may cost a cycle
        engine.client.ask(Play())
        engine.until(lambda: engine.telemetry.tick > 7 * CLICK_TICKS + 12, 30)
        playing = engine.telemetry
        engine.client.ask(Stop())
        engine.until(lambda: max(engine.telemetry.levels) < -80, 10, "silence")
        after, xruns = engine.telemetry, probe.xruns_since(began)
        recording = probe.finish(folder)
    engine.client.ask(Quit())
    end(engine.client.process)
    return (engine.reports, playing, recording), {
        "starved blocks": after.starved - before.starved,
        "underruns of the stream": after.underruns[1],
        "xruns": xruns,
    }


def test_a_stream_and_a_scale_are_recorded_in_tune_without_gaps_or_clicks(jack, start_engine, tmp_path):
    seats = ("scale-line", {}), ("sines", {"pitch": HIGH, "level": -6}), ("whistle", {"part": "melody"})
    band = patch(tmp_path, *seats, tempo=120)
    reports, told, recording = run_undisturbed(lambda: record_band(start_engine, band, tmp_path))
    assert told.player_levels[1] == pytest.approx((-20, -20), abs=1)
    assert told.player_levels[0] == (-120, -120)
    assert max(level[0] for r in reports if hasattr(r, "player_levels") for level in r.player_levels[2:]) > -20
    assert len(told.spectrum) == 96
    stream = level_at(recording.sound, HIGH)
    begins = int(np.argmax(stream > 0.03))
    ends = len(stream) - int(np.argmax(stream[::-1] > 0.03))
    sound = recording.sound[begins * 2400 : ends * 2400]
    assert abs(heard_key(sound, 1500, 3000) - HIGH) < 0.03
    step = CLICK_TICKS * ns_per_tick(120) * RATE / 1e9
    first = int(np.argmax(level_at(sound, 60, 480) > 0.05)) * 480
    for i in range(7):
        note = sound[round(first + i * step) + 1500 : round(first + (i + 0.6) * step)]
        assert abs(heard_key(note, 200, 700) - 60 - MAJOR[i]) < 0.1, i
    assert (ends - begins) * 2400 > 7 * step
    assert stream[begins + 2 : ends - 2].min() > 0.9 * AMPLITUDE / 2
    assert roughness(sound[4800:-4800]).max() < 0.02


def test_keys_sound_through_a_voice_at_once(probe, start_engine, tmp_path):
    band = patch(tmp_path, ("whistle", {"part": "keys"}))
    engine = start_engine(audio="", patch=band, **{"midi-in": "virtual"}, **PLAYERS)
    engine.until(lambda: engine.telemetry.midi_in == "Hocket in:in (jack)")
    probe.listen(audio_client(probe))
    keys = JackMidiOutput("keys")
    try:
        probe.connect("keys:out", "Hocket in:in")
        probe.connect("keys:out", "probe:midi_in")
        for key in (60, 64, 67, 72):
            keys.send(bytes((0x90, key, 100)), 0)
            engine.until(lambda: engine.telemetry.player_levels[0][0] > -40, what=f"key {key}")
            keys.send(bytes((0x80, key, 0)), 0)
            engine.until(lambda: engine.telemetry.player_levels[0][0] < -80, what="silence")
    finally:
        keys.close()
    recording = probe.finish(tmp_path)
    loud = np.flatnonzero(np.abs(recording.sound[:, 0]) > 1e-3)
    onsets = loud[np.diff(loud, prepend=-100_000) > 500]
    struck = [ns for ns, message in recording.events if message[0] & 0xF0 == 0x90]
    assert len(onsets) == len(struck) == 4
    at = np.interp(onsets, recording.blocks[:, 0], recording.blocks[:, 2])
    late = (at - np.array(struck)) / 1e6
    print("key to sound, ms:", late.round(1))
    for onset, key in zip(onsets, (60, 64, 67, 72), strict=True):
        assert abs(heard_key(recording.sound[onset + 200 : onset + 1700], 200, 700) - key) < 0.5
    assert (late > 0).all()
    assert np.median(late) < 60  # on a busy machine; `hocket bench` measures it


def test_players_come_and_go_and_are_told_of(start_engine):
    engine = start_engine(**PLAYERS)
    ask = engine.client.ask
    engine.until(lambda: engine.description.kinds == ("notes",))
    ask(Play())
    ask(LoadModel("sines", 1), 15)
    engine.until(lambda: engine.telemetry.player_levels[1:] and engine.telemetry.player_levels[1][0] > -30)
    ask(LoadModel("whistle", 2), 15)
    engine.until(lambda: engine.description.kinds == ("notes", "stream", "voice"))
    assert engine.description.players == ("scale", "sines", "whistle")
    committed = len(engine.committed)
    ask(SetKnob("octave", 1, 2))
    ask(SetKnob("part", "all", 2))
    engine.until(lambda: engine.telemetry.player_levels[2:] and engine.telemetry.player_levels[2][0] > -60)
    ask(RemovePlayer(1))
    engine.until(lambda: engine.description.players == ("scale", "whistle"))
    assert engine.description.values["1/octave"] == 1
    engine.hear(3)
    assert len(engine.committed) > committed
    assert engine.telemetry.tick > 1  # it went on
    for command, words in (
        (LoadModel("sines", 5), "player 5"),
        (RemovePlayer(7), "player 7"),
        (SetKnob("part", "nobody", 1), "melody"),
    ):
        with pytest.raises(HocketError, match=words):
            ask(command, 15)
    ask(LoadModel("sines", 0), 15)  # notes give way to sound: it begins anew
    engine.until(lambda: engine.description.kinds == ("stream", "voice"))
    ask(LoadModel("scale", 2), 15)
    engine.until(lambda: engine.description.kinds == ("stream", "voice", "notes"))
    engine.hear(2)
    ask(RemovePlayer(2), 15)
    engine.until(lambda: engine.description.kinds == ("stream", "voice"))
    assert engine.telemetry.playing


def test_panic_silences_a_stream_until_the_next_play(start_engine, tmp_path):
    engine = start_engine(patch=patch(tmp_path, ("sines", {})), **PLAYERS)
    engine.client.ask(Play())
    engine.until(lambda: engine.telemetry.levels[0] > -30)
    engine.client.ask(Panic())
    engine.until(lambda: engine.telemetry.levels[0] < -100)
    assert engine.telemetry.playing
    engine.client.ask(Stop())
    engine.client.ask(Play())
    engine.until(lambda: engine.telemetry.levels[0] > -30)
    engine.client.ask(Stop())
    engine.until(lambda: engine.telemetry.levels[0] < -100)


def test_a_stream_that_fails_is_told_of(start_engine, tmp_path):
    engine = start_engine(patch=patch(tmp_path, ("fainting", {})), **PLAYERS)
    engine.client.ask(Play())
    engine.until(lambda: any("the network gives no number" in banner for banner in engine.telemetry.banners))
