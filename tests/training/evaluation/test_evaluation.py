"""What `evaluate` measures, on pieces whose figures are known."""

from __future__ import annotations

import json
from math import log2

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from instrument.errors import HocketError
from instrument.models.manifest import Knob, Manifest, Provenance, write_manifest
from instrument.models.notes.form_conditions import NOTHING
from instrument.models.notes.player import Ask
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import Metre, MetreMap
from tests.support.corpus import GENRES, tune
from tests.support.pieces import COMMON, piece
from tests.support.players import stand_in_manifest
from training.data.notes.shards import Shards
from training.evaluation import plots
from training.evaluation.card import renew_card, write_card
from training.evaluation.generation import default_knobs, play
from training.evaluation.notes import evaluate
from training.evaluation.notes import long_run as longrun
from training.evaluation.notes.key_lock import key_lock
from training.evaluation.notes.likelihood import field_nats
from training.evaluation.notes.long_run import (
    FIGURES,
    Reference,
    bar_contents,
    figures,
    judge,
    long_figures,
    long_run,
    longest_loop,
)
from training.evaluation.samples import generate_like
from training.evaluation.stages import Stages
from training.families.notes import network as note_family

pytestmark = pytest.mark.timeout(300)  # the first test that needs a bundle has it trained and exported

BAR = 96


def manifest(*genres: str) -> Manifest:
    return stand_in_manifest(*genres, knobs=(Knob("temperature", "Temperature", low=0.1, high=2.0, default=0.8),))


class Scripted:
    """Plays pitches in turn, one every `gap` ticks; it obeys no lock."""

    def __init__(self, pitches: list[int], gap: int = 24) -> None:
        self.pitches, self.gap, self.notes = pitches, gap, []

    @property
    def count(self) -> int:
        return len(self.notes)

    def reset(self, seed: int, player: int, metres: MetreMap) -> None:
        self.notes = []

    def propose(self, ask: Ask) -> Note:
        at = len(self.notes)
        return Note(at * self.gap, 0, self.pitches[at % len(self.pitches)], self.gap or 1, 80, Part.MELODY)

    def feed(self, note: Note) -> None:
        self.notes.append(note)

    def rewind(self, count: int) -> None:
        del self.notes[count:]

    def forget_before(self, count: int) -> None:
        pass


# --- playing and the lock


def test_play_stops_at_the_end_and_is_bounded():
    played = play(Scripted([60, 62, 64]), {}, 1, 240)
    assert played.notes[:, 0].tolist() == list(range(0, 240, 24))
    assert len(play(Scripted([60], gap=0), {}, 1, 48)) == 96  # what never gets on is stopped


def test_default_knobs_are_the_manifests():
    known = manifest("folk")
    assert default_knobs(known) == {"genre": "none", "temperature": 0.8}
    assert default_knobs(known, temperature=1.0, top_p=0.9) == {"genre": "none", "temperature": 1.0}


def test_generated_pieces_take_turns_with_the_metres_of_real_ones():
    waltz, march = tune(1, GENRES["waltz"]), tune(1, GENRES["march"])
    made = generate_like(Scripted([60, 62]), {}, [waltz, march, Piece(march.notes)], 4)
    assert [p.metres[0].numerator if p.metres else 0 for p in made] == [3, 4, 0, 3]
    assert [len(p) for p in made] == [24, 32, 32, 24]


def test_the_lock_is_judged():
    pentatonic = [60, 62, 64, 67, 69]
    rows = key_lock(Scripted(pentatonic), manifest("folk"))
    by_name = {(r["key"], r["scale"]): r for r in rows}
    major = by_name["C", "major"]
    assert (major["in_scale"], major["obeyed"], major["notes"]) == (1.0, True, 64)
    whole_tone = by_name["B", "whole tone"]  # B C# D# F G A
    assert (whole_tone["in_scale"], whole_tone["obeyed"]) == (pytest.approx(2 / 5, abs=0.02), False)


def test_steps_outside_are_judged_on_the_beat_where_they_are_allowed():
    rows = {r["chromatic"]: r for r in key_lock(Scripted([62, 63], gap=12), manifest("folk"))}
    loose = rows[0.5]  # D dorian: D on the beat, Eb off it
    assert (loose["in_scale"], loose["in_scale_on_beat"], loose["obeyed"]) == (0.5, 1.0, True)
    assert not rows[0.0]["obeyed"]


# --- long runs


def loop(bars: list[list[int]]) -> np.ndarray:
    """Quarter notes: the pitches of each bar."""
    rows = [(BAR * i + 24 * j, p, 24) for i, bar in enumerate(bars) for j, p in enumerate(bar)]
    return piece(rows).notes


