"""What training sees is what playing builds."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from instrument.models.bundle import open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.notes.conditions import chord_number, plan_row
from instrument.models.notes.player import Ask
from instrument.music import codec
from instrument.music.chords.changes import ChordChange
from instrument.music.chords.names import parse_chord
from instrument.music.notes import Part, Piece, tidy
from instrument.music.plan import Plan, PlanBar, PlannedChord, Recall
from instrument.music.timebase import Metre, MetreMap
from training.data.notes.events import NoteStream, Sampling, features, vary
from training.data.notes.harmony import as_rows, chords_of
from training.data.notes.shards import PieceInfo

BUNDLE = Path(__file__).parents[3] / "models_onnx" / "lstm-band"


CHANGING = (Metre(0, 4, 4), Metre(384, 3, 4))


def piece(metres=CHANGING) -> Piece:
    """A piece with chords, drums and repeats."""
    rng = np.random.default_rng(3)
    rows = []
    for bar in range(12):
        for tick in (0, 12, 24, 48, 60, 72):
            chord = rng.choice([48, 52, 55, 60, 64], rng.integers(1, 4), replace=False)
            rows += [(bar * 96 + tick, 0, pitch, 12, int(rng.integers(20, 120)), 1) for pitch in chord]
            rows.append((bar * 96 + tick, 2, 36 + int(tick == 24), 6, 90, 3))
    return Piece(codec.to_grid(tidy(np.array(rows, np.int32))), metres)


@pytest.mark.parametrize("metres", [CHANGING, (Metre(0, 6, 8),), ()])
def test_the_player_sees_what_training_saw(metres):
    played = piece(metres)
    _, player = open_note_bundle(open_bundle(BUNDLE, trusted=True))
    player.reset(0, 0, MetreMap(metres))
    for note in played.as_notes():
        player.feed(note)
    told = features(played, dynamic=True)
    assert [list(row) for row in player._seen[:-1]] == told.seen.tolist()


def test_targets_are_the_notes_and_flat_velocities_are_told_apart():
    played = piece()
    told = features(played)
    assert (told.target[:, codec.TIME].cumsum() == played.notes[:, 0]).all()
    assert (told.target[:, codec.PITCH] & 127 == played.notes[:, 2]).all()
    constant = Piece(played.notes * np.array([1, 1, 1, 1, 0, 1]) + np.array([0, 0, 0, 0, 82, 0]), played.metres)
    assert (features(Piece(constant.notes.astype(np.int32), played.metres)).target[:, codec.VELOCITY] == 32).all()
    assert (told.target[2:, codec.VELOCITY] < 32).any()
    assert not told.flat[-1]


def test_live_play_and_teacher_forcing_agree():
    """The likelihood the player samples from is the one that is measured, of every field, with what a plan says."""
    import torch

    from instrument.models.notes.lstm import LstmPlayer
    from training.families.lstm.bundle import LstmBundling
    from training.families.notes.network import conditions, tensors, without_form

    played = piece((Metre(0, 4, 4),))
    bundle = open_bundle(BUNDLE, trusted=True)
    predictor = LstmBundling.predictor(bundle)
    bars = np.array([[96 * i, i % 4, 3 - i % 4, 0, 96 * (i - 4) if i > 3 else -1, 70] for i in range(24)], np.int32)
    chords = [parse_chord(name) for name in ("C", "F", "G7", "Am", "F")]
    changes = as_rows([ChordChange(96 * i, chords[i % 5]) for i in range(24)])
    recalls = [Recall(i - 4, 0.7) if i > 3 and predictor.learned.form else None for i in range(24)]
    plan = Plan(
        tuple(
            PlanBar((4, 4), "A", i % 4 == 0, (PlannedChord(0, chords[i % 5]),), recall)
            for i, recall in enumerate(recalls)
        )
    )
    told = features(played, dynamic=True, changes=changes, form=bars)
    rows = {n: getattr(told, n)[None] for n in told.__slots__} | {"genre": np.zeros((1, len(told)), np.int32)}
    batch = without_form(tensors(rows), torch.tensor([[False, False, True]]))
    keep = torch.zeros(1, 4, dtype=torch.bool)
    condition = conditions(batch, predictor.genres, keep, learned=predictor.learned)
    logits, _ = predictor(batch, condition, predictor.initial(1))
    player = LstmPlayer(bundle)
    player.reset(0, 0, MetreMap(played.metres))
    ask = Ask(plan=plan, harmony=1.0)
    seen: dict[int, list] = {}
    run, player._logits = player._logits, lambda head, *given: seen.setdefault(head, run(head, *given))
    for i, note in enumerate(played.as_notes()[:40]):
        seen.clear()
        player.log_likelihood(note, ask)
        for field, name in enumerate(("time", "part", "pitch", "duration")):
            mine, measured = (_softmax(x) for x in (seen[field], logits[name][0, i].numpy()))
            # 8-bit products of one row and of many are scaled apart
            assert np.abs(mine - measured).sum() / 2 < 0.05, (i, name)
        player.feed(note)


def _softmax(logits):
    likely = np.exp(logits - logits.max())
    return likely / likely.sum()


def drawn(weights: dict[str, float], realised: float = 1.0, full: int = 100) -> NoteStream:
    """A stream of two genres; the pieces of one have these weights by name."""
    plain = PieceInfo(
        "", "d", "rock", "", "", "train", 0, 0, 500, 60.0, 120.0, False, False, False, [(0, 4, 4)], [(0, 120.0)], [], 0
    )  # fmt: skip
    rock = [msgspec.structs.replace(plain, path=name, weight=weight, realised="realised" in name)
            for name, weight in weights.items()]  # fmt: skip
    other = msgspec.structs.replace(plain, genre="pop")
    sampling = Sampling(realised=realised, full_weight_notes=full)
    return NoteStream(None, [*rock, other], ("rock", "pop"), 1, 1, sampling)


def test_pieces_are_drawn_by_their_weights_within_a_genre():
    stream = drawn({"band": 4.0, "plain": 1.0, "realised": 0.25})
    pieces, odds = stream.by_genre["rock"]
    assert [p.path for p in pieces] == ["band", "plain", "realised"]
    np.testing.assert_allclose(odds, np.array([4, 1, 0.25]) / 5.25)
    assert [p.path for p in drawn({"band": 1.0, "realised": 0.25}, realised=0.0).by_genre["rock"][0]] == ["band"]


def test_weights_above_one_leave_the_genres_as_they_were():
    even = drawn({"band": 1.0, "plain": 1.0}, full=2000).shares
    np.testing.assert_allclose(drawn({"band": 4.0, "plain": 1.0}, full=2000).shares, even)
    np.testing.assert_allclose(even, [2 / 3, 1 / 3])
    less = drawn({"band": 1.0, "plain": 0.0}, full=2000).shares
    np.testing.assert_allclose(less, [1 / 2, 1 / 2])


def test_a_plan_reads_the_same_in_training_and_while_playing():
    """The chords of a piece, as features and as the plan that a player gets."""
    played = piece((Metre(0, 4, 4),))
    names = [("Dm9", 0), ("G7", 96), ("C/E", 144), ("N.C.", 480), ("F", 560), ("Bb", 8 * 96)]
    changes = as_rows([ChordChange(tick, parse_chord(name)) for name, tick in names])
    bars = [PlanBar() for _ in range(12)]
    for name, tick in names:
        bar = bars[tick // 96]
        first = bar.chords or ((PlannedChord(0, bars_chord(names, tick)),) if tick % 96 else ())
        bars[tick // 96] = bar._replace(chords=(*first, PlannedChord(tick % 96, parse_chord(name))))
    plan = Plan(tuple(held(bars)))
    told = features(played, changes=changes)
    ticks = np.concatenate([[0], codec.to_grid(played.notes)[:, 0]])
    for i in range(len(told)):
        np.testing.assert_array_equal(told.plan[i], plan_row(plan, int(ticks[i])))
        assert told.chord[i] == chord_number(plan.chord_at(int(ticks[i + 1])))
    assert (told.plan[:, 0] == 0).mean() > 0.8  # nearly everywhere there is a chord
    unknown = features(played)
    assert not unknown.chord.any()
    np.testing.assert_array_equal(unknown.plan, np.tile(plan_row(None, 0), (len(unknown), 1)))


def bars_chord(names, tick):
    """The chord in force before a tick."""
    return parse_chord(next(name for name, at in reversed(names) if at < tick))


def held(bars):
    """The bars, with the chord of the bar before where none is written."""
    last = ()
    for bar in bars:
        chords = bar.chords or last
        last = (PlannedChord(0, chords[-1].chord),) if chords else ()
        yield bar._replace(chords=chords)


def test_chords_are_moved_with_their_piece():
    played = piece((Metre(0, 4, 4),))
    changes = as_rows([ChordChange(0, parse_chord("Dm9")), ChordChange(96, parse_chord("C/E"))])
    moved, chords = vary(played, np.random.default_rng(2), changes=changes)
    shift = int((moved.notes[:, 2] - played.notes[:, 2])[played.notes[:, 5] != Part.DRUMS][0])
    assert shift
    assert [chord.root for chord in chords_of(chords)] == [(2 + shift) % 12, shift % 12]
    assert chords_of(chords)[1].bass == (4 + shift) % 12
    assert chords_of(chords)[0].quality == "min9"
    unmetered, chords = vary(piece(()), np.random.default_rng(1), 0, changes)
    assert abs(chords[1, 0] - 96 * unmetered.notes[-1, 0] / played.notes[-1, 0]) < 2
