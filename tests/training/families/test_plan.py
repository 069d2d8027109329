"""The family `plan`: data, learning, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from instrument.models.bundle import open_bundle
from instrument.models.plan.form import ANSWERS, END, NEW, form_features
from instrument.models.plan.slots import CLASSES, COLUMNS, NONE, WIDTH, Section, without_sections
from tests.training.plan_corpus import SMALL, small_recipe
from training.core import checkpoint
from training.data.plans import open_plans
from training.export import PARITY
from training.families.plan.network import ChordStep, Config, FormDetails, FormStep, Network
from training.families.plan.predictor import BundlePlan
from training.families.plan.task import PADDING, PlanTask, chord_nats, form_batch, judged, score
from training.fit import Run, load_network

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    return Network(Config(**SMALL), 6).eval()


def rows_of(plan_data: Path, count: int = 4) -> torch.Tensor:
    pieces = open_plans(plan_data).select("train")[:count]
    return torch.from_numpy(np.stack([piece.features() for piece in pieces]).astype(np.int64))


# --- the network


def test_steps_say_what_the_network_says_all_at_once(network, plan_data):
    rows = rows_of(plan_data)
    with torch.no_grad():
        whole, state = network(rows)
        step, hidden, found = ChordStep(network).eval(), torch.zeros(4, 2, SMALL["units"]), []
        for at in range(rows.shape[1]):
            logs, hidden = step(rows[:, at], hidden)
            found.append(logs)
    assert torch.allclose(torch.stack(found, 1), whole, atol=1e-5)
    assert torch.allclose(hidden.transpose(0, 1), state, atol=1e-6)


def test_form_steps_say_what_the_network_says_all_at_once(network):
    forms = [form_features(2, [Section(id, 8) for id in ids]) for ids in ((0, 0, 1, 0), (0, 1, 2, 1))]
    rows, right = form_batch(forms)
    with torch.no_grad():
        whole, context = network.form(rows)
        length, kind = network.form.details(context[:, 2], right[:, 2, 0], right[:, 2, 1])
        step, hidden = FormStep(network).eval(), torch.zeros(2, SMALL["form"])
        for at in range(rows.shape[1]):
            logs, said, hidden = step(rows[:, at], hidden)
            assert torch.allclose(logs, whole[:, at], atol=1e-5)
            if at == 2:
                found_details = FormDetails(network).eval()(said, right[:, 2, 0], right[:, 2, 1])
                assert torch.allclose(found_details[0], length, atol=1e-5)
                assert torch.allclose(found_details[1], kind, atol=1e-5)


def test_all_shares_come_to_one(network, plan_data):
    with torch.no_grad():
        logs, _ = network(rows_of(plan_data))
        answers, _ = network.form(form_batch([form_features(0, [Section(0, 4)])])[0])
    assert torch.allclose(logs.exp().sum(-1), torch.ones(logs.shape[:2]), atol=CLASSES * 2e-6)
    assert torch.allclose(answers.exp().sum(-1), torch.ones(answers.shape[:2]), atol=1e-5)


def test_sections_that_never_were_cannot_return(network):
    rows, _ = form_batch([form_features(0, [Section(0, 4), Section(1, 4)])])
    with torch.no_grad():
        shares = network.form(rows)[0][0].exp()
    assert ((shares > 1e-9).sum(-1) == torch.tensor([2, 3, 4])).all()  # those that were, a new one, the end
    assert (shares[:, [NEW, END]] > 1e-9).all()
    assert shares.shape[-1] == ANSWERS


def test_a_gate_that_is_open_copies_the_echo(network, plan_data):
    rows = rows_of(plan_data)
    echo = 1 + 1  # the second lag, after the previous chord
    with torch.no_grad():
        network.gate.weight.zero_()
        network.gate.bias.fill_(-50.0)
        network.gate.bias[1 + echo] = 50.0
        logs, _ = network(rows)
    copied = rows[..., len(COLUMNS) + 1]
    there = copied != NONE
    assert there.any()
    assert (logs.argmax(-1)[there] == copied[there]).all()


# --- the task


def test_excerpts_read_pieces_from_their_start_to_their_end(plan_data):
    task = PlanTask(small_recipe(plan_data, hidden=0.0, steps=20))
    rng = np.random.default_rng(0)
    rows, chords, begun = task._next(rng)
    assert begun.all()
    first = [piece for piece, _, _ in task._excerpts]
    more, after, begun = task._next(rng)
    assert not begun.any()
    for lane, number in enumerate(first):
        piece = task.pieces[number]
        assert chords[lane].tolist() == piece.chords[:20]
        assert after[lane].tolist() == piece.chords[20:] + [PADDING] * (40 - len(piece.chords))
        read = torch.cat([rows[lane], more[lane]])[: len(piece.chords)]
        assert (read.numpy() == piece.features()).all()
    assert task._next(rng)[2].all()


def test_hidden_excerpts_have_no_features_of_sections(plan_data):
    task = PlanTask(small_recipe(plan_data, hidden=1.0, steps=40))
    rows = task._next(np.random.default_rng(0))[0].numpy().astype(np.int8)[:, :32]  # a piece has 32 slots
    assert (rows == without_sections(rows)).all()
    assert rows.shape == (4, 32, WIDTH)


def test_genres_are_drawn_evenly_where_that_is_asked_for(plan_data):
    even = PlanTask(small_recipe(plan_data, balance=0.0))
    genres = np.array([piece.genre for piece in even.pieces])
    assert even.shares.sum() == pytest.approx(1)
    assert even.shares[genres == "pop"].sum() == pytest.approx(0.5)


def test_a_loss_is_finite_and_falls(plan_data):
    run = Run(small_recipe(plan_data, learning_rate=1e-2), Path("unused"))
    losses = [run.step(0.0)["total"] for _ in range(12)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_nats_do_not_depend_on_who_is_judged_beside(network, plan_data):
    pieces = open_plans(plan_data).select("train")[:3]
    rows = [piece.features() for piece in pieces]
    rows[1] = rows[1][:10]
    chords = [piece.chords[: len(r)] for piece, r in zip(pieces, rows, strict=True)]
    together = chord_nats(network, rows, chords)
    for i in range(3):
        (alone,) = chord_nats(network, rows[i : i + 1], chords[i : i + 1])
        assert np.allclose(alone[0], together[i][0], atol=1e-5)
        assert (alone[1] == together[i][1]).all()


def test_a_guess_is_never_the_previous_chord():
    logs = np.log(np.full((3, CLASSES), 1 / CLASSES))
    logs[:, 4] = -0.1
    logs[:, 7] = -0.2
    nats, guesses = judged(logs, np.array([NONE, 4, 7]), [4, 7, 0])
    assert guesses.tolist() == [4, 7, 4]
    assert nats.tolist() == pytest.approx([0.1, 0.2, np.log(CLASSES)])


# --- runs and bundles


def test_a_broken_off_run_goes_on_as_if_it_had_not_been(plan_data, plan_run, tmp_path):
    broken = Run(small_recipe(plan_data), tmp_path)
    for _ in range(5):
        broken.step(broken.batch / 12)
    broken.save()
    resumed = Run(small_recipe(plan_data), tmp_path)
    assert resumed.batch == 5
    resumed.fit()
    mine, theirs = (checkpoint.load(folder / "last.safetensors")[0] for folder in (tmp_path, plan_run))
    assert [name for name in theirs if not torch.equal(mine[name], theirs[name])] == []


def test_the_bundle_says_what_the_network_says(plan_bundle, plan_run, plan_data):
    bundle = open_bundle(plan_bundle, trusted=True)
    network, _, _ = load_network(plan_run / "best.safetensors")
    pieces = open_plans(plan_data).select("valid")
    mine, theirs = score(network, pieces), score(BundlePlan(bundle), pieces)
    assert bundle.manifest.provenance.metrics["parity"] <= PARITY
    assert theirs.known == pytest.approx(mine.known, abs=0.02)  # its weights have 8 bits
    assert theirs.unknown == pytest.approx(mine.unknown, abs=0.02)
    assert theirs.form == pytest.approx(mine.form, abs=0.02)


def test_the_bundle_gives_its_golden_output(plan_bundle):
    bundle = open_bundle(plan_bundle, trusted=True)
    golden = bundle.golden()
    model = BundlePlan(bundle)
    (chords,) = model(torch.from_numpy(golden["row"]))
    answers, _ = model.form(torch.from_numpy(golden["form_row"]))
    assert np.abs(chords.numpy() - golden["chords"]).max() < bundle.manifest.golden.tolerance
    assert np.abs(answers.numpy() - golden["answers"]).max() < bundle.manifest.golden.tolerance


def test_the_card_names_what_it_was_trained_on(plan_bundle):
    card = (plan_bundle / "CARD.md").read_text()
    assert "A plan model" in card
    assert "- songs: CC0" in card
    assert "- forms: MIT" in card


def test_a_run_goes_on_from_a_bundle(plan_bundle, plan_data, plan_run, tmp_path):
    begun = Run(small_recipe(plan_data), tmp_path, start=str(plan_bundle))
    network, _, _ = load_network(plan_run / "best.safetensors")
    pieces = open_plans(plan_data).select("valid")
    assert score(begun.network.eval(), pieces).known == pytest.approx(score(network, pieces).known, abs=0.05)
