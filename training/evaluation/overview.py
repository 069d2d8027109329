"""docs/models.md: all models in one table, from the figures that the evaluation of each wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from training.core import renames
from training.evaluation.card import table
from training.evaluation.report import closeness_rows, within
from training.families.table import find_family

FIGURES = "figures.json"
SPECTROGRAMS = "spectrograms.png"
OA, KLD = ("OA default knobs", "OA real"), ("KLD default knobs", "KLD real")
INTRODUCTION = """# The note models

Measured by `python -m training evaluate --bundle SLUG --card`, which also wrote this page. Nats a note on held-out
pieces of the test split (fewer is better; mean of the genres); OA and KLD: similarity of what it plays to held-out
pieces, and of other real pieces to these; key lock: locks obeyed; density and register: Spearman's rank correlation of
the knob with the value measured; steps: of models of phrases, accuracy on held-out sixteenths, teacher-forced and
free-running; genre heard: genres whose switch a classifier recognises within two bars, of those offered; within:
figures of analysis, form and long runs within those of real pieces; copied: longest run of notes in common with a
training piece, and that of held-out pieces; ms: median time a note in one thread, on a machine as busy as it was.
Models of phrases are compared with that part of real pieces, on sixteenths."""
SOUND = """# The sound models

Measured by the same command on real sound that they were not trained on; figures in brackets are of real
sound, of the representation's own round trip, or its floor. Pitch: notes within 50 cents (swift-f0); recognised: by a
classifier trained on real sound; NDB: share of bins that differ; STFT: multi-resolution distance from the real note,
or as a share of Griffin-Lim's; Frechet: distance in that classifier's embedding; blend heard: Spearman's rank
correlation of the knob with the class probability; × real time: one thread."""

PLANS = """# The plan models

Measured by the same command on held-out plans: nats a slot, nats a change and top-1 at changes with the sections known,
nats a slot without; whether a section returns, which one, and nats a section (pop, rock, jazz, folk)."""


def keep_figures(folder: Path, figures: dict[str, Any]) -> None:
    """Write an evaluation's figures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FIGURES).write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def write_overview(folder: Path) -> Path:
    """Write FOLDER.md, the overview of all models with figures in FOLDER/SLUG; returns its path. HocketError
    if one of them cannot be read."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"*/{FIGURES}")):
        try:
            found[path.parent.name] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise HocketError(f"{path} cannot be read ({error}): evaluate that bundle again with --card") from error
    plans = {slug: own for slug, own in found.items() if find_family(own["family"]).kind == "plan"}
    notes, sound = (
        {s: o for s, o in found.items() if find_family(o["family"]).makes_notes == kind and s not in plans}
        for kind in (True, False)
    )
    lines = [INTRODUCTION, "", *table({_link(slug, own): summary(own) for slug, own in notes.items()}), ""]
    nats = {slug: own["yardstick"] for slug, own in found.items() if "yardstick" in own}
    if nats:
        by_field = {slug: {**own["by_field"], "total": own["total"]} for slug, own in nats.items()}
        by_genre: dict[str, dict[str, float]] = {}
        for slug, own in nats.items():
            for genre, row in own["by_genre"].items():
                by_genre.setdefault(genre, {})[slug] = row["total"]
        lines += ["## Nats a note by field", "", *table(by_field), ""]
        lines += ["## Nats a note by genre", "", *table(dict(sorted(by_genre.items()))), ""]
    for slug, own in notes.items():
        lines += [f"## {own['name']}", "", *_note_lines(folder, slug, own)]
    if sound:
        lines += [SOUND, "", *table({_link(slug, own): sound_summary(own) for slug, own in sound.items()}), ""]
        for slug, own in sound.items():
            lines += [f"## {own['name']}", "", *_sound_lines(folder, slug, own)]
    if plans:
        lines += [PLANS, "", *table({_link(slug, own): plan_summary(own) for slug, own in plans.items()}), ""]
    path = folder.with_suffix(".md")
    path.write_text("\n".join(lines).rstrip() + "\n")
    return path


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """One row of the overview, with the figures that were measured."""
    row: dict[str, Any] = {"family": figures["family"]}
    if "yardstick" in figures:
        row["nats"] = f"{figures['yardstick']['total']:.3f}"
    if similarity := closeness_rows(figures).get("mean") if "features" in figures else None:
        for name, columns in (("OA (real)", OA), ("KLD (real)", KLD)):
            row[name] = "{:.2f} ({:.2f})".format(*(similarity[column] for column in columns))
    if figures.get("key_lock"):
        row["key lock"] = _of([lock["obeyed"] for lock in figures["key_lock"]])
    for knob, found in figures.get("obedience", {}).items():
        row[knob] = f"{found['spearman']:.2f}"
    if figures.get("switching"):
        row["genre heard"] = _of([found["heard"] for found in figures["switching"].values()])
    judged = [run for name in ("analysis", "form", "long_runs") for run in figures.get(name, [])]
    if judged:
        row["within"] = within(judged)
    if copied := figures.get("copying"):
        row["copied (held out)"] = "{} ({})".format(
            *(max(c[k] for c in copied.values()) for k in ("generated", "held_out"))
        )
    if "accuracy" in figures:
        steps = renames.fields(figures["accuracy"]["model"])
        row["steps teacher-forced"] = f"{steps['teacher_forced']:.3f}"
        row["steps free-running"] = f"{steps['free_running']:.3f}"
    if "cost" in figures:
        row |= {"ms": f"{figures['cost']['p50']:.2f}", "MiB": f"{figures['cost']['bytes'] / 2**20:.2f}"}
    return row


def sound_summary(figures: dict[str, Any]) -> dict[str, Any]:
    """One row of the overview of sound models: their family's own figures, and the goals they meet."""
    met = _of([goal["met"] for goal in figures["goals"].values()])
    return {
        "family": figures["family"],
        "goals met": met,
        **figures["overview"],
        "MiB": f"{figures['cost']['bytes'] / 2**20:.2f}",
    }


