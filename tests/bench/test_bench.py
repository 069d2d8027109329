"""What `hocket bench` computes, and that a whole run measures all it promises."""

import json
import os
import subprocess
import sys

import pytest

from instrument.bench import sounds as benchsounds
from instrument.bench.run import jitter_ms, percentiles, private_home, resident_mb
from instrument.bench.sounds import (
    RATE,
    _differing,
    _rendered_again,
    time_stream,
    time_together,
    time_voice,
)
from instrument.models.catalog import list_models
from tests.support.engine import ROOT
from tests.support.sound.players import SineStream

MODELS = list_models()
STREAM = {"times_real_time": None, "chunk_ms": ("p50", "p99"), "knob_to_sound_ms": ("p50", "p95")}
VOICE = {"render_ms": ("p50", "p99"), "voices_at_once": None, "key_to_sound_ms": ("p50", "p95")}
TOGETHER = (
    "seconds", "starved_blocks", "control_starved_blocks", "device_xruns", "stream_underruns", "load",
)  # fmt: skip
PLAYERS = {
    "knob_to_note_ms": ("p50", "p95"),
    "ms_per_note": ("p50", "p99"),
    "audio": ("late_notes", "starved_blocks"),
}
SHAPE = {
    "note_models": {entry.slug: {"ms_per_note": ("p50", "p99")} for entry in MODELS if entry.kind == "notes"},
    "streams": {entry.slug: STREAM for entry in MODELS if entry.kind == "stream"} or (),
    "voices": {entry.slug: VOICE for entry in MODELS if entry.kind == "voice"} or (),
    "keys": ("key_to_sound_p50_ms", "key_to_sound_p95_ms", "starved_blocks", "control_starved_blocks"),
    "together": TOGETHER,
    "players": dict.fromkeys(("1", "2", "4", "8"), PLAYERS),
    "dispatch_jitter_ms": {"loaded": ("p50", "p99", "max"), "control": ("p50", "p99", "max")},
    "knob_to_note_ms": ("p50", "p95"),
    "audio": ("blocks", "device_xruns", "starved_blocks", "control_starved_blocks"),
    "frame_ms": ("p50", "p95"),
    "startup": ("engine_s", "first_note_s", "window_s"),
    "memory_mb": ("engine", "window", "notes", "device"),
}


def shape(table):
    if not isinstance(table, dict):
        return None
    if any(isinstance(value, dict) for value in table.values()):
        return {name: shape(value) for name, value in table.items()}
    return tuple(table)


def test_percentiles():
    assert percentiles([1, 2, 3, 4, 5], 50, 100) == {"p50": 3, "max": 5}
    assert percentiles([], 50, 99) == {"p50": None, "p99": None}


def test_jitter_is_what_varies():
    sends = [(0, 500_000), (10_000_000, 2_000_000), (20_000_000, 0)]
    assert jitter_ms(sends, None) == [0.5, 2, 0]
    assert jitter_ms(sends, [7_000_000, 17_000_000, 28_000_000]) == [0, 0, 1]
    assert jitter_ms([], []) == []


def test_the_home_is_private_and_given_back(monkeypatch):
    monkeypatch.setenv("HOCKET_HOME", "/before")
    with private_home() as home:
        assert os.environ["HOCKET_HOME"] == str(home)
    assert os.environ["HOCKET_HOME"] == "/before"
    assert not home.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told by /proc")
def test_memory_is_told():
    assert 5 < resident_mb(os.getpid()) < 5000
    assert resident_mb(0) is None


@pytest.mark.timeout(380)
def test_a_run_measures_all_that_is_promised(jack):
    """The whole of it, on a JACK server; the figures themselves depend on the machine."""
    done = subprocess.run(
        [sys.executable, "-c", "from instrument.cli import main; main()", "bench", "--json", "--seconds", "3"],
        cwd=ROOT, capture_output=True, text=True, timeout=360, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert shape(report) == SHAPE
    figures = {
        f"{part} {name}": value
        for part, table in (
            ("lstm-band", report["note_models"]["lstm-band"]["ms_per_note"]),
            ("jitter", report["dispatch_jitter_ms"]["loaded"]),
            *((part, report[part]) for part in ("knob_to_note_ms", "audio", "frame_ms", "startup", "memory_mb")),
        )
        for name, value in table.items()
    }
    unmeasured = {name: value for name, value in figures.items() if value is None or value < 0}
    assert not unmeasured
    assert report["audio"]["blocks"] > 100


SOUNDS = "tests.support.sound.players:open_any"


@pytest.fixture
def home(jack, monkeypatch):
    """A few turns and keys are enough to see that they are measured."""
    for count, few in (("TURNS", 4), ("KEYS", 6)):
        monkeypatch.setattr(benchsounds, count, few)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with private_home() as home:
        yield home


def test_streams_are_measured_in_what_is_recorded(home):
    figures = time_stream("sines", home, SOUNDS)
    assert shape(figures) == STREAM
    assert figures["times_real_time"] > 1
    heard = figures["knob_to_sound_ms"]
    assert heard["p50"] is not None, f"the machine stood still in each of {benchsounds.TRIES} tries"
    assert 0 <= heard["p50"] <= heard["p95"] < 1000


def test_voices_are_measured_in_what_is_recorded(home):
    figures = time_voice("whistle", home, SOUNDS)
    assert shape(figures) == VOICE
    assert figures["voices_at_once"] >= 1
    heard = figures["key_to_sound_ms"]
    assert heard["p50"] is not None, f"the machine stood still in each of {benchsounds.TRIES} tries"
    assert 0 <= heard["p50"] <= heard["p95"] < 500


def test_everything_at_once_is_counted(home):
    figures = time_together(["scale", "sines"], ["whistle"], home, 2, SOUNDS)
    assert tuple(figures) == TOGETHER
    assert all(value >= 0 for value in figures.values())


def test_a_knob_is_heard_where_the_sound_differs():
    model = SineStream(RATE)
    knobs = {"pitch": 69.0}
    sound = _rendered_again(model, RATE, [(0, knobs), (4096, {"pitch": 81.0}), (30_720, {"pitch": 50.0})], 60_000)
    turns = [(3000.0, 4096, {"pitch": 81.0}), (30_000.0, 30_720, {"pitch": 50.0})]
    late = _differing(sound, RATE, turns, model.KNOBS, model)
    assert late == pytest.approx([1096 / 48, 720 / 48], abs=8)
    turns[1] = (30_000.0, 28_672, {"pitch": 50.0})
    assert len(_differing(sound, RATE, [turns[1]], model.KNOBS, model)) == 0  # it lies elsewhere
