"""Ears: trained on made-up sound that anyone can tell apart, kept, and deaf to level and sample rate."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.errors import HocketError
from tests.support.sound.corpus import GENRES, INSTRUMENTS, make_note_corpus, make_stream_corpus
from training.evaluation.sound import classifiers
from training.evaluation.sound.features import NOTE_MELS, clip_features, note_features

RATE = 16000


@pytest.fixture(scope="module")
def quick():
    patch = pytest.MonkeyPatch()
    patch.setattr(classifiers, "STEPS", 300)
    patch.setattr(classifiers, "STEPS_IN_FOLDS", 60)
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
def genre_classifier(quick, music, kept, one_thread):
    return classifiers.genre_classifier(music, [*GENRES, "unheard"], kept)


def test_genres_are_told_apart(genre_classifier):
    classifier, heard = genre_classifier
    assert classifier.labels == tuple(GENRES)
    assert classifier.figures["held_out"] >= 0.9
    assert classifier.figures["folds"] >= 0.8
    assert classifier.figures["heard"] == {"train": 18, "held_out": 12}
    assert np.allclose(classifier.probabilities(heard.rows).sum(1), 1, atol=1e-5)
    assert classifier.embed(heard.rows).shape == (30, classifiers.EMBEDDING)


def test_an_ear_is_kept_and_is_the_same(genre_classifier, music, kept, monkeypatch):
    monkeypatch.setattr(classifiers, "_learn", None)
    monkeypatch.setattr(classifiers, "clip_features", None)
    again, heard = classifiers.genre_classifier(music, [*GENRES, "unheard"], kept)
    assert again.figures == genre_classifier[0].figures
    assert np.array_equal(again.probabilities(heard.rows), genre_classifier[0].probabilities(heard.rows))


def test_level_and_rate_are_not_heard(music):
    import soxr

    sound = music.read(music.clips[25])
    heard = clip_features(sound, RATE)
    assert np.allclose(clip_features(0.1 * sound, RATE), heard, atol=0.02)
    assert np.abs(clip_features(soxr.resample(sound, RATE, 44100), 44100) - heard).mean() < 0.1


def test_instruments_are_told_apart(quick, notes, kept, one_thread):
    classifier, heard = classifiers.instrument_classifier(notes, kept)
    assert set(classifier.labels) == set(INSTRUMENTS)
    assert classifier.figures["held_out"] == 1.0
    assert set(classifier.recognised(heard.held_out)) == set(INSTRUMENTS)


@pytest.mark.parametrize("frames", [1, 300, 48000])
def test_notes_of_any_length_are_heard(frames):
    sound = np.random.default_rng(1).standard_normal(frames).astype(np.float32)
    heard = note_features(sound, RATE, 60)
    assert np.isfinite(heard).all()
    assert len(heard) == len(note_features(np.zeros(frames, np.float32), RATE, 127)) > NOTE_MELS


def test_windows_lie_inside_their_clips(music):
    clips = music.clips[:2]
    assert [start for _, start in classifiers.windows(clips, RATE, 4.0)] == [0, 64000, 0, 64000]
    assert classifiers.windows(clips, RATE, 11.0) == []
    assert classifiers.spread(range(10), 4) == [0, 2, 5, 7]


def test_too_little_music_is_a_named_error(music, notes):
    with pytest.raises(HocketError, match="too few tracks"):
        classifiers.genre_classifier(music, ["ambient"], None)
    with pytest.raises(HocketError, match="nothing to learn from"):
        classifiers.genre_classifier(notes, ["ambient"], None)
