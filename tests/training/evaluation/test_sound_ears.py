"""Ears: trained on made-up sound that anyone can tell apart, kept, and deaf to level and sample rate."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.errors import HocketError
from tests.support.sound_corpus import GENRES, INSTRUMENTS, make_note_corpus, make_stream_corpus
from training.evaluation.sound import ears
from training.evaluation.sound.hearing import NOTE_MELS, hear_clip, hear_note

RATE = 16000


@pytest.fixture(scope="module")
def quick():
    patch = pytest.MonkeyPatch()
    patch.setattr(ears, "STEPS", 300)
    patch.setattr(ears, "STEPS_IN_FOLDS", 60)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return make_stream_corpus(tmp_path_factory.mktemp("music"), RATE, 10.0)


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    return make_note_corpus(tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("ears")


@pytest.fixture(scope="module")
def genre_ear(quick, music, kept, one_thread):
    return ears.genre_ear(music, [*GENRES, "unheard"], kept)


def test_genres_are_told_apart(genre_ear):
    ear, heard = genre_ear
    assert ear.labels == tuple(GENRES)
    assert ear.figures["held_out"] >= 0.9
    assert ear.figures["folds"] >= 0.8
    assert ear.figures["heard"] == {"train": 18, "held_out": 12}
    assert np.allclose(ear.probabilities(heard.rows).sum(1), 1, atol=1e-5)
    assert ear.embed(heard.rows).shape == (30, ears.EMBEDDING)


def test_an_ear_is_kept_and_is_the_same(genre_ear, music, kept, monkeypatch):
    monkeypatch.setattr(ears, "_learn", None)
    monkeypatch.setattr(ears, "hear_clip", None)
    again, heard = ears.genre_ear(music, [*GENRES, "unheard"], kept)
    assert again.figures == genre_ear[0].figures
    assert np.array_equal(again.probabilities(heard.rows), genre_ear[0].probabilities(heard.rows))


def test_level_and_rate_are_not_heard(music):
    import soxr

    sound = music.read(music.clips[25])
    heard = hear_clip(sound, RATE)
    assert np.allclose(hear_clip(0.1 * sound, RATE), heard, atol=0.02)
    assert np.abs(hear_clip(soxr.resample(sound, RATE, 44100), 44100) - heard).mean() < 0.1


def test_instruments_are_told_apart(quick, notes, kept, one_thread):
    ear, heard = ears.instrument_ear(notes, kept)
    assert set(ear.labels) == set(INSTRUMENTS)
    assert ear.figures["held_out"] == 1.0
    assert set(ear.recognised(heard.held_out)) == set(INSTRUMENTS)


@pytest.mark.parametrize("frames", [1, 300, 48000])
def test_notes_of_any_length_are_heard(frames):
    sound = np.random.default_rng(1).standard_normal(frames).astype(np.float32)
    heard = hear_note(sound, RATE, 60)
    assert np.isfinite(heard).all()
    assert len(heard) == len(hear_note(np.zeros(frames, np.float32), RATE, 127)) > NOTE_MELS


def test_windows_lie_inside_their_clips(music):
    clips = music.clips[:2]
    assert [start for _, start in ears.windows(clips, RATE, 4.0)] == [0, 64000, 0, 64000]
    assert ears.windows(clips, RATE, 11.0) == []
    assert ears.spread(range(10), 4) == [0, 2, 5, 7]


def test_too_little_music_is_a_named_error(music, notes):
    with pytest.raises(HocketError, match="too few tracks"):
        ears.genre_ear(music, ["ambient"], None)
    with pytest.raises(HocketError, match="nothing to learn from"):
        ears.genre_ear(notes, ["ambient"], None)
