"""The table of families: all of it is there, and a new family is a folder and a line."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.models import catalog, families
from instrument.models.bundle import open_bundle
from instrument.models.notes.player import Ask
from instrument.music.timebase import Metre, MetreMap
from training.data.notes.shards import Shards
from training.evaluation.card import KINDS
from training.evaluation.sound.command import SECTIONS
from training.export import PARITY, export
from training.families.notes.yardstick import score_pieces
from training.families.table import FAMILIES, Family, find_family
from training.fit import Run, load_network
from training.recipe import recipe_from

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("name", FAMILIES)
def test_all_of_a_family_is_where_the_table_says(name):
    family = FAMILIES[name]
    assert {"Config", "Network", "graphs", "states"} <= set(vars(family.network))
    assert dataclasses.is_dataclass(family.task.Train)
    assert dataclasses.is_dataclass(family.task.Sampling)
    assert family.bundling.smaller
    assert family.kind in KINDS
    assert [family.makes_notes, family.kind == "plan", family.kind in SECTIONS].count(True) == 1
    folder = sys.modules[family.network.__package__]
    assert "et al." in folder.__doc__ or "&" in folder.__doc__  # it names its paper


def test_voices_have_a_round_trip_and_others_have_none():
    for family in FAMILIES.values():
        if family.kind == "voice":
            assert callable(family.round_trip)
        else:
            with pytest.raises(HocketError, match="without a round trip"):
                _ = family.round_trip


def test_an_unknown_family_is_named_with_those_there_are():
    with pytest.raises(HocketError, match=r"mine\.toml: unknown family 'gru'; choose one of lstm, transformer"):
        find_family("gru", "mine.toml")


def test_reading_the_table_does_not_load_torch():
    code = "import sys, training.families.table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.fixture
def toy(monkeypatch) -> str:
    """The toy family, registered by a line here, and in the instrument as one that an LSTM's player plays."""
    monkeypatch.setitem(
        FAMILIES,
        "toy",
        Family(
            "notes",
            "tests.support.toy_family.network",
            ".notes.task:NoteTask",
            "tests.support.toy_family.bundle:ToyBundling",
        ),
    )
    monkeypatch.setitem(families.FAMILIES, "toy", families.FAMILIES["lstm"])
    return "toy"


def test_a_family_of_one_folder_and_one_line_trains_exports_is_measured_and_plays(toy, data, tmp_path):
    recipe = recipe_from(
        {
            "slug": "toy",
            "name": "Toy",
            "family": toy,
            "data": {"folder": str(data)},
            "model": {"units": 8},
            "train": {"batches": 3, "batch_size": 2, "sequence_length": 8, "valid_pieces": 2, "valid_notes": 32},
        }
    )
    run = Run(recipe, tmp_path / "run")
    run.fit()
    assert run.batch == 3
    best = tmp_path / "run" / "best.safetensors"
    folder = export(best, tmp_path)
    bundle = open_bundle(folder, trusted=True)
    assert bundle.manifest.family == "toy"
    assert bundle.manifest.provenance.metrics["parity"] <= PARITY
    assert "A note model of family `toy`" in (folder / "CARD.md").read_text()

    shards = Shards.open(data)
    pieces = shards.select(split="valid")[:2]
    network, _, facts = load_network(best)
    both = [
        score_pieces(predictor, shards, pieces, tuple(facts["genres"]), 32).total
        for predictor in (network, FAMILIES[toy].bundling.predictor(bundle))
    ]
    assert both[1] == pytest.approx(both[0], abs=0.05)

    described, player = catalog.open_note_bundle(bundle)
    player.reset(1, 0, MetreMap((Metre(0, 4, 4),)))
    notes = []
    for _ in range(8):
        notes.append(player.propose(Ask(knobs={knob.id: knob.default for knob in described.knobs})))
        player.feed(notes[-1])
    assert len({note.order for note in notes}) == 8
    assert np.all(np.diff([note.tick for note in notes]) >= 0)
