"""Runs side by side: settings that differ, best validations, and speed."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from training.core import renames
from training.core.run_log import read_log

RECIPE = "recipe.toml"


def compare(runs: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """A row for each run's folder: its last batch, minutes, best validation with its batch, the fields of it, and the
    settings in which the runs differ. HocketError if one is no run, or has not been validated."""
    settings = [_settings(run) for run in runs]
    names = [name for name in settings[0] if any(each.get(name) != settings[0][name] for each in settings)]
    rows = {}
    for run, own in zip(runs, settings, strict=True):
        rows[str(run)] = _result(run) | {name: str(own.get(name, "")) for name in names}
    return rows


def _result(run: Path) -> dict[str, Any]:
    lines = read_log(run)
    validated = [line for line in lines if "valid" in line]
    if not validated:
        raise HocketError(f"{run} has not been validated yet: train longer")
    best = min(validated, key=lambda line: line.get("total", sum(line["valid"].values())))
    last = max(lines, key=lambda line: line["batch"])
    found = {"batches": last["batch"], "minutes": last["minutes"], "best at": best["batch"]}
    if "total" in best:
        found["best"] = round(best["total"], 4)
    return found | renames.fields(best["valid"])


def _settings(run: Path) -> dict[str, Any]:
    """Settings by "section.name"."""
    try:
        table = tomllib.loads((run / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HocketError(f"{run} holds no {RECIPE} ({error}): give a folder that `fit` made") from error
    flat = {key: value for key, value in table.items() if not isinstance(value, dict)}
    return flat | {f"{key}.{n}": v for key, value in table.items() if isinstance(value, dict) for n, v in value.items()}
