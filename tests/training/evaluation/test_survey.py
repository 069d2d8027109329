"""Real and generated pieces beside each other: players that drift, and that do not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from instrument.models.manifest import VERSION, Golden, Graph, Manifest
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import Metre, MetreMap
from tests.support.corpus import GENRES, tune
from training.data.notes.shards import Shards
from training.evaluation.notes import survey
from training.evaluation.notes.long_run import LongRun, Reference
from training.evaluation.notes.survey import Real, analyses, bounds, forms, key_estimator, metres, real_pieces

MANIFEST = Manifest(
    VERSION,
    "stand-in",
    "Stand-in",
    "lstm",
    "1.0.0",
    "CC0-1.0",
    (Graph("step", "step.onnx", "0" * 64, (), ()),),
    Golden("golden.npz", "0" * 64, 0.01),
    genres=("waltz",),
)


class Band:
    """Plays its tune over and over in bars of the metre asked for; a forgetful one goes on in four beats half-way."""

    def __init__(self, forgetful_from: int = 1 << 30) -> None:
        self.forgetful_from = forgetful_from

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        asked, self.notes = metres.metres[0], []
        bars = min(self.forgetful_from, 200)
        self.tune = tune(seed, asked, bars).as_notes()
        for note in tune(seed, Metre(0, 4, 4), 200 - bars).as_notes() if bars < 200 else []:
            self.tune.append(note._replace(tick=note.tick + bars * asked.bar_ticks))

    @property
    def count(self) -> int:
        return len(self.notes)

    def propose(self, ask: Ask) -> Note:
        return self.tune[len(self.notes)]

    def feed(self, note: Note) -> None:
        self.notes.append(note)

    def forget_before(self, count: int) -> None:
        pass


@pytest.fixture(scope="module")
def shards(data) -> Shards:
    return Shards.open(data)


@pytest.fixture(scope="module")
def real(shards) -> dict[str, list[Real]]:
    return {genre: real_pieces(shards, shards.select(genres=[genre])) for genre in GENRES}


def run(shards: Shards, piece: Piece, genre: str = "march") -> LongRun:
    return LongRun(genre, 1, Reference(shards, genre, tuple(GENRES)), piece)


def test_real_pieces_are_whole_bars_of_one_metre(shards, real):
    assert len(real["march"]) > survey.FEWEST
    for piece in real["waltz"]:
        assert (piece.start, piece.end) == (0, 16 * 72)
    free = msgspec.structs.replace(real["march"][0].info, metres=[])
    assert real_pieces(shards, [free]) == []


def test_bounds_are_of_what_can_be_told():
    rows = [{"a": float(i), "b": float("nan") if i else 1.0} for i in range(11)]
    assert bounds(rows) == {"a": [1.0, 9.0]}
    assert bounds([]) == {}
    assert bounds(rows[:7]) == {}


def test_the_estimators_know_the_real_pieces(real):
    found = metres(Band(), MANIFEST, {}, [], real)["waltz"]
    assert found["3/4"] == {"real": 1.0, "pieces": len(real["waltz"]), "early": 1.0, "late": 1.0}
    assert found["4/4"] == {"real": None, "pieces": 0, "early": None, "late": None}
    assert key_estimator(real) == {"right": 0.0, "windows": 0}  # none is annotated


def test_a_waltz_that_becomes_a_march_shows(real):
    found = metres(Band(forgetful_from=32), MANIFEST, {}, [], real)["waltz"]["3/4"]
    assert (found["early"], found["late"]) == (1.0, 0.0)


def test_drift_shows_beside_real_pieces(shards, real):
    steady = tune(5, GENRES["march"], 300)
    (same,) = analyses([run(shards, steady)], real)
    assert same["genre"] == "march"
    assert same["figures"]["key kept"] == 1.0
    assert same["within"]["key kept"]
    assert same["figures"]["level"] == pytest.approx(1, abs=0.01)
    notes = np.array(steady.notes)
    late = notes[:, 0] > 200 * 96
    notes[late, 4] = 127
    notes[late & (notes[:, 5] != Part.DRUMS), 2] += 6
    (drifted,) = analyses([run(shards, Piece(notes, steady.metres))], real)
    assert drifted["figures"]["pitch drift"] == pytest.approx(6, abs=0.5)
    assert not drifted["within"]["pitch drift"]
    assert drifted["figures"]["level"] > 2
    assert not drifted["within"]["level"]
    assert drifted["figures"]["key kept"] < 0.75


def test_form_shows_beside_real_pieces(shards, real):
    (found,) = forms([run(shards, tune(5, GENRES["march"], 100))], real)
    assert found["figures"]["4"] > 0.85 > 0.5 > found["figures"]["1"]
    assert found["bounds"]["4"][0] > 0.85
    stuck = Piece(np.array([(24 * i, 0, 60, 24, 80, 0) for i in range(400)], np.int32), (Metre(0, 4, 4),))
    (found,) = forms([run(shards, stuck)], real)
    assert found["figures"] == dict.fromkeys(("1", "2", "4", "8", "16"), 1.0)
    assert not found["within"]["1"]
    assert forms([run(shards, stuck, "none")], real) == []  # what is of no genre has nothing beside it
