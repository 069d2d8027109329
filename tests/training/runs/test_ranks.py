"""Several processes train as one does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from instrument.errors import HocketError
from training.core import checkpoint, ranks
from training.core.run_log import read_log
from training.fit import Run
from training.recipe import read_recipe

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "training" / "recipes" / "lstm-smoke.toml"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(600)]


def exact_recipe(folder: Path, data: Path) -> Path:
    """The smoke recipe without dropout, whose draws differ by process, and six batches long."""
    text = SMOKE.read_text()
    for name, value in (("dropout", "0.0"), ("batches", "6"), ("folder", f'"{data}"'), ("save_seconds", "600.0")):
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    path = folder / "exact.toml"
    path.write_text(text)
    return path


def fit_in_two(recipe: Path, run: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training"]
    return subprocess.run(
        [*command, "fit", "--recipe", recipe, "--run-folder", run, "--threads", "1"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_two_processes_train_as_one_and_one_goes_on_where_they_stopped(data, tmp_path):
    path = exact_recipe(tmp_path, data)
    done = fit_in_two(path, tmp_path / "two")
    assert done.returncode == 0, done.stderr[-2000:]
    recipe = read_recipe(path)
    Run(recipe, tmp_path / "one").fit()
    for phase in ("the same", "continued by one process"):
        (one, one_facts), (two, two_facts) = (
            checkpoint.load(tmp_path / name / "last.safetensors") for name in ("one", "two")
        )
        assert one_facts["stream"] == two_facts["stream"], phase
        assert one_facts["best"] == pytest.approx(two_facts["best"], rel=1e-4), phase
        assert one.keys() == two.keys()
        for name, value in one.items():
            torch.testing.assert_close(two[name], value, atol=2e-4, rtol=1e-3, msg=f"{phase}: {name}")
        if phase == "the same":
            for name in ("one", "two"):
                Run(recipe, tmp_path / name).fit(batches=10)
    assert done.stdout.count("valid  batch") == 1  # one process prints, and writes the log
    validated = [line for line in read_log(tmp_path / "two") if "valid" in line]
    assert len(validated) == 2


def test_one_process_is_all_there_is():
    values, mask = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([True, True, False])
    assert (ranks.rank(), ranks.count(), ranks.share(8)) == (0, 1, slice(0, 8))
    assert ranks.weighted_mean(values, mask).item() == pytest.approx(1.5)
    assert ranks.agreed(3.0) == [3.0]
    assert ranks.joined_rows([1, 2]) == [1, 2]


def test_a_batch_that_cannot_be_divided_is_one_line(monkeypatch):
    monkeypatch.setattr(ranks, "count", lambda: 3)
    with pytest.raises(HocketError, match="batch_size 32 cannot be divided among 3 processes: choose a multiple"):
        ranks.share(32)