def test_figures_of_known_bars():
    a, b = [60, 62, 64, 65], [67, 69, 71, 72]
    found = figures(loop([a, b, a, b, a, [61, 63]]), 0, 6 * BAR, (COMMON,))
    assert found["density"] == pytest.approx(22 / 24)
    assert found["repeated"] == pytest.approx(3 / 6)
    assert found["loop"] == pytest.approx(3 / 6)
    assert found["gap"] == pytest.approx(72 / 96)
    even = figures(loop([[60, 61, 62, 63]]), 0, BAR, (COMMON,))
    assert even["entropy"] == pytest.approx(log2(4))


def test_figures_of_silence():
    found = figures(np.zeros((0, 6), np.int32), 0, 4 * BAR, (COMMON,))
    assert found == {"density": 0, "entropy": 0, "repeated": 0, "loop": 0, "gap": 4}


def test_drums_have_no_entropy_and_make_bars_differ():
    drums = piece([(0, 36, 6), (24, 38, 6)], Part.DRUMS).notes
    assert figures(drums, 0, BAR, (COMMON,))["entropy"] == 0
    low = piece([(0, 36, 6), (24, 38, 6)]).notes
    assert bar_contents(drums, 0, BAR, (COMMON,)) != bar_contents(low, 0, BAR, (COMMON,))


def test_bars_follow_the_metres():
    metres = (Metre(0, 4, 4), Metre(2 * BAR, 3, 4))
    notes = piece([(0, 60, 6), (BAR, 60, 6), (2 * BAR, 60, 6), (2 * BAR + 72, 60, 6)]).notes
    bars = bar_contents(notes, 0, 2 * BAR + 144, metres)
    assert len(bars) == 4
    assert len(set(bars)) == 1


def test_loops_are_found_at_any_lag_and_empty_bars_are_none():
    assert longest_loop([b"a", b"b", b"c"]) == 0
    assert longest_loop([b"a"] * 5) == 4
    assert longest_loop([b"x", b"a", b"b", b"c", b"a", b"b", b"c", b"a", b"y"]) == 4
    assert longest_loop([b""] * 9) == 0


@pytest.fixture(scope="module")
def shards(data) -> Shards:
    return Shards.open(data)


def test_real_windows_bound_a_long_run(shards):
    reference = Reference(shards, "march", tuple(GENRES))
    assert reference.bpm == 120
    assert len(reference.windows) >= longrun.FEWEST
    assert reference.span == 16 * BAR  # no tune is longer
    bounds = reference.bounds
    assert set(bounds) == set(FIGURES)
    assert bounds["density"] == (17 / 4, 17 / 4)
    assert bounds["gap"] == (0.0, 2.0)
    found = long_figures(long_run(Scripted([60]), {}, 1, reference), reference)
    within = judge(found, bounds)
    assert not within["entropy"]  # one pitch
    assert not within["loop"]
    assert within["gap"]
    assert found["loop"] > 0.9


def test_few_real_pieces_bound_nothing(shards):
    reference = Reference(shards, "tango", (*GENRES, "tango"))
    assert reference.bounds == {}
    assert judge(long_figures(long_run(Scripted([60]), {}, 1, reference), reference), {}) == {}


def test_windows_of_no_genre_are_of_all(shards):
    together = Reference(shards, "none", tuple(GENRES))
    assert together.span == 240 * 24
    assert len(together.windows) == 0  # none of the tunes takes two minutes


# --- the rest


class Uniform:
    genres = 2
    learned = NOTHING

    def initial(self, lanes):
        return None

    def __call__(self, batch, condition, state):
        shape = batch["target"].shape[:2]
        return {name: torch.zeros(*shape, size) for name, size in note_family.CLASSES.items()}, None


def test_nats_by_field(shards):
    pieces = shards.select(genres=["march"])[:3]
    found = field_nats(Uniform(), shards, pieces, ("march", "waltz"), limit=50)
    assert set(found) == {"march", "mean"}
    march = found["march"]
    assert march["time"] == pytest.approx(np.log(385), abs=1e-3)
    assert march["micro"] == pytest.approx(np.log(8), abs=1e-3)
    assert march["pieces"] == 3
    fields = ("time", "part", "pitch", "duration", "velocity", "micro")
    assert march["total"] == pytest.approx(sum(march[f] for f in fields), abs=1e-2)
    assert march["bits_a_second"] > march["total"]


def test_cards_hold_text_and_tables(tmp_path):
    write_manifest(manifest("folk"), tmp_path)
    (tmp_path / "step.onnx").write_bytes(b"")
    write_card(tmp_path, {"Nats": {"folk": {"total": 4.25}}, "Lock": ["It holds.", {"C major": {"in": 1}}]})
    card = (tmp_path / "CARD.md").read_text()
    assert "## Nats\n\n| | total |\n|---|---|\n| folk | 4.25 |\n" in card
    assert "## Lock\n\nIt holds.\n\n| | in |" in card


