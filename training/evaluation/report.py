"""The figures of an evaluation as tables for people, and as sections of a card."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from training.evaluation.notes import long_run as longrun
from training.evaluation.notes import reconstruction
from training.evaluation.notes.plan_following import recall_section

Rows = dict[str, dict[str, Any]]


class Section(NamedTuple):
    """A table with its caption. brief: the rows for a card, which is a part of the bundle and kept short, where
    they are not all."""

    title: str
    caption: str
    rows: Rows
    brief: Rows | None = None


GRID = (
    "24 ticks a beat, the first 1,500 notes of a piece, conditioned on the genre only; pitch with part; "
    "mean of the genres' means."
)
CLOSENESS = (
    "Distances within held-out pieces against distances from generated ones (Yang & Lerch): overlapping area "
    "(OA, 1 = identical) and Kullback-Leibler divergence (KLD, 0 = identical), and the same of other real pieces."
)
LONG = "Figures of minutes 8 to 10 of a render, and in brackets the 5th to 95th percentile of real pieces."
IN_BRACKETS = "in brackets the 10th to 90th percentile of held-out pieces"
ANALYSIS = (
    f"Ten minutes of play, default knobs, common time; {IN_BRACKETS}. Tempo as felt; metre: share of 16 bars whose "
    "estimated metre is the one requested; key kept: share of 8 bars with the commonest key signature; range: "
    "semitones, 5th to 95th percentile; pitch drift: semitones, and level: times as loud, the last 30 % against the "
    "first."
)
METRE = (
    "Share of the windows of 16 bars in which the metre estimated from the notes is the one that real pieces are "
    "written in (their number), and in which the model was to play: early → late in its run."
)
FORM = (
    "Mean similarity of bars to those 1 to 16 bars before (sixteenths and pitches struck in both, as a share of those "
    f"struck in either) over three minutes; {IN_BRACKETS}."
)
KNOBS = (
    "Knobs turned to every position in turn: the value it stands for, and the median of the genres in the four bars "
    "after. "
    "Spearman's rank correlation: "
)
SWITCHES = (
    "How often a classifier of two bars' pitches and rhythms recognises the genre: in real pieces it was not trained "
    "on; after a switch to it in mid-play from each other genre; and before. Heard: bars 1-2 reach 80 % of the rate on "
    "real pieces. Primers, where a bundle has them, were chosen with the same classifier, in other switches."
)
PLAN = (
    "Progressions of the genre, each figure with the plan / played without it, the knob Harmony at .5. Strong beats "
    "are the first and the middle one of a bar: share of the notes that are tones of the chord. Bass: root or fifth at "
    "the changes. Root heard: by the analyser, at each beat. Clash: share of the time with a semitone or minor ninth. "
    "Entropy of the melody's pitches in bits."
)
PLAN_COLUMNS = {
    "melody": "melody, strong beats",
    "chords": "chords, strong beats",
    "bass": "bass at changes",
    "heard": "root heard",
    "clash": "clash",
    "entropy": "melody entropy",
}
GUIDANCE = (
    "The same by the knob Guidance, means of genres and seeds, and processor time a note. 1 is as it learnt to follow."
)
COPYING = (
    "Longest run of notes that the long runs of a genre have in common with one training piece, in any key: the same "
    "intervals and the same rhythm in the top line of a part. Next to it, the same of as many notes of held-out pieces "
    "of the genre: scales, repeated notes, shared tunes and other editions of a work are in these."
)
COST = "Time for a note in one thread, all included, on the machine as busy as it was."
SETTINGS = {"default": "default knobs", "plain": "temperature 1, all choices"}
SHORT = {
    "pitch count": "pitches",
    "note count": "notes",
    "pitch range": "range",
    "mean interval": "interval",
    "mean onset interval": "onsets",
    "pitch classes": "classes",
    "pitch class transitions": "class trans.",
    "note lengths": "lengths",
    "note length transitions": "length trans.",
    "drum kinds": "kinds",
    "drum places": "places",
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
    """ "OA / OA of real pieces" by genre and feature."""
    found = {genre: own for genre, own in figures["features"][setting].items() if own}
    rows = {
        genre: {SHORT[name]: f"{both['oa']:.2f} / {both['floor_oa']:.2f}" for name, both in own.items()}
        for genre, own in found.items()
    }
    means = {
        SHORT[name]: " / ".join(f"{_mean(own[name][key] for own in found.values()):.2f}" for key in ("oa", "floor_oa"))
        for name in dict.fromkeys(name for own in found.values() for name in own)
    }
    return rows | ({"mean": means} if rows else {})


def lock_rows(figures: dict[str, Any]) -> Rows:
    """Key locks by key and scale."""
    return {
        f"{row['key']} {row['scale']}": {
            "chromatic": row["chromatic"],
            "notes": row["notes"],
            "in scale": row["in_scale"],
            "on the beat": row["in_scale_on_beat"],
            "obeyed": _mark(row["obeyed"]),
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


def rows_with_bounds(found: list[dict[str, Any]], name: str = "{}") -> Rows:
    """Figures with their bounds in brackets and a cross where they are outside, by genre and seed. name: of the
    columns."""
    rows: Rows = {}
    for run in found:
        cells = rows[f"{run['genre']} {run['seed']}"] = {}
        for figure, value in run["figures"].items():
            cell = f"{value:.2f}"
            if figure in run["bounds"]:
                low, high = run["bounds"][figure]
                cell += f" ({low:.2f} to {high:.2f})" + ("" if run["within"][figure] else " ✗")
            cells[name.format(figure)] = cell
    return rows


def within(found: list[dict[str, Any]]) -> str:
    """How many figures were within their bounds, in words."""
    judged = [ok for run in found for ok in run["within"].values()]
    return f"{sum(judged)} of {len(judged)}"


def metre_rows(figures: dict[str, Any]) -> Rows:
    """Agreement with the metre by genre and metre, of real and generated music."""
    rows: Rows = {}
    for genre, own in figures["metre"].items():
        for metre, found in own.items():
            cells = rows.setdefault(genre, {})
            cells[f"{metre} real"] = f"{_share(found['real'])} ({found['pieces']})"
            cells[f"{metre} played"] = f"{_share(found['early'])} → {_share(found['late'])}"
    means: dict[str, Any] = {}
    for metre in dict.fromkeys(metre for own in figures["metre"].values() for metre in own):
        own = [found[metre] for found in figures["metre"].values()]
        real = [f["real"] for f in own for _ in range(f["pieces"])]
        means[f"{metre} real"] = f"{_share(_mean(real) if real else None)} ({len(real)})"
        halves = [[f[half] for f in own if f[half] is not None] for half in ("early", "late")]
        means[f"{metre} played"] = " → ".join(_share(_mean(half) if half else None) for half in halves)
    return rows | ({"mean": means} if rows else {})


def knob_rows(figures: dict[str, Any]) -> Rows:
    """The value of each position of a knob, and the value measured."""
    return {
        f"{knob}, {kind}": {
            at: "–" if both[kind] is None else f"{both[kind]:.1f}" for at, both in found["positions"].items()
        }
        for knob, found in figures["obedience"].items()
        for kind in ("asked", "measured")
        if any(both[kind] is not None for both in found["positions"].values())
    }


def knob_summary(figures: dict[str, Any]) -> str:
    """Rank correlations by knob and genre, in words."""
    return "; ".join(
        f"{knob} {found['spearman']:.2f} (" + ", ".join(f"{g} {rho:.2f}" for g, rho in found["by_genre"].items()) + ")"
        for knob, found in figures["obedience"].items()
    )


def plan_rows(figures: dict[str, Any]) -> Rows:
    """With the plan / without, by genre."""
    return {
        genre: {
            title: f"{_share(found['plan'][name])} / {_share(found['none'][name])}"
            for name, title in PLAN_COLUMNS.items()
        }
        for genre, found in figures["plan"].items()
    }


def guidance_rows(figures: dict[str, Any]) -> Rows:
    """By guidance."""
    columns = {**PLAN_COLUMNS, "ms": "ms a note"}
    return {name: {title: f"{found[key]:.2f}" for key, title in columns.items()} for name, found in figures.items()}


def plan_sections(figures: dict[str, Any]) -> list[Section]:
    """What says how closely it keeps to plans."""
    plan, guidance, recalls = (figures.get(name) for name in ("plan", "guidance", "recalls"))
    return [
        *([Section("Chords of a plan", PLAN, plan_rows(figures))] if plan else []),
        *([Section("Guidance by the plan", GUIDANCE, guidance_rows(guidance), {})] if guidance else []),
        *([Section(*recall_section(recalls))] if recalls else []),
    ]


def switch_rows(figures: dict[str, Any]) -> Rows:
    """Switches by the genre switched to."""
    numbers = ("real", "bars 1-2", "bars 3-4", "unswitched", "share")
    rows: Rows = {
        genre: {n: _share(found[n]) for n in numbers}
        | {"heard": _mark(found["heard"]), "instead": found["instead"], "switches": found["switches"]}
        for genre, found in figures["switching"].items()
    }
    means = {n: _share(_mean(found[n] for found in figures["switching"].values())) for n in numbers if rows}
    return rows | ({"mean": means} if rows else {})


def sections(figures: dict[str, Any]) -> list[Section]:
    """Everything that was measured; tables that would be empty are left out."""
    obeyed = [row["obeyed"] for row in figures["key_lock"]]
    copied = figures.get("copying")
    by_feature = feature_rows(figures)
    if "yardstick" in figures:
        likely = [
            Section(f"Yardstick, nats a note ({figures['held_out']})", GRID, yardstick_rows(figures)),
            Section("Nats a note by field of the codec", "Microtiming and velocities as they are.", figures["nats"]),
        ]
    else:
        likely = [Section(*section) for section in reconstruction.sections(figures)]
    found = [
        *likely,
        Section("Similarity of generated and held-out pieces", CLOSENESS, closeness_rows(figures)),
        Section(
            "By feature",
            "OA with default knobs / OA of other real pieces.",
            by_feature,
            {name: row for name, row in by_feature.items() if name == "mean"},
        ),
        Section(
            "Key lock",
            f"Share of the pitched notes in the scale; the lock holds in {sum(obeyed)} of {len(obeyed)}.",
            lock_rows(figures),
            {},
        ),
        Section("Density and register", f"{KNOBS}{knob_summary(figures)}.", knob_rows(figures)),
        *plan_sections(figures),
        Section("Switches of genre", SWITCHES, switch_rows(figures)),
        Section("Metre", METRE, metre_rows(figures)),
        Section(
            "Tempo, key, range and loudness",
            f"{ANALYSIS} {within(figures['analysis'])} within. {_key_words(figures)}".strip(),
            rows_with_bounds(figures["analysis"]),
        ),
        Section("Form", f"{FORM} {within(figures['form'])} within.", rows_with_bounds(figures["form"], "{} bars")),
        Section("Long runs", f"{LONG} {long_summary(figures)}", long_rows(figures)),
        *([Section("Runs copied from training pieces", COPYING, copying_rows(figures))] if copied else []),
        Section("Cost", COST, cost_rows(figures)),
    ]
    return [section for section in found if section.rows]


def print_tables(found: list[Section], console: Console) -> None:
    """Print them as tables."""
    for title, caption, rows, _ in found:
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
        cells = {name: {c: _cell(v) for c, v in row.items()} for name, row in table.items()}
        found[title] = [caption, cells] if cells else [caption]
    links = [f"![{name}]({os.path.relpath(path, folder)})" for name, path in pictures.items()]
    return found | ({"Pictures": "\n\n".join(links)} if links else {})


def copying_rows(figures: dict[str, Any]) -> Rows:
    """Longest common runs in notes by genre, generated and held out, with the training pieces they are in."""
    return {
        genre: {
            "notes": row["notes"],
            "generated": row["generated"],
            "held out": row["held_out"],
            "generated, in": row["generated_source"],
            "held out, in": row["held_out_source"],
        }
        for genre, row in figures["copying"].items()
    }


def cost_rows(figures: dict[str, Any]) -> Rows:
    """Time and bytes."""
    found = figures["cost"]
    phrase = {f"ms a phrase, {p}": found[f"phrase_{p}"] for p in ("p50", "p99") if f"phrase_{p}" in found}
    row = {"ms a note, p50": found["p50"], "p99": found["p99"], **phrase, "MiB": f"{found['bytes'] / 2**20:.2f}"}
    return {"": row}


def _key_words(figures: dict[str, Any]) -> str:
    found = figures["key_estimator"]
    if not found["windows"]:
        return ""
    return f"The estimated key signature is right in {found['right']:.0%} of {found['windows']} annotated windows."


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


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
