"""Figures of plans, on constructed examples where the answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from instrument.models.plan.form import ANSWERS, END, NEW, form_features
from instrument.models.plan.slots import CLASSES, NO_CHORD_CLASS, Section
from tests.training.plan_corpus import bar, piece, write_plans
from training.cli import app
from training.data.plans import prepare_plans
from training.evaluation.plans import sections as forms
from training.evaluation.plans import yardstick
from training.evaluation.plans.baselines import Counts, FormCounts, baselines
from training.evaluation.plans.command import goals
from training.evaluation.plans.copying import Progressions, changes_of
from training.evaluation.plans.writing import describe
from training.families.plan.task import form_genre

pytestmark = pytest.mark.usefixtures("one_thread")


def plans_of(tmp_path, pieces, more=None):
    return prepare_plans(write_plans(tmp_path / "source", pieces, more), tmp_path / "data")


def song(chords: list[int], genre: str = "pop", split: str = "test"):
    """A piece of one bar a chord, in 4/4."""
    bars = [bar((0, root, "maj")) for root in chords]
    return piece(len(chords), genre, split, bars=bars)


# --- chords


def test_the_yardstick_counts_slots_and_changes(tmp_path):
    plans = plans_of(tmp_path, [song([0, 5, 5, 7]), song([0, 0, 7, 7, 7, 7], "jazz")])
    examples = yardstick.with_features(plans.select("test"))

    def judge(pieces):
        return [(np.full(len(p.chords), 0.5), np.full(len(p.chords), 7)) for p in pieces]

    found = yardstick.measure(judge, examples)
    assert found["pop"] == {"nats a slot": 0.5, "nats a change": 8 * 0.5 / 2, "top-1": 0.5}
    assert found["jazz"] == {"nats a slot": 0.5, "nats a change": 12 * 0.5 / 1, "top-1": 1.0}
    assert found["mean"] == {"nats a slot": 0.5, "nats a change": 4.0, "top-1": 0.75}


def test_slots_are_pooled_within_a_genre(tmp_path):
    plans = plans_of(tmp_path, [song([0, 5]), song([0] * 8)])
    examples = yardstick.with_features(plans.select("test"))
    found = yardstick.measure(lambda _: [(np.full(4, 3.0), np.zeros(4)), (np.zeros(16), np.zeros(16))], examples)
    assert found["mean"]["nats a slot"] == pytest.approx(12 / 20)


def test_counts_leave_room_for_what_was_not_counted():
    counts = Counts(4)
    for value in (0, 0, 0, 1):
        counts.add([(), "here"], value)
    everywhere = (np.array([3, 1, 0, 0]) + 2 * 0.25) / 6
    assert counts.shares([()]) == pytest.approx(everywhere)
    assert counts.shares([(), "here"]) == pytest.approx((np.array([3, 1, 0, 0]) + 2 * everywhere) / 6)
    assert counts.shares([(), "elsewhere"]) == pytest.approx(everywhere)
    assert counts.shares([(), "here"]).sum() == pytest.approx(1)


def test_baselines_are_better_the_more_they_know(tmp_path):
    rng = np.random.default_rng(0)

    def returning(number, split):
        verse, middle = ([bar((0, int(root), "maj")) for root in rng.integers(0, 12, 7)] for _ in range(2))
        bars = [row | {"section": label, **({"start": 1} if at == 0 else {})}
                for label, part in zip("ABAB", (verse, middle, verse, middle), strict=True)
                for at, row in enumerate(part)]  # fmt: skip
        return piece(number, "pop", split, bars=bars)

    pieces = [returning(i, split) for split, count in (("train", 20), ("valid", 6), ("test", 6)) for i in range(count)]
    plans = plans_of(tmp_path, pieces)
    examples = {split: yardstick.with_features(plans.select(split)) for split in ("train", "valid", "test")}
    methods = baselines(examples["train"], examples["valid"])
    nats = {name: yardstick.measure(judge, examples["test"])["mean"]["nats a slot"] for name, judge in methods.items()}
    order = ["unigram", "repeat the last", "+ copy of 4, 8, 16 bars ago", "+ copy of the section"]
    assert list(methods) == ["unigram", "repeat the last", "trigram", *order[2:]]
    assert sorted(order, key=lambda name: -nats[name]) == order
    assert nats["+ copy of the section"] < nats["trigram"] - 0.3  # half of the piece is a section that returns
    for judge in methods.values():
        (found, guesses), *_ = judge(examples["test"])
        assert (found >= 0).all()
        assert (guesses != examples["test"][0].rows[:, 0]).all()


def test_a_copy_that_is_always_right_costs_next_to_nothing(tmp_path):
    rng = np.random.default_rng(1)
    loops = [[int(root) for root in rng.permutation(12)[:4]] * 8 for _ in range(30)]
    splits = ("train",) * 10 + ("valid",) * 10 + ("test",) * 10
    plans = plans_of(tmp_path, [song(loop, split=split) for loop, split in zip(loops, splits, strict=True)])
    examples = {split: yardstick.with_features(plans.select(split)) for split in ("train", "valid", "test")}
    judge = baselines(examples["train"], examples["valid"])["+ copy of 4, 8, 16 bars ago"]
    nats = np.stack([nats for nats, _ in judge(examples["test"])])
    assert nats[:, :8].mean() > 1.0
    assert nats[:, 8:].max() < 0.05


# --- sections


def test_figures_of_sections_on_forms_that_are_known(tmp_path):
    plans = plans_of(tmp_path, [piece(0, split="test")])  # A A B A

    def always(answer):
        def logs(rows):
            shares = np.full((len(rows), ANSWERS), 0.1 / (ANSWERS - 1))
            shares[:, answer] = 0.9
            return np.log(shares)

        return forms.measure_sections(logs, plans.select("test"))["mean"]

    wrong = -np.log(0.1 / (ANSWERS - 1))
    right = -np.log(0.9)
    assert always(0) == pytest.approx(
        {"returns": 2 / 3, "which": 2 / 3, "nats with the end": (2 * right + 2 * wrong) / 4}
    )
    assert always(NEW) == pytest.approx(
        {"returns": 1 / 3, "which": 1 / 3, "nats with the end": (right + 3 * wrong) / 4}
    )
    assert always(END)["nats with the end"] == pytest.approx((right + 3 * wrong) / 4)
    assert forms.majority_figures(plans.select("test")) == pytest.approx({"returns": 2 / 3, "which": 1 / 3})


def test_counts_learn_a_form_that_is_always_the_same(tmp_path):
    plans = plans_of(tmp_path, [piece(i, split=split) for split in ("train", "test") for i in range(12)])
    counts = FormCounts([form_features(form_genre(p), p.form) for p in plans.select("train")])
    found = forms.measure_sections(counts.logs, plans.select("test"))["mean"]
    assert found["returns"] == found["which"] == 1
    assert found["nats with the end"] < 0.6
    rows = form_features(0, [Section(0, 4), Section(1, 4)])[0]
    shares = np.exp(counts.logs(rows))
    assert shares.sum(-1) == pytest.approx(1)
    assert (shares[1, 1:NEW] < 1e-9).all()


# --- what is copied, what is written


def test_the_longest_progression_in_common_is_found():
    known = Progressions([[1, 1, 2, 2, 3, 4, 5, 5, 6], [9, 8, 7]])
    assert changes_of([1, 1, 2, 2, 1]).tolist() == [1, 2, 1]
    assert known.longest_common([0, 2, 3, 3, 3, 4, 5, 7]) == 4
    assert known.longest_common([1, 2, 3, 4, 5, 6]) == 6
    assert known.longest_common([6, 9, 8, 7]) == 3  # not from the end of one piece into the next
    assert known.longest_common([50, 51]) == 0
    assert known.longest_common([]) == 0


def test_a_plan_is_described():
    chords = [0, 0, 5, 5, 5, 7, NO_CHORD_CLASS, NO_CHORD_CLASS] * 2 + [5, 7] * 4
    metres = [(4, 4)] * 12
    found = describe(chords, metres, [Section(0, 4), Section(0, 4), Section(1, 4)], "pop")
    assert found["sections that return"] == 0.5
    assert found["ends on tonic or dominant"] == pytest.approx(1 / 3)
    assert found["changes a bar"] == pytest.approx(len(changes_of(chords)) / 12)
    assert set(describe(chords, metres, [Section(-1, 12)], "pop")) == {"changes a bar"}


def test_goals_are_met_from_below_or_above():
    reached = {"nats a slot": 0.5, "nats a change": 2.0, "top-1": 0.9}
    figures = {
        "chords": {name: {"mean": reached} for name in ("sections known", "sections not known")},
        "sections": {"model": {"mean": {"returns": 0.8, "which": 0.75, "nats with the end": 0.7}}},
    }
    assert [goal["met"] for goal in goals(figures).values()] == [True, False, True, True, False, True, True]


def test_the_command_measures_a_bundle_and_writes_its_card(plan_bundle, plan_data, tmp_path):
    arguments = ["evaluate", "--bundle", str(plan_bundle), "--data", str(plan_data), "--pieces", "2"]
    done = CliRunner().invoke(app, [*arguments, "--json", "--card", "--out", str(tmp_path / "figures")])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.output)
    assert figures["held_out"] == "test split of data"
    assert figures["chords"]["sections known"]["mean"]["nats a slot"] < np.log(CLASSES)
    assert set(figures["written"]) == {"pop", "rock", "jazz", "folk", "classical", "chorale"}
    assert json.loads((tmp_path / "figures" / "figures.json").read_text())["goals"] == figures["goals"]
    card = (plan_bundle / "CARD.md").read_text()
    for title in ("Chords ahead of time", "Sections ahead of time", "Goals", "Copied", "Written", "Cost"):
        assert f"## {title}" in card
    assert "- songs: CC0" in card
    refused = CliRunner().invoke(app, [*arguments, "--split", "else"])
    assert "unknown split 'else'" in str(refused.exception)
