"""Every family's step, validation, checkpoint and resumption on a device that is not the processor.

Where there is a GPU it is used; elsewhere a stand-in, which refuses what CUDA refuses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from instrument.errors import HocketError
from tests.support.sound.corpus import make_note_corpus, make_stream_corpus
from tests.training.plan_corpus import small_recipe
from tests.training.runs.separate_device import separate_device
from training.core.devices import check_device
from training.core.recipe import Recipe
from training.families.table import FAMILIES
from training.fit import Run
from training.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
SMALL_STREAM = {"widths": (12, 10, 8, 8), "components": 12, "codebooks": 3, "codebook_size": 12, "style": 4}

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(600)]


@pytest.fixture
def device() -> Iterator[str]:
    with nullcontext("cuda") if torch.cuda.is_available() else separate_device() as name:
        yield name


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    make_stream_corpus(folder / "music", seconds=1.5)
    make_note_corpus(folder / "notes", seconds=1.0)
    make_note_corpus(folder / "full", rate=44100, seconds=0.5, pitches=(48, 60, 67, 72))
    return folder


def changed(recipe: Recipe, folder: Path, model: dict, sampling: dict | None = None, **train) -> Recipe:
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(folder)),
        model=dataclasses.replace(recipe.model, **model),
        sampling=dataclasses.replace(recipe.sampling, **sampling or {}),
        train=dataclasses.replace(recipe.train, batches=4, warmup_batches=1, ema_decay=0.5, **train),
    )


def small(name: str, data: Path, plans: Path, sounds: Path) -> Recipe:
    """A recipe of seconds for a name in RUNS."""
    if name == "plan":
        return small_recipe(plans)
    recipe = read_recipe(RECIPES / f"{name}.toml")
    if name in ("lstm-smoke", "transformer-smoke"):
        return changed(recipe, data, {"dropout": 0.0})
    if name == "musicvae-melody2":
        model = {"latent": 8, "encoder": 12, "decoder": 16, "conductor": 16, "context": 8}
        return changed(recipe, data, model, batch_size=4, valid_phrases=6)
    if name == "cmelgan":
        model = SMALL_STREAM | {"units": 16, "head": 8}
        sampling = {"sequence_length": 24, "primer_length": 2, "generated_length": 4}
        return changed(recipe, sounds / "music", model, sampling, batch_size=4, valid_clips=6, prior_share=0.5)
    if name == "vocoder":
        model = {"width": 16, "layers": 2, "hidden": 24, "tonal_bins": 128}
        train = {"batch_size": 2, "frames": 16, "context": 4, "valid_clips": 1, "valid_seconds": 0.3}
        return changed(recipe, sounds / "music", model, notes_folder=str(sounds / "full"), **train)
    if name == "ddsp":
        sampling = {"full_rate_folder": ""}
        return changed(recipe, sounds / "notes", {"note_width": 24, "frame_width": 16}, sampling, batch_size=4)
    model = {"frames": 24, "width": 24, "layers": 2, "embedding": 6, "latent": 4, "positions": 16, "encoder": 16}
    critic = {"critic_batch_size": 2, "critic_frames": 8, "critic_warmup_batches": 0, "r1_every": 2}
    return changed(recipe, sounds / "notes", model, {"frames": 8}, batch_size=4, **critic)


RUNS = {
    "lstm-smoke": "lstm",
    "transformer-smoke": "transformer",
    "musicvae-melody2": "musicvae",
    "plan": "plan",
    "cmelgan": "cmelgan",
    "vocoder": "vocoder",
    "ddsp": "ddsp",
    "gansynth": "gansynth",
    "gansynth-adversarial": "gansynth",
}


def test_every_family_is_tried():
    assert set(RUNS.values()) == set(FAMILIES)


@pytest.mark.parametrize("name", RUNS)
def test_a_family_trains_and_resumes_on_a_device_as_on_the_processor(
    name, data, plan_data, sounds, device, tmp_path, monkeypatch
):
    monkeypatch.setattr("training.families.cmelgan.task.PATCHES", 400)
    recipe = small(name, data, plan_data, sounds)
    losses, scores = [], []
    for where in ("cpu", device):
        (tmp_path / where).mkdir()
        run = Run(recipe, tmp_path / where, where)
        losses.append([run.step(0.0)["total"], run.step(0.6)["total"]])
        scores.append(run.validate().total)
        run.save()
        resumed = Run(recipe, tmp_path / where, where)
        assert resumed.batch == 2
        assert {p.device.type for p in resumed.network.parameters()} == {torch.device(where).type}
        losses[-1] += [resumed.step(0.8)["total"], run.step(0.8)["total"]]
    assert losses[0][2] == pytest.approx(losses[0][3], rel=1e-4)
    if device != "cuda":  # a GPU draws other numbers
        assert losses[1] == pytest.approx(losses[0], rel=1e-3)
        assert scores[1] == pytest.approx(scores[0], rel=1e-3)


@pytest.mark.parametrize("name", ["cuda:77", "gpu", "meta", "cpu:x"])
def test_a_device_that_is_not_there_is_one_line(name):
    with pytest.raises(HocketError, match=f"device '{name}' cannot be used"):
        check_device(name)


def test_the_stand_in_refuses_what_cuda_refuses():
    with separate_device() as device:
        there, here = torch.ones(2, device=device), torch.ones(2)
        for mixed in (lambda: there + here, lambda: torch.cat([there, here]), there.numpy):
            with pytest.raises((RuntimeError, TypeError)):
                mixed()
        assert (there.cpu() + here).tolist() == [2, 2]


def test_the_stand_ins_recurrent_layers_compute_what_the_processors_do():
    torch.manual_seed(1)
    layers = [torch.nn.LSTM(5, 6, 2, batch_first=True, bidirectional=True), torch.nn.GRU(5, 7, 2, batch_first=True)]
    x = torch.randn(3, 9, 5)
    with separate_device() as device:
        for layer in layers:
            layer(x)[0].pow(2).mean().backward()
            grads = [p.grad for p in layer.parameters()]
            layer.zero_grad(set_to_none=True)
            there = layer.to(device)
            there(x.to(device))[0].pow(2).mean().backward()
            for parameter, grad in zip(there.parameters(), grads, strict=True):
                torch.testing.assert_close(parameter.grad.cpu(), grad)
