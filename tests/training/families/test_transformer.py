"""The Music Transformer: what it may look at, the same live as in training, resumed, exported, played and rewound."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.notes.player import Ask, feed_all
from instrument.models.notes.transformer import TransformerPlayer
from instrument.music import codec
from instrument.music.notes import Note
from instrument.music.timebase import Metre, MetreMap
from training.core import checkpoint
from training.core.recipe import Recipe
from training.data.notes.events import NoteStream, Sampling
from training.data.notes.shards import Shards
from training.export import PARITY, export
from training.families.notes import network as note_family
from training.families.transformer.bundle import TransformerBundling
from training.families.transformer.network import Config, Network
from training.fit import Run
from training.recipe import read_recipe

RECIPE = Path(__file__).parents[3] / "training" / "recipes" / "transformer-smoke.toml"
METRES = MetreMap((Metre(0, 3, 4),))

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def recipe(data) -> Recipe:
    chosen = read_recipe(RECIPE)
    return dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, folder=str(data)))


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory, one_thread) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("run")
    Run(recipe, folder).fit()
    return folder


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory, one_thread) -> Bundle:
    return open_bundle(export(run / "best.safetensors", tmp_path_factory.mktemp("bundles")), trusted=True)


@pytest.fixture
def player(bundle) -> TransformerPlayer:
    return open_note_bundle(bundle)[1]


# --- the network


@pytest.fixture(scope="module")
def network() -> Network:
    """A small one with weights in every layer."""
    torch.manual_seed(1)
    made = Network(Config(layers=2, width=32, queries=4, inner=32, context=20, head=16, dropout=0.0), 2)
    for layer in made.layers:
        torch.nn.init.normal_(layer.found.weight, std=0.2)
        torch.nn.init.normal_(layer.out.weight, std=0.2)
    return made.eval()


def batch_of(data: Path, steps: int, segment: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Three lanes of excerpts of at most `segment` notes, with their conditions."""
    shards = Shards.open(data)
    stream = NoteStream(shards, shards.select(split="train"), ("march", "waltz"), 3, 1, Sampling(segment=segment))
    batch = note_family.tensors(stream.next(steps))
    return batch, note_family.conditions(batch, 2, torch.ones(3, 4, dtype=torch.bool))


