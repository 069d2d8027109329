"""Searching settings: every variant is tried, on a share of the data, and told of in a table."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from instrument.errors import HocketError
from training.cli import app
from training.data.notes.shards import Shards
from training.recipe import parse_choice
from training.search import search, thinned, varied

pytestmark = pytest.mark.usefixtures("one_thread")


def test_choices_are_read_as_recipes_are():
    assert parse_choice("train.learning_rate=1e-3, 2e-3") == ("train", "learning_rate", [1e-3, 2e-3])
    assert parse_choice('model.kind="a"') == ("model", "kind", ["a"])
    for bad in ("rate=1", "train.learning_rate", "train.learning_rate=", "train.learning_rate=x"):
        with pytest.raises(HocketError, match="no choice of settings"):
            parse_choice(bad)


def test_all_combinations_are_tried(recipe):
    found = list(varied(recipe, [("train", "learning_rate", [1e-3, 2e-3]), ("model", "units", [8, 16])]))
    assert [name for name, _ in found] == [
        f"learning_rate={rate} units={units}" for rate in (0.001, 0.002) for units in (8, 16)
    ]
    assert {(one.train.learning_rate, one.model.units) for _, one in found} == {
        (a, b) for a in (1e-3, 2e-3) for b in (8, 16)
    }
    with pytest.raises(HocketError, match="unknown setting 'speed'"):
        list(varied(recipe, [("train", "speed", [1])]))
    with pytest.raises(HocketError, match="no section 'speed'"):
        list(varied(recipe, [("speed", "x", [1])]))


def test_a_share_of_what_is_learnt_from_and_all_that_it_is_judged_by(data, tmp_path):
    whole, part = Shards.open(data), Shards.open(thinned(data, 0.5, tmp_path / "thin"))
    assert [p for p in part.pieces if p.split != "train"] == [p for p in whole.pieces if p.split != "train"]
    assert 0 < len(part.select(split="train")) < len(whole.select(split="train"))
    assert (part.notes(part.pieces[0]) == whole.notes(next(p for p in whole.pieces if p == part.pieces[0]))).all()
    with pytest.raises(HocketError, match="no prepared data"):
        thinned(tmp_path, 0.5, tmp_path / "no")


def test_the_table_is_in_order_and_a_search_goes_on_where_it_was(recipe, tmp_path):
    rows = search(recipe, [("train", "learning_rate", [1e-5, 1e-2])], 1.0, 0.02, tmp_path)
    assert [row["best"] for row in rows] == sorted(row["best"] for row in rows)
    assert rows[0]["settings"] == "learning_rate=0.01"
    assert search(recipe, [("train", "learning_rate", [1e-5, 1e-2])], 1.0, 0.02, tmp_path) == rows


def test_the_command_prints_a_table(recipe, data, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(f"slug = 'x'\nname = 'X'\nfamily = 'lstm'\n[data]\nfolder = {json.dumps(str(data))}\n"
                    "[model]\nunits = 8\n[train]\nlanes = 2\nsteps = 8\n")  # fmt: skip
    told = [
        "search",
        "--recipe",
        str(path),
        "--out",
        str(tmp_path / "runs"),
        "--minutes",
        "0.01",
        "--share",
        "0.9",
    ]
    done = CliRunner().invoke(app, [*told, "--vary", "train.learning_rate=1e-3,1e-2"])
    assert done.exit_code == 0, done.output
    assert "| learning_rate=0.01 |" in done.output
    assert "parameters" in done.output
