"""Whether knobs and genres are obeyed: of players that do and that do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import Knob, Manifest
from instrument.models.notes.conditions import DENSITIES, REGISTERS
from instrument.models.notes.player import Ask
from instrument.music.midifile import write_midi
from instrument.music.notes import Note, Part, Piece, tidy
from instrument.music.phrases import Shape
from instrument.music.timebase import Metre, MetreMap
from tests.support.players import stand_in_manifest
from training.data.notes.phrases import PartShards
from training.data.notes.prepare import prepare
from training.data.notes.shards import Shards
from training.evaluation import examples, overview
from training.evaluation.cost import time_notes
from training.evaluation.generation import play
from training.evaluation.notes.obedience import measured, obedience, rank_correlation
from training.evaluation.notes.switching import switching
from training.measures import genres
from training.measures.genres import GenreClassifier, drum_features, genre_classifier, pitched_features, windows

COMMON = Metre(0, 4, 4)
STYLES = ("hymn", "reel")


def style(genre: str, at: int, seed: int = 0) -> list[tuple[int, int, int]]:
    """(tick, pitch, duration) of what is struck in the `at`-th beat: chords, or a quick line."""
    rng = np.random.default_rng((seed, at))
    if genre == "hymn":
        root = 48 + int(rng.integers(8))
        return [(24 * at, root + step, 24) for step in (0, 4, 7, 12)]
    return [(24 * at + 6 * i, 67 + int(rng.integers(12)), 6) for i in range(4)]


def written(genre: str, seed: int, bars: int = 8) -> Piece:
    """A piece in a style."""
    rows = [(t, 0, p, d, 80, Part.MELODY) for at in range(4 * bars) for t, p, d in style(genre, at, seed)]
    return Piece(tidy(np.array(rows, np.int32)), (COMMON,))


class Obliging:
    """Plays in the style of the genre it is told, or as densely and high as it is asked; a deaf one does not listen."""

    def __init__(self, deaf: bool = False) -> None:
        self.deaf, self.notes = deaf, []

    @property
    def count(self) -> int:
        return len(self.notes)

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        self.notes = []

    def propose(self, ask: Ask) -> Note:
        knobs = {} if self.deaf else ask.knobs
        last = max(self.notes[-1].tick if self.notes else 0, ask.floor)
        if knobs.get("genre", "none") != "none" or self.deaf:
            sounds = [n for at in range(last // 24, last // 24 + 2) for n in style(str(knobs.get("genre", "hymn")), at)]
            done = {(n.tick, n.pitch) for n in self.notes[-16:]}
            tick, pitch, duration = min(
                (t, p, d)
                for t, p, d in sounds
                if t >= last
                and (t, p) not in done
                and (not self.notes or t * 128 + p > self.notes[-1].tick * 128 + self.notes[-1].pitch)
            )
            return Note(tick, 0, pitch, duration, 80, Part.MELODY)
        gap = round(24 / DENSITIES[max(0, int(knobs.get("density", 0)) - 1)])
        pitch = round(REGISTERS[max(0, int(knobs.get("register", 0)) - 1)])
        tick = self.notes[-1].tick + gap if self.notes else 0
        return Note(max(tick, ask.floor), 0, pitch, 6, 80, Part.MELODY)

    def feed(self, note: Note) -> None:
        self.notes.append(note)

    def rewind(self, count: int) -> None:
        del self.notes[count:]

    def forget_before(self, count: int) -> None:
        pass


def manifest(*genres: str) -> Manifest:
    knobs = (Knob("density", "Density", high=8, zero="free"), Knob("register", "Register", high=8, zero="free"))
    return stand_in_manifest(*genres, knobs=knobs)


# --- knobs


def test_a_knob_turned_in_play_counts_from_its_tick():
    turned = [(100, {"density": 4.0}), (200, {"density": 2.0})]
    ticks = play(Obliging(), {"density": 2.0}, 1, 300, turns=turned).notes[:, 0].tolist()
    assert ticks == [0, 24, 48, 72, 96, 108, 120, 132, 144, 156, 168, 180, 192, 216, 240, 264, 288]


def test_density_and_register_are_obeyed_or_not():
    found = obedience(Obliging(), manifest())
    assert set(found) == {"density", "register"}
    assert found["density"]["spearman"] == found["register"]["spearman"] == 1.0
    assert [row["asked"] for row in found["density"]["positions"].values()] == list(DENSITIES)
    for row in found["register"]["positions"].values():
        assert row["measured"] == pytest.approx(row["asked"], abs=0.5)
    deaf = obedience(Obliging(deaf=True), manifest("hymn"))
    assert deaf["density"]["by_genre"] == {"hymn": 0.0}
    assert abs(deaf["register"]["spearman"]) < 1


def test_what_is_measured_of_a_stretch():
    rows = [(0, 0, 60, 24, 80, Part.MELODY), (24, 0, 64, 24, 80, Part.MELODY), (24, 0, 36, 6, 80, Part.DRUMS)]
    notes = np.array(rows, np.int32)
    assert measured("density", notes, 0, 48) == 1.5
    assert measured("register", notes, 0, 48) == 62
    assert np.isnan(measured("register", notes[2:], 0, 48))


def test_rank_correlation_leaves_out_what_is_not_known():
    assert rank_correlation(np.array([1.0, np.nan, 5.0, 9.0])) == 1.0
    assert rank_correlation(np.array([3.0, 2.0, 1.0])) == -1.0
    assert rank_correlation(np.array([2.0, 2.0, 2.0])) == 0.0
    assert rank_correlation(np.array([1.0, np.nan, 2.0])) == 0.0


def test_a_model_without_these_knobs_is_not_tried():
    bare = manifest("hymn")
    found = obedience(Obliging(), Manifest(**{f: getattr(bare, f) for f in bare.__struct_fields__} | {"knobs": ()}))
    assert found == {}


# --- the genre classifier


def test_the_ear_is_deaf_to_touch_parts_drums_microtiming_and_key():
    piece = written("hymn", 1).notes
    other = np.array(piece)
    other[:, 1], other[:, 4], other[:, 5] = 3, np.arange(len(other)) % 127 + 1, Part.CHORDS
    other[:, 0] += np.arange(len(other)) // 4 % 2  # a tick late, every other beat
    drums = np.array([(24 * i, 0, 36, 6, 100, Part.DRUMS) for i in range(32)], np.int32)
    other = tidy(np.concatenate([other, drums]))
    np.testing.assert_array_equal(pitched_features(piece, 96), pitched_features(other, 96))
    up = np.array(piece)
    up[:, 2] += 1
    changed = np.flatnonzero(pitched_features(piece, 96) != pitched_features(up, 96))
    assert len(changed) < 10  # where it lies, and nothing else
    assert pitched_features(drums, 0) is None
    assert pitched_features(piece[:0], 0) is None


def beat(genre: str, seed: int) -> NDArray[np.int32]:
    """Eight bars of drums: a march's on the beat, or a shuffle's off it, and a melody over them."""
    rng = np.random.default_rng(seed)
    late = 0 if genre == "march" else 12
    rows = [(24 * i + late, 0, int(rng.choice([36, 38])), 6, 80, Part.DRUMS) for i in range(32)]
    rows += [(24 * i, 0, 60 + i % 12, 24, 80, Part.MELODY) for i in range(32)]
    return tidy(np.array(rows, np.int32))


def test_the_ear_for_drums_is_deaf_to_touch_microtiming_and_all_else():
    notes = beat("march", 1)
    other = np.array(notes)
    other[:, 4] = np.arange(len(other)) % 127 + 1
    other[::2, 0] += 1
    other[other[:, 2] == 38, 2] = 40  # another snare
    np.testing.assert_array_equal(drum_features(notes, 96), drum_features(other[other[:, 5] == Part.DRUMS], 96))
    assert (drum_features(notes, 96) != drum_features(beat("shuffle", 1), 96)).any()
    assert drum_features(notes[notes[:, 5] != Part.DRUMS], 0) is None


def test_genres_are_told_by_drums_alone(tmp_path):
    for genre in ("march", "shuffle"):
        (tmp_path / "mid" / genre).mkdir(parents=True)
        for i in range(48):
            write_midi(Piece(beat(genre, i), (COMMON,)), tmp_path / "mid" / genre / f"{i:03}.mid")
    drums = PartShards(prepare(tmp_path / "mid", tmp_path / "shards", jobs=1), Shape("drums"))
    classifier = genre_classifier(drums, ("march", "shuffle"), tmp_path / "ears", drums=True)
    assert all(rate > 0.95 for rate in classifier.recall.values())
    kept = genre_classifier(drums, ("march", "shuffle"), tmp_path / "ears", drums=True)
    assert kept.drums
    assert kept.classify(beat("shuffle", 99), 96) == "shuffle"


def test_windows_are_whole_bars_of_four_beats():
    piece = written("hymn", 0, 8)
    assert list(windows(piece, 24)) == [96 * i for i in range(7)]
    assert list(windows(piece, 3)) == [0, 192, 384]
    assert list(windows(Piece(piece.notes), 24)) == []
    changing = Piece(piece.notes, (Metre(0, 3, 4), Metre(144, 4, 4), Metre(528, 12, 8)))
    assert list(windows(changing, 24)) == [144, 240, 336]


@pytest.fixture(scope="module")
def styles(tmp_path_factory) -> Shards:
    folder = tmp_path_factory.mktemp("styles")
    for genre in STYLES:
        (folder / "mid" / genre).mkdir(parents=True)
        for i in range(48):
            write_midi(written(genre, i), folder / "mid" / genre / f"{i:03}.mid")
    return prepare(folder / "mid", folder / "shards", jobs=1)


@pytest.fixture(autouse=True, scope="module")
def quick():
    """Few pieces and rounds are enough here."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {"LEAST_PIECES": 3, "PER_PIECE": 4, "EPOCHS": 12, "BATCH": 64}.items():
            patched.setattr(genres, name, value)
        yield


