"""The page of the bands: figures with bounds, foils and an earlier run, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from training.evaluation.bands import discriminator
from training.evaluation.bands.bounds import Bounds, band_of, judge, medians
from training.evaluation.bands.figures import FIGURES
from training.evaluation.bands.foils import FOILS, REAL
from training.evaluation.bands.renders import GENRES, Results

Cells = dict[str, dict[str, tuple[float, bool | None]]]
GROUPS = tuple(dict.fromkeys(figure.group for figure in FIGURES.values()))
NONE = "–"

INTRODUCTION = """\
Three minutes of each genre and of each factory patch, with several seeds, as `hocket render` plays them, against real
pieces of the test split. Made by `python -m training evaluate --bands --card`; the figures are defined in
`training/evaluation/bands/figures.py`, the bounds were made by `python -m training.evaluation.bands bounds`.

A cell is the median over the seeds of one figure. It is within when it lies between the 10th and 90th percentile of
the real pieces; * marks those outside. The parts of a genre's band are fixed (`BANDS`): a part that never plays is
outside in how often it plays, how late it enters and how long it rests, and its other figures are left out."""
FOILS_TEXT = """\
Nine pieces of each kind in each genre, and as many real ones: how many figures are outside in the median piece (and
at least); how many of these are within in the real piece that it is made of. Of a real piece every fifth figure is
outside by definition of the bounds. Figures of parts that a foil lacks are not judged."""
WITHIN_TEXT = "Share of cells within. Real pieces and foils: medians of three pieces, as of three seeds."
JUDGED_TEXT = """\
How often a small network is right about which stretches of two and of sixteen bars are rendered and which are of real
pieces, of as many of each: .5 is chance. It is trained on other pieces and renders than those that it judges, and for
nothing else; what it hears is said in `training/evaluation/bands/discriminator.py`. Before: Hocket 0.1.0."""
BOUNDS_TEXT = """\
10th percentile (median) 90th percentile, and the number of pieces. ~ marks bounds that are pooled with other genres,
as fewer than 20 pieces of the genre have the figure; `bounds.json` names them."""


def page(results: Results, bounds: Bounds, baseline: Results | None = None) -> str:
    """The whole page. baseline: an earlier run, whose figures are shown in brackets."""
    now, before = cells(results, bounds), cells(baseline, bounds) if baseline else {}
    blocks = ["# The bands", INTRODUCTION, _source(results, baseline), "## Within the bounds", WITHIN_TEXT]
    blocks += [
        _table(_within_rows(results, now, before, bounds)),
        "## Foils",
        FOILS_TEXT,
        _table(_foil_rows(bounds)),
    ]
    if results.judged:
        blocks += [
            "## Real or rendered",
            JUDGED_TEXT,
            _table(discriminator.rows(results.judged, results.judged_before)),
        ]
    patches = [name for name in now if name not in GENRES]
    for title, names in (("Genres", [name for name in GENRES if name in now]), ("Factory patches", patches)):
        if names:
            blocks += [f"## {title}", *_figure_blocks(names, now, before)]
    blocks += ["## Bounds", BOUNDS_TEXT, _table(_bound_rows(bounds))]
    blocks += ["## The figures", _table(_definition_rows())]
    return "\n\n".join(blocks) + "\n"


def cells(results: Results, bounds: Bounds) -> Cells:
    """Name of a genre or a patch -> figure -> the median over its renders, and whether that is within; None where
    it is not judged."""
    found: Cells = {}
    for name in dict.fromkeys(render.name for render in results.renders):
        own = [render for render in results.renders if render.name == name]
        row = medians([render.figures for render in own])
        band = band_of(own[0].genre)
        judged = judge(row, bounds.bounds[own[0].genre], band)
        found[name] = {figure: (value, judged.get(figure)) for figure, value in row.items()}
    return found


def share_within(found: Sequence[Mapping[str, tuple[float, bool | None]]]) -> float:
    """Share of the judged cells that are within; nan without any."""
    judged = [inside for row in found for _, inside in row.values() if inside is not None]
    return float(np.mean(judged)) if judged else float("nan")


def _within_rows(results: Results, now: Cells, before: Cells, bounds: Bounds) -> Iterator[Sequence[str]]:
    yield ("", "genre", "within", "before", REAL, *FOILS)
    genres = {render.name: render.genre for render in results.renders}
    for name, row in now.items():
        foils = bounds.foils.get(genres[name], {})
        shares = [share_within([row]), share_within([before.get(name, {})])]
        shares += [foils[kind].within_three if kind in foils else np.nan for kind in (REAL, *FOILS)]
        yield (name, genres[name], *map(_number, shares))
    for title, wanted in (("all genres", {True}), ("all patches", {False}), ("all", {True, False})):
        shares = [
            share_within([row for name, row in each.items() if (name in GENRES) in wanted]) for each in (now, before)
        ]
        yield (title, "", *map(_number, shares), *([""] * (1 + len(FOILS))))


def _foil_rows(bounds: Bounds) -> Iterator[Sequence[str]]:
    yield ("", REAL, *FOILS)
    for genre, foils in bounds.foils.items():
        row = [genre]
        for kind in (REAL, *FOILS):
            foil = foils.get(kind)
            newly = "" if foil is None or kind == REAL else f", {foil.newly:g} newly"
            row.append(f"{foil.usual:g} ({foil.fewest}){newly}" if foil else NONE)
        yield row


def _figure_blocks(names: Sequence[str], now: Cells, before: Cells) -> Iterator[str]:
    for group in GROUPS:
        rows: list[Sequence[str]] = [(group, *names)]
        for figure in FIGURES.values():
            if figure.group == group:
                pairs = ((now[name].get(figure.name), before.get(name, {}).get(figure.name)) for name in names)
                rows.append((figure.name, *(_cell(*pair) for pair in pairs)))
        yield _table(rows)


def _bound_rows(bounds: Bounds) -> Iterator[Sequence[str]]:
    yield ("", *GENRES)
    for figure in FIGURES.values():
        row = [figure.name]
        for genre in GENRES:
            bound = bounds.bounds[genre].get(figure.name)
            judged = bound is not None and figure.needs <= band_of(genre)
            row.append(
                f"{_number(bound.low)} ({_number(bound.median)}) {_number(bound.high)}, "
                f"{bound.pieces}{'~' if bound.pool else ''}" if bound and judged else NONE
            )  # fmt: skip
        yield row


def _definition_rows() -> Iterator[Sequence[str]]:
    yield ("figure", "what it is", "unit", "needs")
    for figure in FIGURES.values():
        yield (
            figure.name,
            figure.description,
            figure.unit,
            ", ".join(p.name.lower() for p in sorted(figure.needs)),
        )


def _source(results: Results, baseline: Results | None) -> str:
    seeds = sorted({render.seed for render in results.renders})
    text = f"Hocket {results.hocket}, {results.model}, {results.seconds:g} s, seeds {', '.join(map(str, seeds))}."
    if baseline:
        text += f" In brackets: Hocket {baseline.hocket}, {baseline.model}."
    return text


def _cell(now: tuple[float, bool | None] | None, before: tuple[float, bool | None] | None) -> str:
    text = NONE if now is None else _number(now[0]) + ("*" if now[1] is False else "")
    if before is None:
        return text
    return f"{text} ({_number(before[0])}{'*' if before[1] is False else ''})"


def _number(value: float) -> str:
    return NONE if np.isnan(value) else f"{value:.2f}"


def _table(rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    columns = lines[0].count("|") - 1
    return "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]])