def plan_summary(figures: dict[str, Any]) -> dict[str, Any]:
    """One row of the overview of plan models."""
    known, hidden = (figures["chords"][of]["mean"] for of in ("sections known", "sections not known"))
    return {
        "goals met": _of([goal["met"] for goal in figures["goals"].values()]),
        **known,
        "nats a slot, sections not known": hidden["nats a slot"],
        **figures["sections"]["model"]["mean"],
        "ms a beat": f"{figures['cost']['p50']:.2f}",
        "MiB": f"{figures['cost']['bytes'] / 2**20:.2f}",
    }


def _sound_lines(folder: Path, slug: str, figures: dict[str, Any]) -> list[str]:
    lines = []
    if (folder / slug / SPECTROGRAMS).is_file():
        lines += [f"![What {figures['name']} sounds like]({folder.name}/{slug}/{SPECTROGRAMS})", ""]
    examples = [f"[{name}]({folder.name}/{slug}/{name})" for name in figures.get("examples", ())]
    return [*lines, f"Examples: {', '.join(examples)}.", ""] if examples else lines


def _note_lines(folder: Path, slug: str, figures: dict[str, Any]) -> list[str]:
    lines = []
    if (folder / slug / "piano-rolls.png").is_file():
        lines += [f"![What {figures['name']} plays, and held-out pieces]({folder.name}/{slug}/piano-rolls.png)", ""]
    if figures.get("examples"):
        lines += ["Two examples and the commands that make them (give `--out FILE.wav` to listen):", ""]
        for name, command in figures["examples"].items():
            lines.append(f"- [{name}]({folder.name}/{slug}/{name}): `{command}`")
        lines.append("")
    return lines


def _link(slug: str, figures: dict[str, Any]) -> str:
    return f"[{figures['name']}](../models_onnx/{slug}/CARD.md)"


def _of(marks: list[bool]) -> str:
    return f"{sum(marks)} of {len(marks)}"
