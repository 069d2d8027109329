"""The whole path on a small collection: prepare, train, killed, resumed, exported, played."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import open_note_bundle
from instrument.models.notes.player import Ask
from instrument.music import codec
from instrument.music.timebase import Metre, MetreMap
from tests.support.corpus import write_corpus
from training.core import checkpoint
from training.data.notes.prepare import prepare
from training.export import PARITY, export
from training.families.musicvae.task import PhraseTask
from training.families.notes.bundle import NoteBundling
from training.families.notes.task import NoteTask
from training.families.table import FAMILIES
from training.fit import Run, load_network
from training.recipe import read_recipe
from training.weights import teacher_of

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "training" / "recipes"
SMOKE = RECIPES / "lstm-smoke.toml"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bundle(bundle_folder) -> Bundle:
    return open_bundle(bundle_folder, trusted=True)


def killed_run(data: Path, folder: Path) -> int:
    """Start `fit` on the command line, kill it after its first checkpoint; returns the batches that has."""
    command = [
        sys.executable,
        "-m",
        "training",
        "fit",
        "--recipe",
        SMOKE,
        "--run",
        folder,
        "--data",
        data,
        "--threads",
        "1",
    ]
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 90
        while not (folder / "last.safetensors").exists():
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < deadline, "no checkpoint was written"
            time.sleep(0.005)
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=10)
    return checkpoint.load(folder / "last.safetensors")[1]["batch"]


def test_a_killed_run_resumes_to_the_same_weights(data, recipe, run, tmp_path):
    assert 0 < killed_run(data, tmp_path) < recipe.train.batches
    resumed = Run(recipe, tmp_path)
    assert 0 < resumed.batch < recipe.train.batches
    resumed.fit()
    for name in ("last", "best"):
        mine, my_facts = checkpoint.load(tmp_path / f"{name}.safetensors")
        theirs, their_facts = checkpoint.load(run / f"{name}.safetensors")
        assert mine.keys() == theirs.keys()
        assert [n for n in mine if not torch.equal(mine[n], theirs[n])] == []
        assert {**my_facts, "seconds": 0} == {**their_facts, "seconds": 0}


def test_training_makes_it_better(recipe, run, tmp_path):
    untrained = Run(recipe, tmp_path).validate().total
    assert checkpoint.load(run / "best.safetensors")[1]["best"] < untrained - 1


def test_the_bundle_matches_the_network(bundle):
    metrics = bundle.manifest.provenance.metrics
    assert metrics["parity"] <= PARITY
    assert metrics["nats_after"] - metrics["nats_before"] <= NoteBundling.allowed
    assert set(bundle.manifest.genres) == {"march", "waltz"}


def test_the_golden_file_is_met_step_by_step(bundle):
    golden, sessions = bundle.golden(), bundle.sessions
    states = {s.input: np.zeros([1, s.shape[1]], np.float32) for s in bundle.manifest.states}
    for i in range(golden["seen"].shape[1]):
        at = slice(i, i + 1)
        feeds = {"seen": golden["seen"][:, at], "condition": golden["condition"][:, at], **states}
        found = dict(zip(sessions["step"].outputs, sessions["step"].run(feeds), strict=True))
        states = {s.input: found[s.output] for s in bundle.manifest.states}
        for field in codec.FIELDS:
            head = {"share": found[f"share_{field}"], "context": golden[f"context_{field}"][:, at]}
            (logits,) = sessions[field].run(head)
            np.testing.assert_allclose(logits, golden[f"logits_{field}"][:, at], atol=bundle.manifest.golden.tolerance)


def test_the_bundle_plays(bundle):
    manifest, player = open_note_bundle(bundle)
    ask = Ask(knobs={k.id: k.default for k in manifest.knobs} | {"genre": "waltz"})

    def play(seed: int) -> list:
        player.reset(seed, 0, MetreMap((Metre(0, 3, 4),)))
        notes = []
        for _ in range(60):
            notes.append(player.propose(ask))
            player.feed(notes[-1])
        return notes

    notes = play(1)
    assert all(a.order < b.order for a, b in pairwise(notes))
    assert play(1) == notes != play(2)
    assert len({note.part for note in notes}) > 1


def test_a_run_does_not_go_on_with_other_data_or_another_network(recipe, run, tmp_path):
    prepare(write_corpus(tmp_path / "mid", 6), tmp_path / "other", jobs=1)
    other = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, folder=str(tmp_path / "other")))
    with pytest.raises(HocketError, match="other data"):
        Run(other, run)
    larger = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, units=32))
    with pytest.raises(HocketError, match="another recipe"):
        Run(larger, run)


OF_NOTES = [p for p in sorted(RECIPES.glob("*.toml")) if FAMILIES[read_recipe(p).family].task in (NoteTask, PhraseTask)]


@pytest.mark.parametrize("path", OF_NOTES, ids=lambda p: p.stem)
def test_every_recipe_of_notes_makes_a_step(path, data, tmp_path):
    """Those of sound do beside their families' other tests."""
    recipe = read_recipe(path)
    notes = FAMILIES[recipe.family].task is NoteTask
    small = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(data)),
        train=dataclasses.replace(recipe.train, batch_size=2, **{"sequence_length": 8, "teacher": ""} if notes else {}),
    )
    losses = Run(small, tmp_path).step(0.0)
    assert set(losses) == {"total", *(codec.FIELDS if notes else ("nats", "bits"))}
    assert all(np.isfinite(value) for value in losses.values())


