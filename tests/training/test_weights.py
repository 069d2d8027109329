"""Going on from a model that is there: a bundle's weights back in a network, other genres, the recipe of one's own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from instrument.errors import HocketError
from instrument.models.notes.conditions import condition_size
from instrument.models.notes.form_conditions import NO_ECHO, NO_FORM
from instrument.music.notes import Piece
from instrument.music.timebase import Metre
from training.cli import app
from training.core import checkpoint
from training.core.recipe import Recipe
from training.data.notes.events import features
from training.families.lstm import network as lstm
from training.families.notes import network as note_family
from training.families.transformer import network as transformer
from training.fit import Run, load_network
from training.recipe import recipe_table, tuned
from training.weights import bundle_weights, starting_weights

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


def test_a_bundle_gives_its_weights_back(run, bundle_folder):
    """In 8 bits, of which 7 are used: none is further off than half a step, of which the largest has 64."""
    network, _, _ = load_network(run / "best.safetensors")
    found, facts = starting_weights(str(bundle_folder))
    weights = network.state_dict()
    for name, parameter in weights.items():
        if "bias_" in name:  # the graphs hold the sum of the LSTM's two
            continue
        layer = [n for n in weights if ".weight_" in name and ".weight_" in n and n[-3:] == name[-3:]] or [name]
        largest = max(float(weights[n].abs().max()) for n in layer)  # an LSTM's two are one in the graphs
        assert (found[name] - parameter).abs().max() <= largest / 64 / 2 * 1.01, name
    assert tuple(facts["genres"]) == ("march", "waltz")


def test_a_run_goes_on_from_a_bundle_where_its_parent_was(recipe, run, bundle_folder, tmp_path):
    parent = checkpoint.load(run / "best.safetensors")[1]
    begun = Run(recipe, tmp_path, start=str(bundle_folder))
    assert begun.validate().total == pytest.approx(parent["best"], abs=0.05)
    (ancestor,) = begun.facts()["ancestry"]
    assert ancestor["data_hash"] == parent["data_hash"]
    assert ancestor["bundle"]
    again = Run(recipe, tmp_path, start=str(bundle_folder))
    again.step(0.0)
    again.save()
    assert Run(recipe, tmp_path).facts()["ancestry"] == [ancestor]


def test_a_genre_that_is_new_begins_as_none_and_one_that_is_gone_is_let_go():
    theirs, mine = ("jazz", "rock"), ("jazz", "mine", "polka")
    old = torch.arange(5 + condition_size(2), dtype=torch.float32).repeat(3, 1)
    shapes = {name: torch.zeros(3, 5 + condition_size(3)) for name in note_family.CONDITIONED}
    found = note_family.adopted(dict.fromkeys(note_family.CONDITIONED, old), shapes, theirs, mine)
    for value in found.values():
        assert value.shape == (3, 5 + condition_size(3))
        assert value[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 5, 5, *range(8, 5 + condition_size(2))]


def test_conditions_that_the_parent_did_not_know_are_unheard():
    old = torch.ones(3, 5 + condition_size(1) - 12)
    shapes = {name: torch.zeros(3, 5 + condition_size(1)) for name in note_family.CONDITIONED}
    found = note_family.adopted(dict.fromkeys(note_family.CONDITIONED, old), shapes, ("a",), ("a",))
    assert found["inputs.weight"][:, -12:].abs().sum() == 0
    assert found["inputs.weight"][:, :-12].min() == 1


@pytest.mark.parametrize("family", [lstm, transformer])
@pytest.mark.parametrize(("theirs", "mine"), [((), ("plan",)), (("plan",), ("plan", "form")), ((), ("plan", "form"))])
def test_a_child_that_follows_more_of_a_plan_predicts_as_its_parent_at_first(family, theirs, mine):
    """Whether it is told of chords, sections and recalled bars or not: their weights start at 0."""
    sizes = {"units": 8, "inputs": 6} if family is lstm else {"width": 16, "query_heads": 2, "feedforward": 8}
    config = family.Config(layers=1, head=5, dropout=0.0, **sizes)
    parent = family.Network(dataclasses.replace(config, **dict.fromkeys(theirs, True)), 2).eval()
    child = family.Network(dataclasses.replace(config, **dict.fromkeys(mine, True)), 2).eval()
    shapes = child.state_dict()
    child.load_state_dict(note_family.adopted(parent.state_dict(), shapes, ("a", "b"), ("a", "b")))
    song = Piece(np.array([[t, 0, 60 + t // 24, 12, 80, 0] for t in range(0, 960, 24)], np.int32), (Metre(0, 4, 4),))
    bars = np.array([[96 * bar, bar % 5, 4 - bar % 5, 0, 96 * (bar - 5) if bar > 4 else -1, 80] for bar in range(10)])
    told = features(song, changes=np.array([[0, 0, 0, 0], [96, 7, 2, 7]], np.int32), form=bars.astype(np.int32))
    assert (told.recalled[:, 1] < NO_ECHO.row).sum() == 16
    rows = {n: getattr(told, n)[None] for n in told.__slots__} | {"genre": np.ones((1, len(told)), np.int32)}
    batch, keep = note_family.tensors(rows), torch.ones(1, 4, dtype=torch.bool)
    hidden = note_family.without_plan(batch, torch.ones(1, dtype=torch.bool))
    hidden = note_family.without_form(hidden, torch.ones(1, 3, dtype=torch.bool))
    with torch.no_grad():
        for each in (batch, hidden):
            before, after = (
                net(each, note_family.conditions(each, 2, keep, learned=net.learned), net.initial(1))[0]
                for net in (parent, child)
            )
            for name, logits in before.items():
                torch.testing.assert_close(after[name], logits)
    assert not hidden["chord"].any()
    assert hidden["plan"][0, :, 0].all()
    assert (hidden["form"][0] == torch.from_numpy(NO_FORM)).all()
    assert (hidden["recalled"][0] == torch.tensor(NO_ECHO)).all()


def test_another_model_is_not_taken_up(recipe, bundle_folder, tmp_path):
    larger = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, units=32))
    with pytest.raises(HocketError, match="another model"):
        Run(larger, tmp_path, start=str(bundle_folder))
    with pytest.raises(HocketError, match="unknown model 'nowhere'"):
        starting_weights("nowhere")


def test_a_damaged_bundle_is_named(bundle_folder, tmp_path):
    with pytest.raises(HocketError, match="no bundle"):
        bundle_weights(tmp_path)


def test_one_s_own_recipe_is_the_parent_s_taught_gently(recipe: Recipe):
    own = tuned(recipe_table(recipe), "my-songs")
    assert (own.slug, own.name, own.family) == ("my-songs", "My songs", recipe.family)
    assert own.model == recipe.model
    assert own.train.learning_rate < recipe.train.learning_rate
    assert not own.data.ship_only
    with pytest.raises(HocketError, match="'My Songs'"):
        tuned(recipe_table(recipe), "My Songs")


def test_the_command_line_tunes_a_bundle(bundle_folder, data, tmp_path: Path):
    told = ["fit", "--from", str(bundle_folder), "--data", str(data), "--run", str(tmp_path), "--threads", "1"]
    done = CliRunner().invoke(app, told)
    assert isinstance(done.exception, HocketError)
    assert "--slug" in str(done.exception)
    done = CliRunner().invoke(app, [*told, "--slug", "mine", "--minutes", "0.01"])
    assert done.exit_code == 0, done.output
    facts = checkpoint.load(tmp_path / "best.safetensors")[1]
    assert facts["recipe"]["slug"] == "mine"
    assert len(facts["ancestry"]) == 1
