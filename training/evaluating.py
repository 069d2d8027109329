"""`python -m training evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from instrument.models.bundle import Bundle


def evaluate(
    bundle: Annotated[str, typer.Option(help="slug or folder")] = "lstm-band",
    data: Annotated[
        Path | None, typer.Option(help="what `prepare` made [data/midi, data/plans, data/stream, data/notes]")
    ] = None,
    midi: Annotated[Path | None, typer.Option(help="a folder of .mid files to compare with, instead of --data")] = None,
    split: Annotated[str, typer.Option(help="train, valid or test")] = "test",
    pieces: Annotated[
        int | None, typer.Option(min=2, max=512, help="of each genre to generate and compare [16]; or clips, or notes")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=64, help="long runs of each genre [1]; with --bands, renders of each [3]")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="folder of the training run, for its loss curve")] = None,
    card: Annotated[bool, typer.Option(help="write CARD.md, docs/models.md, and pictures and examples")] = False,
    out: Annotated[Path | None, typer.Option(help="folder of pictures [artifacts/SLUG, or docs/models/SLUG]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print all figures as JSON")] = False,
    flat: Annotated[str | None, typer.Option(help="of phrases: a bundle without conductor, to compare")] = None,
    notes: Annotated[Path | None, typer.Option(help="of a vocoder: notes for its pitch [data/notes-full]")] = None,
    bands: Annotated[bool, typer.Option("--bands", help="measure whole bands as rendered, and nothing else")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="measure how closely it keeps to plans, and nothing else; needs no data")
    ] = False,
    seconds: Annotated[float, typer.Option(min=30, max=180, help="with --bands: length of a render")] = 180.0,
    renders: Annotated[Path | None, typer.Option(help="with --bands: folder of renders to keep and use again")] = None,
    baseline: Annotated[Path | None, typer.Option(help="with --bands: bands.json of an earlier run")] = None,
    real: Annotated[
        Path | None, typer.Option(help="with --bands: MIDI collection, from which a network tells the renders")
    ] = None,
    earlier: Annotated[Path | None, typer.Option(help="with --real: folder of renders of an earlier version")] = None,
) -> None:
    """Measure a bundle. Note models: likelihood, similarity to held-out pieces, key lock, long runs, copied runs.
    Phrase models: reconstruction and the same. Sound models: similarity to real sound. Plan models: chords and sections
    ahead of time. With --bands: all genres and factory patches as `hocket render` plays them, against bounds of real
    pieces. It takes some minutes."""
    import json

    import torch
    from rich.console import Console

    from instrument.models.notes.musicvae import shape_of
    from training.evaluation.notes import evaluate as evaluation
    from training.evaluation.overview import write_overview
    from training.evaluation.report import print_tables, sections
    from training.families.table import find_family

    torch.set_num_threads(1)
    opened = evaluation.find_bundle(bundle)
    family = find_family(opened.manifest.family)
    if bands:
        _evaluate_bands(opened, seconds, seeds or 3, renders, baseline, real, earlier, card, out, as_json)
        return
    if plan:
        _evaluate_obedience(opened, as_json)
        return
    if family.kind == "plan":
        _evaluate_plan(opened, data, split, pieces, card, out, as_json)
        return
    if not family.makes_notes:
        _evaluate_sound(opened, data, split, pieces, notes, card, out, as_json)
        return
    data = data or Path("data/midi")
    shape = shape_of(opened.manifest) if family.kind == "phrases" else None
    with evaluation.held_out(data, midi, split, shape) as held:
        other = evaluation.find_bundle(flat) if flat else None
        done = evaluation.evaluate(opened, held, pieces or evaluation.PIECES, range(1, (seeds or 1) + 1), other)
    folder = out or Path("docs/models" if card else "artifacts") / done.manifest.slug
    pictures = evaluation.show(done, folder, run)
    if card:
        evaluation.write_cards(done, pictures, folder)
        if out is None:
            write_overview(folder.parent)
    if as_json:
        print(json.dumps(done.figures, indent=1))
    else:
        print_tables(sections(done.figures), Console())
    for name, path in pictures.items():
        print(f"{name}: {path}", file=sys.stderr)


def _evaluate_obedience(bundle: Bundle, as_json: bool) -> None:
    import json

    from rich.console import Console

    from instrument.errors import HocketError
    from instrument.models.catalog import open_note_bundle
    from instrument.models.notes.event_player import EventPlayer
    from training.evaluation.notes.plan_following import plan_figures
    from training.evaluation.report import plan_sections, print_tables

    manifest, player = open_note_bundle(bundle)
    if not isinstance(player, EventPlayer):
        raise HocketError(f"{manifest.slug} follows no plan note by note: choose lstm-band or transformer-band")
    figures = plan_figures(player, manifest)
    if as_json:
        print(json.dumps(figures, indent=1))
    else:
        print_tables(plan_sections(figures), Console())


def _evaluate_plan(
    bundle: Bundle, data: Path | None, split: str, pieces: int | None, card: bool, out: Path | None, as_json: bool
) -> None:
    from training.evaluation.overview import write_overview
    from training.evaluation.plans import command as evaluation

    done = evaluation.evaluate_plan(bundle, data, split, pieces)
    if card:
        folder = out or Path("docs/models") / bundle.manifest.slug
        evaluation.write_cards(done, folder)
        if out is None:
            write_overview(folder.parent)
    _print_figures(evaluation.sections(done.figures), done.figures, as_json)


def _evaluate_sound(
    bundle: Bundle,
    data: Path | None,
    split: str,
    pieces: int | None,
    notes: Path | None,
    card: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from training.evaluation.overview import write_overview
    from training.evaluation.sound import command as evaluation

    done = evaluation.evaluate_sound(bundle, data, split, pieces, notes)
    folder = out or Path("docs/models" if card else "artifacts") / bundle.manifest.slug
    pictures = evaluation.show(done, folder)
    if card:
        evaluation.write_cards(done, bundle.folder, pictures, folder)
        if out is None:
            write_overview(folder.parent)
    _print_figures(evaluation.sections(done.figures), done.figures, as_json)
    for name, path in pictures.items():
        print(f"{name}: {path}", file=sys.stderr)


def _evaluate_bands(
    bundle: Bundle,
    seconds: float,
    seeds: int,
    renders: Path | None,
    baseline: Path | None,
    real: Path | None,
    earlier: Path | None,
    card: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    from training.evaluation.bands import command

    folder = out or Path("artifacts/bands")
    results, page = command.evaluate_bands(bundle, seconds, range(1, seeds + 1), renders, baseline, real, earlier)
    written = command.write(results, page, folder, Path("docs") if card else None)
    print((folder / command.RESULTS).read_text(encoding="utf-8") if as_json else page)
    for path in written:
        print(path, file=sys.stderr)


def _print_figures(sections: dict[str, list[Any]], figures: dict[str, Any], as_json: bool) -> None:
    import json

    from training.evaluation.card import table, with_content

    if as_json:
        print(json.dumps(figures, indent=1))
        return
    for title, blocks in with_content(sections).items():
        print(f"## {title}\n")
        for block in blocks:
            print("\n".join([*([block] if isinstance(block, str) else table(block)), ""]))