@pytest.fixture(scope="module")
def classifier(styles) -> GenreClassifier:
    return genre_classifier(styles, STYLES)


def test_the_ear_learns_and_is_tried_on_other_pieces(classifier, styles):
    assert classifier.genres == STYLES
    assert all(rate > 0.95 for rate in classifier.recall.values())
    held = [p for p in styles.pieces if p.split != "train"]
    assert sum(classifier.pieces.values()) == len(held)
    assert classifier.classify(written("reel", 500).notes, 96) == "reel"
    assert classifier.classify(written("hymn", 501).notes[:3], 0) is None


def test_the_ear_is_kept(classifier, styles, tmp_path, monkeypatch):
    made = genre_classifier(styles, STYLES, tmp_path / "ears")
    monkeypatch.setattr(genres, "_train", None)
    again = genre_classifier(styles, STYLES, tmp_path / "ears")
    assert (again.genres, again.recall, again.pieces) == (made.genres, made.recall, made.pieces)
    for a, b in zip(made.weights, again.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(list((tmp_path / "ears").iterdir())) == 1


def test_genres_with_few_pieces_cannot_be_told(styles):
    with pytest.raises(HocketError, match="too few pieces in four beats"):
        genre_classifier(styles, ("hymn", "tango"))


def test_a_switch_that_is_heard_and_one_that_is_not(classifier):
    heard = switching(Obliging(), manifest(*STYLES), classifier, 2)
    assert set(heard) == set(STYLES)
    for row in heard.values():
        assert row["bars 1-2"] == row["bars 3-4"] == row["unswitched"] == 1.0
        assert row["heard"] is True
        assert row["switches"] == 2
    deaf = switching(Obliging(deaf=True), manifest(*STYLES), classifier, 1)
    assert deaf["hymn"]["heard"]
    assert (deaf["reel"]["heard"], deaf["reel"]["instead"], deaf["reel"]["share"]) == (False, "hymn", 0.0)


# --- cost, examples and the overview


def test_time_a_note_is_positive():
    found = time_notes(Obliging(), manifest())
    assert 0 < found["p50"] <= found["p99"]


def test_examples_are_commands_that_hocket_takes():
    first, second = examples.commands(manifest("folk", "jazz"), Path("docs/models/stand-in"))
    assert " ".join(first) == (
        "render --model stand-in --bars 16 --seed 1 --set genre=folk --out docs/models/stand-in/folk-1.mid"
    )
    assert "genre=jazz" in second
    assert "--set" not in examples.commands(manifest(), Path("x"))[0]


def test_a_bundle_that_is_not_installed_has_no_examples(tmp_path):
    assert examples.write_examples(manifest("folk"), tmp_path, tmp_path / "out") == {}


def test_the_overview_tells_of_every_model_what_was_measured(tmp_path):
    lstm = {
        "name": "One",
        "family": "lstm",
        "cost": {"p50": 1.5, "p99": 3.0, "bytes": 3 << 20},
        "yardstick": {"total": 4.0, "by_field": {"time": 4.0}, "by_genre": {"folk": {"total": 4.0}}},
        "key_lock": [{"obeyed": True}, {"obeyed": False}],
        "switching": {"folk": {"heard": True}, "jazz": {"heard": False}},
        "obedience": {"density": {"spearman": 0.75}},
        "form": [{"within": {"1": True, "2": False}}],
        "copying": {"folk": {"generated": 9, "held_out": 30}, "jazz": {"generated": 12, "held_out": 8}},
        "examples": {"folk-1.mid": "hocket render --seed 1"},
    }
    overview.keep_figures(tmp_path / "models" / "one", lstm)
    overview.keep_figures(
        tmp_path / "models" / "two",
        {"name": "Two", "family": "musicvae", "accuracy": {"model": {"told": 0.9, "free": 0.81}}},
    )
    text = overview.write_overview(tmp_path / "models").read_text()
    one = next(line for line in text.splitlines() if "models_onnx/one" in line)
    assert one.split(" | ")[1:-1] == [
        "lstm",
        "4.000",
        "1 of 2",
        "0.75",
        "1 of 2",
        "1 of 2",
        "12 (30)",
        "1.50",
        "3.00",
        "",
    ]
    assert "| [Two](../models_onnx/two/CARD.md) | musicvae |" in text
    assert "0.81" in text
    assert "- [folk-1.mid](models/one/folk-1.mid): `hocket render --seed 1`" in text
    (tmp_path / "models" / "two" / overview.FIGURES).write_text("{")
    with pytest.raises(HocketError, match=r"evaluate that bundle again"):
        overview.write_overview(tmp_path / "models")
    assert json.loads((tmp_path / "models" / "one" / overview.FIGURES).read_text()) == lstm