def worst(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@torch.no_grad()
def test_chunks_with_a_past_give_what_the_whole_gives(network, data):
    batch, condition = batch_of(data, 100, 200)
    whole, _ = network(batch, condition, network.initial(3))
    state, parts = network.initial(3), []
    for at in range(0, 100, 17):
        some = {name: value[:, at : at + 17] for name, value in batch.items()}
        logits, state = network(some, condition[:, at : at + 17], state)
        parts.append(logits)
    assert worst(whole, {name: torch.cat([p[name] for p in parts], 1) for name in whole}) < 1e-5


@torch.no_grad()
def test_training_computes_the_same_and_remembers_nothing(network, data):
    batch, condition = batch_of(data, 90, 40)
    whole, _ = network(batch, condition, ())
    network.train()
    trained, state = network(batch, condition, ())
    network.eval()
    assert worst(whole, trained) < 1e-5
    assert state == ()


@torch.no_grad()
def test_no_step_sees_what_comes_or_was_before_its_excerpt_or_its_context(network, data):
    batch, condition = batch_of(data, 90, 30)
    whole, _ = network(batch, condition, ())
    changed = {name: value.clone() for name, value in batch.items()}
    changed["seen"][:, 45, 2] = (changed["seen"][:, 45, 2] + 7) % 300  # another duration
    other, _ = network(changed, condition, ())
    for lane in range(3):
        starts = (batch["seen"][lane, :, 0] == codec.NO_NOTE).nonzero()[:, 0].tolist()
        end = min([s for s in starts if s > 45], default=90)
        reach = 45 + 1 + network.config.layers * (network.config.context - 1)
        moved = (whole["pitch"][lane] - other["pitch"][lane]).abs().amax(-1) > 0
        assert not moved[:45].any()
        assert moved[45]
        assert not moved[min(end, reach) :].any()


# --- the run and its bundle


def test_a_run_taken_up_again_comes_to_the_same_weights(recipe, run, tmp_path):
    first = Run(recipe, tmp_path)
    for _ in range(25):
        first.step(first.batch / recipe.train.batches)
    first.save()
    again = Run(recipe, tmp_path)
    assert again.batch == 25
    again.fit()
    mine, theirs = (checkpoint.load(folder / "last.safetensors")[0] for folder in (tmp_path, run))
    assert [name for name in theirs if not torch.equal(mine[name], theirs[name])] == []


def test_training_makes_it_better(recipe, run, tmp_path):
    untrained = Run(recipe, tmp_path).validate().total
    assert checkpoint.load(run / "best.safetensors")[1]["best"] < untrained - 1


def test_the_bundle_computes_what_the_network_does(bundle):
    metrics = bundle.manifest.provenance.metrics
    assert metrics["parity"] <= PARITY
    assert bundle.manifest.family == "transformer"


def test_the_golden_file_is_met_step_by_step(bundle):
    golden, predictor = bundle.golden(), TransformerBundling.predictor(bundle)
    state = predictor.initial(1)
    for i in range(golden["seen"].shape[1]):
        at = slice(i, i + 1)
        shares, state = predictor.stepper.run(golden["seen"][:, at], golden["condition"][:, at], state)
        for field in codec.FIELDS:
            head = {"share": shares[f"share_{field}"], "context": golden[f"context_{field}"][:, at]}
            (logits,) = bundle.session(field).run(head)
            np.testing.assert_allclose(logits, golden[f"logits_{field}"][:, at], atol=bundle.manifest.golden.tolerance)


def test_a_run_goes_on_from_the_bundle(recipe, run, bundle, tmp_path):
    begun = Run(recipe, tmp_path, start=str(bundle.folder))
    best = checkpoint.load(run / "best.safetensors")[1]["best"]
    assert begun.validate().total == pytest.approx(best, abs=0.05)


# --- playing


def play(player: TransformerPlayer, count: int, seed: int = 1, forget: int = 0) -> list[Note]:
    """A performance from its beginning; forget: notes that it may be rewound by, 0 = all."""
    player.reset(seed, 0, METRES)
    return more(player, count, forget)


def more(player: TransformerPlayer, count: int, forget: int = 0) -> list[Note]:
    notes = []
    for _ in range(count):
        notes.append(player.propose(Ask(knobs={"temperature": 1.0, "top_p": 0.95})))
        player.feed(notes[-1])
        if forget:
            player.forget_before(player.count - forget)
    return notes


def test_it_plays_the_same_for_a_seed_and_another_for_another(player):
    notes = play(player, 60)
    assert all(a.order < b.order for a, b in pairwise(notes))
    assert play(player, 60) == notes != play(player, 60, seed=2)


def test_forgetting_and_making_room_changes_nothing(player):
    """Four times its context in rows is what the array holds: here it is moved, and there it grows."""
    assert play(player, 300) == play(player, 300, forget=8)


@pytest.mark.parametrize("back", [1, 30, 120, 200])
def test_rewound_it_plays_the_same_again(player, back):
    """Also from beyond the context, and where the rows were moved in between."""
    notes = play(player, 200)
    player.rewind(200 - back)
    player.propose(Ask(knobs={"temperature": 2.0}))
    assert more(player, back) == notes[200 - back :]


def test_there_is_no_way_back_to_what_was_forgotten(player):
    notes = play(player, 150, forget=10)
    player.rewind(140)
    assert more(player, 10) == notes[140:]
    with pytest.raises(ValueError, match="forgotten"):
        player.rewind(130)


def test_a_prompt_taken_in_at_once_is_as_one_taken_in_note_by_note(player):
    notes = play(player, 110)
    player.reset(1, 0, METRES)
    for note in notes[:70]:
        player.feed(note)
    one_by_one = player._need_step(Ask())
    player.reset(1, 0, METRES)
    feed_all(player, notes[:70])
    for mine, theirs in zip(player._need_step(Ask()), one_by_one, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.1)  # 8-bit products of many rows share a scale
    heard = more(player, 60)
    player.rewind(90)  # among those that it played itself, and then among those it was given
    assert more(player, 40) == heard[20:]
    player.rewind(50)
    feed_all(player, notes[50:70])
    assert player.count == 70


def test_steps_under_two_conditions_are_those_under_each(player):
    play(player, 100)
    told = player._steer.condition(player._hearing())
    both = np.stack([told, np.roll(told, 1)])
    seen, backbone = player._seen[-1], player._backbone
    together = backbone.step(seen, both, 100)
    after = [rows.copy() for rows in backbone._new[1]]
    for lane in (1, 0):
        for mine, theirs in zip(together, backbone.step(seen, both[lane : lane + 1], 100), strict=True):
            np.testing.assert_allclose(mine[lane], theirs[0], atol=0.1)  # 8-bit products of many rows share a scale
    for mine, theirs in zip(after, backbone._new[1], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.1)
