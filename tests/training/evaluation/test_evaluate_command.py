"""The command `evaluate` from end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from training.cli import app, main
from training.evaluation.notes import long_run as longrun

pytestmark = pytest.mark.timeout(300)  # the first test that needs a bundle has it trained and exported


@pytest.fixture
def short(monkeypatch):
    """Half a minute instead of ten."""
    monkeypatch.setattr(longrun, "MINUTES", (0.25, 0.5))


def test_evaluate_from_end_to_end(short, bundle_folder, data, run, tmp_path):
    manifest_before = (bundle_folder / "manifest.json").read_bytes()
    command = [
        "evaluate",
        "--bundle",
        bundle_folder,
        "--data",
        data,
        "--split",
        "train",
        "--pieces",
        4,
        "--seeds",
        2,
        "--run",
        run,
        "--card",
        "--out",
        tmp_path,
        "--json",
    ]
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["bundle"] == "lstm-smoke"
    yard = found["yardstick"]
    assert yard["total"] == pytest.approx(np.mean([g["total"] for g in yard["by_genre"].values()]), abs=1e-3)
    assert set(found["nats"]) == {"march", "waltz", "mean"}
    assert set(found["features"]) == {"default", "plain"}
    assert all(set(genres) == {"march", "waltz"} for genres in found["features"].values())
    assert all(row["obeyed"] for row in found["key_lock"])
    assert [(r["genre"], r["seed"]) for r in found["long_runs"]] == [
        (genre, seed) for genre in ("none", "march", "waltz") for seed in (1, 2)
    ]
    card = (bundle_folder / "CARD.md").read_text()
    assert "## Yardstick" in card
    assert "piano-rolls.png" in card
    assert "## Trained on" in card
    assert "## Switches of genre" not in card  # none were measured
    assert "left\n" in done.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"piano-rolls.png", "loss.png", "figures.json"}
    assert json.loads((tmp_path / "figures.json").read_text()) == found | {"examples": {}}
    assert [r["genre"] for r in found["form"]] == ["march", "march", "waltz", "waltz"]
    assert {"1", "2", "4"} <= set(found["form"][0]["bounds"])
    assert {"key kept", "level", "range"} <= set().union(*(row["figures"] for row in found["analysis"]))
    assert set(found["obedience"]) == {"density", "register"}
    assert found["metre"]["waltz"]["3/4"]["real"] == 1.0
    assert found["switching"] == {}  # of the two genres, one has bars of four beats
    assert found["cost"]["bytes"] > 10_000
    assert (bundle_folder / "manifest.json").read_bytes() == manifest_before


def test_evaluate_on_a_folder_of_midi_files(short, bundle_folder, corpus, tmp_path):
    card = (bundle_folder / "CARD.md").read_bytes()
    command = ["evaluate", "--bundle", bundle_folder, "--midi", corpus, "--pieces", 4, "--out", tmp_path]
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False, env={"COLUMNS": "160"})
    assert done.exit_code == 0
    for shown in (
        "Yardstick",
        "march",
        "Similarity",
        "Key lock",
        "Density and register",
        "Metre",
        "Form",
        "Long runs",
        "Cost",
    ):
        assert shown in done.stdout
    assert (bundle_folder / "CARD.md").read_bytes() == card


def test_the_command_names_its_errors(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["training", "evaluate", "--data", "nowhere"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "nowhere holds no index.json" in capsys.readouterr().err
