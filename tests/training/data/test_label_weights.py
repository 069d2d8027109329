"""The weights of part labels are fitted on named tracks."""

import csv

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Part, Piece, tidy
from instrument.music.parts.features import FEATURES
from training.data.notes.label_weights import Examples, examples, fit, weigh

CONSTANT, HEIGHT = FEATURES.index("constant"), FEATURES.index("height")


def by_height(heights, labels, datasets=None) -> Examples:
    """Tracks that differ in height alone."""
    table = np.zeros((len(heights), len(FEATURES)))
    table[:, CONSTANT], table[:, HEIGHT] = 1, heights
    splits = np.array(["train"] * len(heights))
    return Examples(table, np.array(labels), splits, np.array(datasets or ["d"] * len(heights)))


def test_a_fit_parts_what_can_be_parted():
    heights = np.linspace(-2, 2, 60)
    labels = np.digitize(-heights, (-0.7, 0.7))  # melody high, chords between, bass low
    found = by_height(heights, labels)
    assert (np.argmax(found.features @ fit(found), 1) == labels).mean() >= 0.95


def test_parts_count_alike_and_large_data_sets_by_their_root():
    labels = [0] * 104 + [1] * 4 + [2]
    weights = weigh(by_height(np.zeros(109), labels, ["large"] * 100 + ["small"] * 9))
    assert weights.sum() == pytest.approx(1)
    for label in range(3):
        assert weights[np.array(labels) == label].sum() == pytest.approx(1 / 3)
    assert weights[:100].sum() == pytest.approx(5 * weights[100:104].sum())


def test_examples_are_clearly_named_tracks_that_may_train_what_ships(tmp_path):
    rows = [
        (24 * i, 0, pitch, 20, 80, int(part))
        for i in range(20)
        for part, pitch in ((Part.MELODY, 72 + i % 5), (Part.CHORDS, 60), (Part.CHORDS, 64), (Part.BASS, 40),
                            (Part.OTHER, 50), (Part.DRUMS, 36))
    ]  # fmt: skip
    names = ("a", "MIT", "train"), ("b", "GPL-2.0", "train"), ("c", "MIT", "test")
    for name, *_ in names:
        write_midi(Piece(tidy(np.array(rows, np.int32))), tmp_path / f"{name}.mid")
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("path", "dataset", "genre", "licence", "split"),
                *((f"{n}.mid", "d", "rock", licence, split) for n, licence, split in names),
            ]
        )
    found = examples(tmp_path)
    assert found.labels.tolist() == [0, 1, 2] * 2
    assert found.splits.tolist() == ["train"] * 3 + ["test"] * 3
    assert found.features[1, FEATURES.index("chord share")] == 1
    write_midi(Piece(tidy(np.array(rows[:1], np.int32))), tmp_path / "a.mid")
    (tmp_path / "c.mid").unlink()
    with pytest.raises(HocketError, match="no tracks whose names"):
        examples(tmp_path)
