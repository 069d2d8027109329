"""`python -m training evaluate` for plan bundles: figures compared with baselines, and tables for the card."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes
from instrument.models.plan.form import form_features
from instrument.models.plan.writer import PlanWriter, Settings
from instrument.music.plan import Plan
from training.data.plans import SPLITS, PlanPiece, Plans, open_plans
from training.evaluation.card import write_card
from training.evaluation.overview import keep_figures
from training.evaluation.plans import sections as form
from training.evaluation.plans import yardstick
from training.evaluation.plans.baselines import FormCounts, baselines
from training.evaluation.plans.writing import BARS, copied, write_plans, written_figures
from training.families.plan.predictor import BundlePlan
from training.families.plan.task import form_genre

DATA = Path("data/plans")
WRITTEN = 8  # plans written for each genre
GOALS = (
    ("sections known", "nats a slot", 0.88),
    ("sections known", "nats a change", 1.70),
    ("sections known", "top-1", 0.69),
    ("sections not known", "nats a slot", 1.10),
    ("sections", "returns", 0.83),
    ("sections", "which", 0.74),
    ("sections", "nats with the end", 0.75),
)
TIMED, BEATS = 128, 4  # bars of 4/4
HIGHER = ("top-1", "returns", "which")  # figures where higher is better
SLOTS_TEXT = (
    "The next chord of 97 (root above the tonic, eight kinds, none) on two to four slots a bar, in six genres. "
    "A change is a slot with another chord than the last; top-1 is at changes, the last chord excluded; mean of the "
    "genres. All methods know past chords, genre, mode and metre; the two rows that name sections know the section, "
    "its length and its earlier appearances, too."
)
SECTIONS_TEXT = (
    "Whether what starts is an earlier section, which earlier one or a new one, and nats a section, with the end; "
    "pop, rock, jazz and folk, mean of the genres."
)
COST_TEXT = "Milliseconds a beat of 4/4: features, network, draws and form, in one thread, with other programs running."
COPY_TEXT = (
    f"Chords of the longest progression in common with a training piece, in the first {BARS} bars: the median and the "
    "longest of written plans and of held-out pieces."
)
WRITTEN_TEXT = (
    f"Plans of {BARS} bars in major and minor: sections that return, bars that recall an earlier one, changes of "
    "chord a bar, and sections of four bars or more that end on tonic or dominant; held-out pieces in brackets."
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a bundle."""

    folder: Path
    figures: dict[str, Any]


def evaluate_plan(
    bundle: Bundle, data: Path | None = None, split: str = "test", pieces: int | None = None
) -> Evaluation:
    """Measure a plan bundle on a split of prepared plans. pieces: plans to write for each genre. Raises HocketError if
    the split is unknown or has no pieces."""
    if split not in SPLITS:
        raise HocketError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    folder = data or DATA
    plans = open_plans(folder)
    held = plans.select(split)
    examples = yardstick.with_features(held)
    if not examples:
        raise HocketError(f"{folder} has no plans in its {split} split: choose another split, or prepare more")
    manifest = bundle.manifest
    writer = PlanWriter(bundle)
    network = BundlePlan(bundle)
    written = write_plans(writer, pieces or WRITTEN)
    figures: dict[str, Any] = {
        "bundle": manifest.slug,
        "name": manifest.name,
        "family": manifest.family,
        "version": manifest.version,
        "bundle_hash": manifest.bundle_hash,
        "data_hash": plans.data_hash,
        "held_out": f"{split} split of {folder.name}",
        "pieces": len(examples),
        "chords": chord_figures(network, plans, examples),
        "sections": section_figures(network, plans, held),
        "copied": copied(plans, written, held),
        "written": written_figures(written, held),
        "cost": cost(writer) | {"bytes": bundle_bytes(bundle.folder)},
    }
    figures["goals"] = goals(figures)
    return Evaluation(bundle.folder, figures)


