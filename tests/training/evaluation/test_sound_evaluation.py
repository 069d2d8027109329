"""The evaluations of sound models, of stand-ins that sound as the made-up corpora do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from instrument.errors import HocketError
from instrument.music.pitch import to_hertz
from tests.support.sound.corpus import GENRES, INSTRUMENTS, make_note_corpus, make_stream_corpus
from tests.support.sound.models import (
    RATE,
    MixedStream,
    NoiseVocoder,
    SineVoice,
    sound_bundle,
    stream_bundle,
    voice_bundle,
)
from training.cli import app
from training.evaluation.notes import evaluate as evaluation
from training.evaluation.overview import write_overview
from training.evaluation.sound import classifiers, command, streams, tones, vocoders
from training.evaluation.sound.drift import drift, seams
from training.evaluation.sound.evaluation import levelled
from training.evaluation.sound.pitch import cents_between, fine_hertz
from training.evaluation.sound.showing import LARGEST, write_example


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path_factory, one_thread):
    """Ears that learn quickly and are kept for these tests alone, and short clips."""
    folder = tmp_path_factory.getbasetemp() / "ears"
    for function in ("instrument_classifier", "genre_classifier"):
        module = tones if function == "instrument_classifier" else streams
        plain = getattr(classifiers, function)
        monkeypatch.setattr(module, function, lambda *given, plain=plain: plain(*given, folder))
    for name, value in {"STEPS": 300, "STEPS_IN_FOLDS": 60}.items():
        monkeypatch.setattr(classifiers, name, value)
    for name, value in {"LEAD_S": 0.5, "SWEEPS": 1, "SWEPT": 2, "MINUTES": 0.5}.items():
        monkeypatch.setattr(streams, name, value)


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    return make_note_corpus(tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return make_stream_corpus(tmp_path_factory.mktemp("music"), RATE, 10.0)


def evaluated_voice(monkeypatch, folder, notes, off=0.0):
    bundle = voice_bundle(folder)
    monkeypatch.setattr(tones, "open_sound_bundle", lambda b: (b.manifest, SineVoice(off)))
    return tones.evaluate_voice(bundle, notes, "test", 6)


def test_a_voice_like_the_real_notes(monkeypatch, tmp_path, notes):
    done = evaluated_voice(monkeypatch, tmp_path / "voice", notes)
    figures = done.figures
    assert figures["notes"] == 6
    assert figures["pitch"]["model"]["near"] == 1.0
    assert figures["recognised"]["model"] == figures["recognised"]["real"] == 1.0
    assert figures["distance"]["model"]["mean"] < 0.35  # of 16 bits
    assert figures["distance"]["nearest neighbour"]["mean"] > 0.5
    assert figures["missed"] == []
    assert figures["goals"]
    assert all(goal["met"] for goal in figures["goals"].values())
    assert set(done.examples) == {"notes", "morph"}
    assert len(done.rows) == 3
    assert json.loads(json.dumps(figures)) == figures


def test_a_voice_out_of_tune_is_told(monkeypatch, tmp_path, notes):
    figures = evaluated_voice(monkeypatch, tmp_path / "voice", notes, 1.0).figures
    assert figures["pitch"]["model"]["near"] == 0
    assert not figures["goals"]["pitch within 50 cents, at least as of the real notes"]["met"]
    assert not figures["goals"]["STFT distance, of the round trip's"]["met"]


def test_a_voice_needs_notes_of_its_instruments(monkeypatch, tmp_path, music):
    with pytest.raises(HocketError, match="no notes"):
        evaluated_voice(monkeypatch, tmp_path / "voice", music)


def test_the_nearest_neighbour_is_of_the_same_instrument(notes):
    clips = notes.select(split="test")
    assert clips
    for clip in clips:
        found = tones.nearest(notes, clip)
        assert (found.instrument, found.split, found.velocity) == (clip.instrument, "train", clip.velocity)
        assert abs(found.pitch - clip.pitch) == 3


def test_a_sampler_plays_the_nearest_note_at_the_pitch(notes):
    clip = notes.select(split="test")[0]
    other = tones.nearest(notes, clip)
    sound = tones.at_pitch(notes, other, clip.pitch, clip.frames)
    assert len(sound) == clip.frames
    about = to_hertz(clip.pitch)
    found = fine_hertz(sound[notes.rate // 10 : notes.rate // 3], notes.rate, about)
    assert found is not None
    assert abs(cents_between(found, about)) < 10
    np.testing.assert_array_equal(tones.at_pitch(notes, other, other.pitch, 1000), notes.read(other, 0, 1000))


@pytest.fixture
def stream(monkeypatch, tmp_path, music):
    """The evaluation of a stream that mixes the made-up genres."""
    monkeypatch.setattr(streams, "open_sound_bundle", lambda b: (b.manifest, MixedStream()))
    monkeypatch.setattr(streams, "vocoder_of", lambda _: NoiseVocoder())
    return streams.evaluate_stream(stream_bundle(tmp_path / "stream"), music, "test", 2, 0.5)


def test_a_stream_like_the_real_music(stream):
    figures = stream.figures
    assert figures["genres"] == list(GENRES)
    assert figures["recognised"]["model"] == 1.0
    assert figures["recognised"]["shuffled"] < 1.0
    apart = figures["frechet"]
    assert apart["model"] < apart["white noise"]
    assert apart["real"] < apart["shuffled"]
    assert figures["blend"]["mean"] > 0.6
    assert figures["seams"]["same seed, same sound"]
    assert figures["drift"]["minutes"] == pytest.approx(0.5)
    assert abs(figures["drift"]["level_db"]) < 3
    assert {len(row) for row in stream.rows} == {2}
    assert json.loads(json.dumps(figures)) == figures
    assert set(streams.sections(figures)) >= {
        "Goals",
        "Genres, by a classifier",
        "Distance from real music",
        "Blend",
        "Drift",
    }


def test_a_vocoder_beside_griffin_and_lim(monkeypatch, tmp_path, music, notes):
    monkeypatch.setattr(vocoders, "Vocoder", NoiseVocoder)
    monkeypatch.setattr(vocoders, "SECONDS", 1.0)
    figures = vocoders.evaluate_vocoder(sound_bundle(tmp_path / "vocoder", "vocoder"), music, notes, "test", 3).figures
    assert figures["music"]["griffin_lim"] > 0
    assert figures["music"]["ratio"] > 0.8
    assert set(figures["music"]["by_genre"]) == set(GENRES)
    assert max(figures["music"]["told"].values()) < figures["music"]["vocoder"]
    assert max(figures["chunked"].values()) == 0
    assert figures["goals"]["chunks differ from the whole by"]["met"]
    assert figures["pitch"]["within_10_cents"] < 1
    assert json.loads(json.dumps(figures)) == figures
    assert "Pitch" in vocoders.sections(figures)


def test_a_vocoder_is_held_against_music_at_its_rate(monkeypatch, tmp_path, notes, music):
    monkeypatch.setattr(vocoders, "Vocoder", NoiseVocoder)
    bundle = sound_bundle(tmp_path / "vocoder", "vocoder")
    with pytest.raises(HocketError, match="no music of 4 s"):
        vocoders.evaluate_vocoder(bundle, notes, None)
    music_rate, music.rate = music.rate, 22050
    try:
        with pytest.raises(HocketError, match="22050 Hz"):
            vocoders.evaluate_vocoder(bundle, music, None)
    finally:
        music.rate = music_rate


def test_drift_tells_what_grows():
    noise = np.random.default_rng(1).standard_normal(10 * RATE).astype(np.float32)
    assert abs(drift(0.1 * noise, RATE, 1.0)["level_db"]) < 0.5
    grown = drift(noise * np.geomspace(0.01, 0.1, len(noise)).astype(np.float32), RATE, 1.0)
    assert grown["level_db"] == pytest.approx(16, abs=1)  # eight tenths of 20 dB
    assert grown["spectrum_of_spread"] > 1.5


def test_seams_tell_a_click():
    times = np.arange(8 * RATE) / RATE
    sound = np.sin(2 * np.pi * 220 * times) + 1e-4 * np.random.default_rng(1).standard_normal(len(times))
    assert seams(sound, 512)["beyond"] < 0.01
    sound[512 * 10 :] += 0.2
    found = seams(sound, 512)
    assert found["largest"] > 10
    assert found["beyond"] > 0


def test_levels_and_lengths_are_brought_together():
    like = np.ones(10, np.float32)
    assert np.allclose(levelled(np.full(20, 0.5, np.float32), like), like)
    assert not levelled(np.zeros(3, np.float32), like).any()


def test_examples_are_small(tmp_path):
    noise = np.random.default_rng(1).standard_normal(12 * 44100).astype(np.float32)
    size = write_example(tmp_path / "a" / "noise.flac", noise, 44100)
    assert size <= LARGEST
    sound, rate = soundfile.read(tmp_path / "a" / "noise.flac")
    assert sound.ndim == 1
    assert len(sound) / rate == pytest.approx(6, abs=0.1)
    write_example(tmp_path / "silence.flac", np.zeros(100, np.float32), 44100)


def test_the_command_writes_card_pictures_and_overview(monkeypatch, tmp_path, notes):
    bundle = voice_bundle(tmp_path / "voice")
    monkeypatch.setattr(tones, "open_sound_bundle", lambda b: (b.manifest, SineVoice()))
    monkeypatch.setattr(evaluation, "find_bundle", lambda _: bundle)
    out = tmp_path / "docs" / "voice"
    given = ["evaluate", "--bundle", "voice", "--data", notes.folder, "--pieces", 6, "--card", "--out", out, "--json"]
    done = CliRunner().invoke(app, list(map(str, given)), catch_exceptions=False)
    assert done.exit_code == 0
    figures = json.loads(done.stdout)
    assert {p.name for p in out.iterdir()} == {"figures.json", "spectrograms.png", "notes.flac", "morph.flac"}
    card = (bundle.folder / "CARD.md").read_text()
    assert "A sound model (a voice) of family `ddsp`" in card
    assert all(
        f"## {title}" in card for title in ("Goals", "Pitch", "By a classifier", "Distance from the real note", "Cost")
    )
    assert "![Spectrograms](../docs/voice/spectrograms.png)" in card
    assert f"Instruments: {', '.join(INSTRUMENTS)}." in card
    assert json.loads((out / "figures.json").read_text()) == figures | {
        "examples": {"notes.flac": "example notes", "morph.flac": "example morph"}
    }
    overview = write_overview(tmp_path / "docs").read_text()
    assert "# The sound models" in overview
    assert "| [Voice](../models_onnx/voice/CARD.md) | ddsp | 4 of 4 |" in overview
    assert "[notes.flac](docs/voice/notes.flac)" in overview


def test_the_command_prints_tables(monkeypatch, tmp_path, notes):
    bundle = voice_bundle(tmp_path / "voice")
    monkeypatch.setattr(tones, "open_sound_bundle", lambda b: (b.manifest, SineVoice()))
    monkeypatch.setattr(evaluation, "find_bundle", lambda _: bundle)
    given = ["evaluate", "--bundle", "voice", "--data", notes.folder, "--pieces", 4, "--out", tmp_path / "out"]
    done = CliRunner().invoke(app, list(map(str, given)), catch_exceptions=False)
    assert done.exit_code == 0
    assert "## By a classifier" in done.stdout
    assert not (bundle.folder / "CARD.md").exists()


def test_no_corpus_is_a_named_error(tmp_path):
    with pytest.raises(HocketError, match=r"index\.json"):
        command.evaluate_sound(voice_bundle(tmp_path / "voice"), tmp_path)
