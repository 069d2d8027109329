"""The course of a run: how long it is planned to be, why it ends, and what it survives."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.errors import HocketError
from training.core import checkpoint
from training.core.interrupts import Interrupts
from training.core.recipe import Recipe
from training.core.run_log import read_log
from training.core.schedule import Schedule
from training.core.standing import Standing
from training.fit import MOST_BAD_BATCHES, Run

resource = pytest.importorskip("resource", reason="limits of file sizes, to act like a full disk")

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "training" / "recipes" / "lstm-smoke.toml"

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.timeout(300)]


def trained(recipe: Recipe, **settings) -> Recipe:
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **settings))


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return checkpoint.prefixed(checkpoint.load(folder / f"{name}.safetensors")[0], "weights")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a | b)


# --- the schedule


@settings(deadline=None)
@given(st.integers(1, 5000), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 9000)), max_size=4))
def test_progress_never_jumps_nor_falls_however_often_the_end_is_moved(batches, changes):
    schedule = Schedule.of(batches)
    for batch, end in sorted(changes):
        batch = min(batch, schedule.end)
        moved = schedule.until(end, batch)
        assert moved.progress(batch) == pytest.approx(schedule.progress(batch))
        assert moved.end == max(end, batch + 1)
        schedule = moved
    steps = np.diff([schedule.progress(b) for b in range(0, schedule.end + 1, max(1, schedule.end // 300))])
    assert (steps >= -1e-12).all()
    assert schedule.progress(schedule.end) == 1


def test_minutes_are_batches_planned_by_speed_and_a_run_of_so_many_batches_repeats_it(recipe, tmp_path, capsys):
    by_time = Run(recipe, tmp_path / "a")
    assert by_time.fit(minutes=0.01)
    end = by_time.schedule.end
    assert 1 <= end == by_time.batch < 600
    assert f"--batches {end}" in capsys.readouterr().out
    again = Run(recipe, tmp_path / "b")
    again.fit(batches=end)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_measuring_the_speed_changes_nothing(recipe, tmp_path):
    run, untouched = Run(recipe, tmp_path), Run(recipe, tmp_path)
    assert run.measured_speed() > 0
    for _ in range(3):
        assert run.step(0.5) == untouched.step(0.5)


def test_a_run_is_extended_without_a_jump_of_the_rate(recipe, tmp_path):
    run = Run(recipe, tmp_path)
    run.fit(batches=8)
    assert run.schedule == Schedule(((0, 0.0), (8, 1.0)))
    longer = Run(recipe, tmp_path)
    assert longer.schedule == run.schedule
    longer.fit(batches=12)
    assert longer.batch == 12
    assert longer.schedule.progress(8) == longer.schedule.progress(11) == 1
    half = Run(recipe, tmp_path / "half")
    half.schedule = Schedule.of(20)
    for _ in range(10):
        half.step(half.schedule.progress(half.batch))
    half.save()
    resumed = Run(recipe, tmp_path / "half")
    resumed.fit(batches=30)
    assert resumed.schedule.progress(10) == pytest.approx(0.5)
    assert resumed.schedule.progress(20) == pytest.approx(0.75)


# --- the end


def test_a_run_from_a_parent_scores_it_first_and_keeps_it_if_nothing_is_gained(recipe, run, tmp_path, capsys):
    ruinous = trained(recipe, learning_rate=1.0, warmup_batches=1, ema_decay=0.0, valid_batches=2)
    worse = Run(ruinous, tmp_path, start=str(run / "best.safetensors"))
    worse.fit(batches=6)
    parent = checkpoint.load(run / "best.safetensors")[1]["best"]
    assert worse.standing.best == worse.standing.parent["total"] == pytest.approx(parent)
    assert same(weights(tmp_path, "best"), weights(run, "best"))
    said = capsys.readouterr().out
    assert "Nothing was gained" in said
    assert "lower learning_rate" in said


def test_what_was_gained_over_the_parent_is_said_by_field(recipe, run, tmp_path, capsys):
    better = Run(recipe, tmp_path, start=str(run / "best.safetensors"))
    better.fit(batches=60)
    assert better.standing.best < better.standing.parent["total"]
    last = capsys.readouterr().out.splitlines()[-1]
    for name in ("total", "time", "pitch", "duration", "velocity"):
        assert f"{name} {better.standing.parent.get(name, better.standing.parent['fields'].get(name)):.4f} -> " in last


def test_a_run_ends_when_patience_does_and_stays_ended(recipe, run, tmp_path, capsys):
    ruinous = trained(recipe, learning_rate=1.0, warmup_batches=1, ema_decay=0.0, valid_batches=1, patience=3)
    worse = Run(ruinous, tmp_path, start=str(run / "best.safetensors"))
    assert worse.fit(batches=50)
    assert worse.batch == 3
    assert "3 validations in a row were no better (patience)" in capsys.readouterr().out
    again = Run(ruinous, tmp_path)
    assert again.fit()
    assert again.batch == 3


def test_a_total_that_is_no_number_is_never_the_best():
    standing = Standing()
    assert not standing.take(float("nan"), {}, 1)
    assert standing.take(2.0, {}, 2)
    assert not standing.take(float("nan"), {}, 3)
    assert standing.not_better == 1


# --- interruptions


def test_ctrl_c_saves_says_where_and_the_same_command_goes_on(data, tmp_path):
    command = [sys.executable, "-m", "training", "fit", "--recipe", SMOKE, "--run", tmp_path, "--data", data]
    command += ["--threads", "1", "--batches", "100000"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 90
        while not (tmp_path / "last.safetensors").exists():
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < deadline, "no checkpoint was written"
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        said, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, errors
    batch = checkpoint.load(tmp_path / "last.safetensors")[1]["batch"]
    assert f"stopped at batch {batch}, saved in {tmp_path}: the same command goes on" in said
    assert "Traceback" not in errors


def test_the_second_signal_has_its_usual_effect():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_validation_that_fails_costs_no_batch(recipe, tmp_path, monkeypatch):
    run = Run(trained(recipe, valid_batches=5, save_seconds=1e9), tmp_path)

    def fail(network):
        raise MemoryError

    monkeypatch.setattr(run.task, "validate", fail)
    with pytest.raises(MemoryError):
        run.fit(batches=9)
    resumed = Run(trained(recipe, valid_batches=5, save_seconds=1e9), tmp_path)
    assert resumed.batch == 5
    resumed.fit()
    assert [line["batch"] for line in read_log(tmp_path) if "valid" in line] == [5, 9]


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_batch_that_is_no_number_is_left_out_and_three_in_a_row_end_the_run(recipe, tmp_path, capsys, what):
    run = Run(recipe, tmp_path)
    run.fit(batches=2)
    losses = run.task.losses

    def spoilt(network, rng, progress):
        found = losses(network, rng, progress)
        if what == "loss":
            found["total"] = found["total"] * float("nan")
        else:
            weight = next(network.parameters())
            weight.register_hook(lambda gradient: gradient * float("inf"))
        return found

    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run.task.losses = spoilt
    for _ in range(MOST_BAD_BATCHES - 1):
        run.step(0.5)
    assert f"batch 3 is left out: its {what} is no finite number" in capsys.readouterr().out
    assert same(before, run.network.state_dict())
    assert run.batch == 4
    with pytest.raises(HocketError, match=f"{MOST_BAD_BATCHES} batches in a row had a {what} that is no finite number"):
        run.step(0.5)
    assert same(weights(tmp_path), before)
    assert Run(recipe, tmp_path).batch == 5


def test_weights_that_are_no_numbers_are_not_saved(recipe, tmp_path):
    run = Run(recipe, tmp_path)
    run.fit(batches=2)
    good = weights(tmp_path)
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    run.save()
    assert same(weights(tmp_path), good)


# --- disks


def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(recipe, tmp_path):
    run = Run(recipe, tmp_path)
    run.fit(batches=2)
    good = weights(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(HocketError, match=r"last\.safetensors cannot be written.*the one before is kept"):
            run.fit(batches=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert same(weights(tmp_path), good)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_that_cannot_be_made_is_one_line(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HocketError, match=r"file/run cannot be written"):
        Run(recipe, tmp_path / "file" / "run").fit(batches=1)