def test_empty_tables_are_left_out(tmp_path):
    write_manifest(manifest("folk"), tmp_path)
    (tmp_path / "step.onnx").write_bytes(b"")
    write_card(tmp_path, {"None": ["Of nothing.", {}], "Some": ["Text.", {}, {"a": {"b": 1}}], "Words": ["Text."]})
    card = (tmp_path / "CARD.md").read_text()
    assert "## None" not in card
    assert "## Some\n\nText.\n\n| | b |" in card
    assert "## Words\n\nText.\n" in card


def test_the_time_left_is_estimated_at_the_speed_so_far(capsys):
    seconds = {"cost": 2.0}
    stages = Stages({"cost": 1, "pitch": 60, "runs": 30}, seconds)
    assert stages.seconds_left() == 180
    with stages.stage("pitch", "pitch of notes"):
        seconds["cost"] = 244.0
    with stages.stage("runs", "long runs"):
        pass
    assert capsys.readouterr().err == "pitch of notes ... 0 s, about 2 min left\nlong runs ... 0 s\n"
    assert Stages({"cost": 1}, {}).seconds_left() == 1


def test_the_loss_curve_needs_a_run(tmp_path):
    with pytest.raises(HocketError, match="give a folder that `fit` made"):
        plots.loss_curve(tmp_path / "loss.png", tmp_path)
    lines = [{"batch": b, "minutes": b, "valid": {"time": 1 / b, "pitch": 2.0}} for b in (1, 2, 3)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    plots.loss_curve(tmp_path / "loss.png", tmp_path)
    assert Image.open(tmp_path / "loss.png").width > 400


def test_piano_rolls_are_small_and_show_every_part(tmp_path):
    march, waltz = tune(1, GENRES["march"], 8), tune(2, GENRES["waltz"], 8)
    path = tmp_path / "new" / "rolls.png"
    plots.piano_rolls(path, [("march", march, march), ("waltz", waltz, Piece(waltz.notes[:0], waltz.metres))])
    assert path.stat().st_size < 60_000
    (tmp_path / "file").write_text("")
    with pytest.raises(HocketError, match="cannot be written"):
        plots.piano_rolls(tmp_path / "file" / "rolls.png", [("march", march, march)])


def test_bad_input_is_named(tmp_path, shards):
    with pytest.raises(HocketError, match="unknown model 'lstm-nobody'"):
        evaluate.find_bundle("lstm-nobody")
    with (
        pytest.raises(HocketError, match="unknown split 'exam': choose one of"),
        evaluate.held_out(shards.folder, None, "exam"),
    ):
        pass
    with (
        pytest.raises(HocketError, match="run `python -m training prepare`"),
        evaluate.held_out(tmp_path, None, "test"),
    ):
        pass
    with pytest.raises(HocketError, match="holds no MIDI files"), evaluate.held_out(shards.folder, tmp_path, "test"):
        pass


def test_a_card_is_written_again_with_the_figures_that_it_has(tmp_path):
    (tmp_path / "step.onnx").write_bytes(b"")
    write_manifest(manifest("folk"), tmp_path)
    write_card(tmp_path, {"Nats": {"folk": {"total": 4.25}}, "Lock": ["It holds.", {"C major": {"in": 1}}]})
    before = (tmp_path / "CARD.md").read_text()
    renew_card(tmp_path)
    assert (tmp_path / "CARD.md").read_text() == before
    run = {"recipe": {"seed": 7}, "data_hash": "d" * 64, "seconds": 90, "best": 4.5, "bundle": "e" * 64}
    made = Provenance("a" * 64, {"songs": "CC0-1.0"}, "c" * 40, 1, 2.0, {}, {}, (run,), {})
    write_manifest(msgspec.structs.replace(manifest("folk"), provenance=made), tmp_path)
    for _ in range(2):
        renew_card(tmp_path)
        card = (tmp_path / "CARD.md").read_text()
        assert f"| 1. | 1.5 | 7 | `{'d' * 16}` | 4.5 | `{'e' * 64}` |" in card
        assert card.count("## ") == 4
        assert "## Nats\n\n| | total |\n|---|---|\n| folk | 4.25 |\n" in card
        assert card.endswith("## Trained on\n\n- songs: CC0-1.0\n")
    (tmp_path / "CARD.md").unlink()
    with pytest.raises(HocketError, match="has no card that can be read"):
        renew_card(tmp_path)
