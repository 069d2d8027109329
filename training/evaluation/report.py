"""The figures of an evaluation as tables for people, and as sections of a card."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from training.evaluation import features, longrun

Rows = dict[str, dict[str, Any]]


class Section(NamedTuple):
    """A table with its words. brief: the rows for a card, which is a part of the bundle and kept short, where
    they are not all."""

    title: str
    caption: str
    rows: Rows
    brief: Rows | None = None


GRID = (
    "24 ticks a beat, the first 1,500 notes of a piece, its genre told and nothing else; pitch with part; "
    "mean of the genres' means."
)
CLOSENESS = (
    "Distances within held-out pieces against distances from generated ones (Yang & Lerch): overlapping area "
    "(OA, 1 = alike) and Kullback-Leibler divergence (KLD, 0 = alike), beside what other real pieces reach."
)
LONG = "Figures of minutes 8 to 10 of a render, and in brackets the 5th to 95th percentile of real pieces."
SETTINGS = {"default": "default knobs", "plain": "temperature 1, all choices"}
SHORT = {
    "pitch count": "pitches", "note count": "notes", "pitch range": "range", "mean interval": "interval",
    "mean onset interval": "onsets", "pitch classes": "classes", "pitch class transitions": "class trans.",
    "note lengths": "lengths", "note length transitions": "length trans.",
}


def yardstick_rows(figures: dict[str, Any]) -> Rows:
    """Nats a note on the yardstick's grid by genre and field."""
    found = figures["yardstick"]
    return found["by_genre"] | {"mean": {"pieces": "", "total": found["total"], **found["by_field"]}}


def closeness_rows(figures: dict[str, Any]) -> Rows:
    """Means over the features by genre, for each setting of the knobs."""
    rows: Rows = {}
    for setting, genres in figures["features"].items():
        for genre, found in genres.items():
            if not found:
                continue
            row = rows.setdefault(genre, {})
            for name in ("oa", "kld", "floor_oa", "floor_kld"):
                title = {"oa": "OA", "kld": "KLD"}[name.removeprefix("floor_")]
                kind = "real" if name.startswith("floor") else SETTINGS[setting]
                row[f"{title} {kind}"] = _mean(f[name] for f in found.values())
    return _with_mean(rows)


def feature_rows(figures: dict[str, Any], setting: str = "default") -> Rows:
    """"OA / OA of real pieces" by genre and feature."""
    found = {genre: own for genre, own in figures["features"][setting].items() if own}
    rows = {
        genre: {SHORT[name]: f"{own[name]['oa']:.2f} / {own[name]['floor_oa']:.2f}" for name in features.NAMES}
        for genre, own in found.items()
    }
    means = {
        SHORT[name]: " / ".join(f"{_mean(own[name][key] for own in found.values()):.2f}" for key in ("oa", "floor_oa"))
        for name in features.NAMES
    }
    return rows | ({"mean": means} if rows else {})


def lock_rows(figures: dict[str, Any]) -> Rows:
    """Key locks by key and scale."""
    return {
        f"{row['key']} {row['scale']}": {
            "chromatic": row["chromatic"], "notes": row["notes"], "in scale": row["in_scale"],
            "on the beat": row["in_scale_on_beat"], "obeyed": _mark(row["obeyed"]),
        }
        for row in figures["key_lock"]
    }


def long_rows(figures: dict[str, Any]) -> Rows:
    """Long runs by genre and seed, every figure with its bounds and a cross where it is outside."""
    rows: Rows = {}
    for run in figures["long_runs"]:
        cells: dict[str, Any] = {"bpm": f"{run['bpm']:.0f}", "window": f"{run['beats']} beats"}
        for name in longrun.FIGURES:
            cell = f"{run['figures'][name]:.2f}"
            if name in run["bounds"]:
                low, high = run["bounds"][name]
                cell += f" ({low:.2f}-{high:.2f})" + ("" if run["within"][name] else " ✗")
            cells[name] = cell
        rows[f"{run['genre']} {run['seed']}"] = cells
    return rows


def long_summary(figures: dict[str, Any]) -> str:
    """In a line, how many figures were within their bounds."""
    judged = [ok for run in figures["long_runs"] for ok in run["within"].values()]
    whole = sum(all(run["within"].values()) for run in figures["long_runs"] if run["within"])
    return f"{sum(judged)} of {len(judged)} figures within bounds; {whole} of {len(figures['long_runs'])} runs in all."


def sections(figures: dict[str, Any]) -> list[Section]:
    """Everything that was measured."""
    obeyed = [row["obeyed"] for row in figures["key_lock"]]
    by_feature = feature_rows(figures)
    return [
        Section(f"Yardstick, nats a note ({figures['held_out']})", GRID, yardstick_rows(figures)),
        Section("Nats a note by field of the codec", "Microtiming and velocities as they are.", figures["nats"]),
        Section("Likeness of generated and held-out pieces", CLOSENESS, closeness_rows(figures)),
        Section("By feature", "OA with default knobs / OA of other real pieces.", by_feature,
                {name: row for name, row in by_feature.items() if name == "mean"}),
        Section("Key lock", f"Share of the pitched notes in the scale; obeyed in {sum(obeyed)} of {len(obeyed)}.",
                lock_rows(figures), {}),
        Section("Long runs", f"{LONG} {long_summary(figures)}", long_rows(figures)),
    ]


def print_tables(figures: dict[str, Any], console: Console) -> None:
    """All tables, for people."""
    for title, caption, rows, _ in sections(figures):
        table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", title_style="bold")
        columns = _columns(rows)
        table.add_column("")
        for column in columns:
            table.add_column(column, justify="right")
        for name, row in rows.items():
            table.add_row(name, *(_cell(row.get(column, "")) for column in columns))
        console.print(table)
        console.print()


def card_sections(figures: dict[str, Any], pictures: dict[str, Path], folder: Path) -> dict[str, Any]:
    """What goes into CARD.md: title -> caption and table, or text. folder: the card's, from which pictures
    are linked."""
    found: dict[str, Any] = {}
    for title, caption, rows, brief in sections(figures):
        table = rows if brief is None else brief
        found[title] = [caption, {name: {c: _cell(v) for c, v in row.items()} for name, row in table.items()}]
    links = [f"![{name}]({os.path.relpath(path, folder)})" for name, path in pictures.items()]
    return found | ({"Pictures": "\n\n".join(links)} if links else {})


def _with_mean(rows: Rows) -> Rows:
    means = {column: _mean(row[column] for row in rows.values() if column in row) for column in _columns(rows)}
    return rows | ({"mean": means} if rows else {})


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 3)


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(column for row in rows.values() for column in row))


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