def test_a_network_begins_as_its_teacher_and_learns_from_its_guesses_at_first(recipe, run, tmp_path):
    teacher = str(run / "best.safetensors")
    taught = Run(dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, teacher=teacher)), tmp_path)
    apart = {"heads.share.weight": torch.zeros_like(taught.network.heads.share.weight)}
    theirs = load_network(run / "best.safetensors")[0].state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in taught.network.state_dict().items())
    taught.network.load_state_dict(apart, strict=False)
    first, last = (taught.task.losses(taught.network, np.random.default_rng(1), progress) for progress in (0.0, 1.0))
    nats = sum(value for name, value in first.items() if name != "total")
    assert 0 < first["total"].item() < nats.item()  # apart from the teacher, not from what was played
    assert last["total"].item() == pytest.approx(sum(v for n, v in last.items() if n != "total").item())
    taught.step(0.0)
    assert all(torch.equal(value, theirs[name]) for name, value in taught.task.teacher.state_dict().items())


def test_a_teacher_of_other_genres_is_left_out_with_a_line(recipe, run, tmp_path, corpus, capsys):
    other = dict(zip(("march", "waltz"), ("polka", "waltz"), strict=True))
    for genre, name in other.items():
        shutil.copytree(corpus / genre, tmp_path / "mid" / name)
    prepare(tmp_path / "mid", tmp_path / "data", jobs=1)
    teacher = str(run / "best.safetensors")
    taught = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(tmp_path / "data")),
        train=dataclasses.replace(recipe.train, teacher=teacher),
    )
    assert Run(taught, tmp_path / "run").task.teacher is None
    assert f"without its teacher: {teacher} knows other genres than polka, waltz" in capsys.readouterr().out
    assert teacher_of(teacher, ("polka",)) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("family = 'gru'", "unknown family 'gru'; choose one of lstm"),
        ("family = 'lstm'\n[train]\nspeed = 3", "unknown setting 'speed'; choose one of batches"),
        ("family = 'lstm'", "missing"),
        ("family = ", "cannot be read"),
    ],
)
def test_bad_recipes_are_named(text, reason, tmp_path):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(HocketError, match=reason):
        read_recipe(tmp_path / "bad.toml")


def test_damaged_checkpoints_are_named(tmp_path):
    (tmp_path / "best.safetensors").write_bytes(b"no tensors")
    with pytest.raises(HocketError, match=r"best\.safetensors cannot be read"):
        export(tmp_path / "best.safetensors", tmp_path)