def chord_figures(network: Any, plans: Plans, examples: Sequence[yardstick.PieceFeatures]) -> dict[str, Any]:
    """Method -> genre -> figures."""
    train, valid = (yardstick.with_features(plans.select(split)) for split in ("train", "valid"))
    found = {name: yardstick.measure(judge, examples) for name, judge in baselines(train, valid).items()}
    judge = yardstick.network_judge(network)
    found["sections not known"] = yardstick.measure(judge, yardstick.hide_sections(examples))
    found["sections known"] = yardstick.measure(judge, examples)
    return found


def section_figures(network: Any, plans: Plans, held: Sequence[PlanPiece]) -> dict[str, Any]:
    """Method -> genre -> figures."""
    train = [form_features(form_genre(piece), piece.form) for piece in form.with_sections(plans.select("train"))]
    return {
        "majority": {"mean": form.majority_figures(held)},
        "n-gram": form.measure_sections(FormCounts(train).logs, held),
        "model": form.measure_sections(form.network_logs(network.form), held),
    }


def cost(writer: PlanWriter) -> dict[str, float]:
    """Milliseconds a beat of 4/4 for all steps together in one thread: median and p99."""
    plan, taken = Plan(key=(0, "major")), []
    for _ in range(TIMED):
        began = time.perf_counter_ns()
        bars = writer.bars(plan, 1, Settings())
        taken.append((time.perf_counter_ns() - began) / BEATS / 1e6)
        plan = plan.extended(bars)
    return {f"p{p}": round(float(np.percentile(taken[1:], p)), 3) for p in (50, 99)}


def goals(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Goal -> the value reached, the goal's value, and whether it is met."""
    found = {}
    for of, name, asked in GOALS:
        value = (figures["sections"]["model"] if of == "sections" else figures["chords"][of])["mean"][name]
        met = value >= asked if name in HIGHER else value <= asked
        found[f"{of}: {name}"] = {"reached": value, "asked for": asked, "met": met}
    return found


def sections(figures: dict[str, Any]) -> dict[str, list[Any]]:
    """The figures as sections of a card: title -> text and tables."""
    chords, forms = figures["chords"], figures["sections"]
    genres = [genre for genre in chords["sections known"] if genre != "mean"]
    by_genre = {
        genre: {
            f"{name}, {of}": chords[of][genre][name]
            for of in ("sections known", "sections not known")
            for name in yardstick.FIGURES
        }
        for genre in genres
    }
    where = figures["held_out"]
    written = {
        genre: {name: _with_held_out(*values) for name, values in row.items()}
        for genre, row in figures["written"].items()
    }
    return {
        f"Chords ahead of time ({where})": [
            SLOTS_TEXT,
            {_named(name): row["mean"] for name, row in chords.items()},
            by_genre,
        ],
        f"Sections ahead of time ({where})": [
            SECTIONS_TEXT,
            {name: row["mean"] for name, row in forms.items()},
            {genre: row for genre, row in forms["model"].items() if genre != "mean"},
        ],
        "Goals": [figures["goals"]],
        "Copied": [COPY_TEXT, figures["copied"]],
        "Written": [WRITTEN_TEXT, written],
        "Cost": [
            COST_TEXT,
            {
                "": {
                    **{f"ms a beat, {name}": value for name, value in figures["cost"].items() if name != "bytes"},
                    "MiB": figures["cost"]["bytes"] / 2**20,
                }
            },
        ],
    }


def write_cards(done: Evaluation, folder: Path) -> None:
    """Write the figures into the bundle's CARD.md and, for the overview, into `folder`."""
    write_card(done.folder, sections(done.figures))
    keep_figures(folder, done.figures)


def _named(method: str) -> str:
    return f"model, {method}" if method.startswith("sections") else method


def _with_held_out(ours: float | None, theirs: float | None) -> str:
    """A figure, followed by that of held-out pieces in brackets."""
    return ("–" if ours is None else f"{ours:.2f}") + ("" if theirs is None else f" ({theirs:.2f})")
