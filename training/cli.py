"""`python -m training prepare | prepare-audio | fit | export | evaluate`: from files to a measured bundle."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from instrument.errors import HocketError
from training.evaluating import evaluate

INTERRUPTED = 130  # exit status after Ctrl-C, as of a shell

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


app.command()(evaluate)


@app.callback()
def training() -> None:
    """Hocket's training package."""


@app.command()
def prepare(
    source: Annotated[Path, typer.Argument(help="a folder with manifest.csv, or any folder of .mid files")],
    out: Annotated[Path, typer.Option(help="folder to write")] = Path("data/midi"),
    jobs: Annotated[int, typer.Option(min=0, help="processes at a time, 0 = one a processor")] = 0,
    drums_only: Annotated[float, typer.Option(min=0, help="weight of drum performances, 0 leaves them out")] = 1.0,
    realised: Annotated[float, typer.Option(min=0, help="weight of machine-made accompaniments")] = 1.0,
    licence: Annotated[str, typer.Option(help="regular expression for the licences weighed by --licence-weight")] = "",
    licence_weight: Annotated[float, typer.Option(min=0, help="weight of pieces of these licences")] = 0.0,
    weigh: Annotated[list[str] | None, typer.Option(help="DATASET=WEIGHT (repeat it for more)")] = None,
    full_bands: Annotated[
        bool, typer.Option("--full-bands", help="add lead sheets and solos realised for a band, of weight --realised")
    ] = False,
    layout: Annotated[str, typer.Option(help="of a known data set: maestro, lakh, lpd")] = "",
    genre: Annotated[str, typer.Option(help="of all files, instead of their folders' names")] = "",
    group_by: Annotated[
        str, typer.Option(help="what versions of a piece share: folder, or a regular expression for their paths")
    ] = "",
) -> None:
    """Read MIDI files into shards to train on. If it is stopped, the same command resumes."""
    from training.data.notes.prepare import prepare as prepare_shards

    datasets = dict(_weight(text) for text in weigh or ())
    weights = (drums_only, realised, licence, licence_weight, datasets)
    prepare_shards(source, out, jobs, *weights, full_bands, layout, genre, group_by)


@app.command()
def prepare_plans(
    source: Annotated[Path, typer.Argument(help="a folder with plans.jsonl.gz and, if there are any, forms.jsonl.gz")],
    out: Annotated[Path, typer.Option(help="folder to write")] = Path("data/plans"),
) -> None:
    """Read plans of chords and sections into one file to train on."""
    from training.data.plans import prepare_plans as prepare

    plans = prepare(source, out)
    print(f"{out}: {len(plans.pieces)} pieces, data {plans.data_hash[:16]}")


@app.command()
def grooves(
    data: Annotated[Path, typer.Argument(help="what `prepare` made")],
    out: Annotated[Path, typer.Option(help="file to write")] = Path("assets/grooves.toml"),
) -> None:
    """Measure tempo, swing, accents and microtiming of each genre on what people played."""
    from training.data.notes.grooves import write_grooves

    print(f"{out}: {', '.join(write_grooves(data, out))}")


@app.command()
def levels(
    seconds: Annotated[float, typer.Option(min=5, max=600, help="length of a render")] = 45.0,
    adjust: Annotated[
        bool, typer.Option("--adjust", help="set the level of patches that are too loud or quiet")
    ] = False,
) -> None:
    """Measure how loud (LUFS) and how wide (decibels of sides below middle) the factory patches are."""
    from training.evaluation import levels as measured

    for level in measured.levels(seconds, adjust):
        print(f"{level.name:<20} {level.loudness:6.1f} LUFS {level.width:6.1f} dB", flush=True)


@app.command()
def prepare_audio(
    sources: Annotated[list[Path], typer.Argument(help="folders of sound, notes, MIDI, `prepare`'s; sound fonts")],
    out: Annotated[Path, typer.Option(help="folder to write")] = Path("data/stream"),
    recipe: Annotated[Path | None, typer.Option(help="the recipe that it is for, which gives the rate")] = None,
    rate: Annotated[int | None, typer.Option(help="hertz [the recipe's, or 44100]")] = None,
    seconds: Annotated[float, typer.Option(help="length of the windows that music is cut into")] = 10.0,
    minutes: Annotated[float, typer.Option(help="training sound of each genre, 0 = all")] = 0.0,
    genre: Annotated[list[str] | None, typer.Option(help="this genre alone (repeat it for more)")] = None,
    font: Annotated[list[str] | None, typer.Option(help="sound font for MIDI (repeat it for more)")] = None,
    notes: Annotated[str, typer.Option(help="a notes.csv: what a sound font shall play")] = "",
    hold: Annotated[float, typer.Option(help="seconds that the key of a rendered note is held")] = 2.0,
    licence: Annotated[str, typer.Option(help="of what names none")] = "",
    all_licences: Annotated[bool, typer.Option("--all-licences", help="render music under the GPL too")] = False,
    jobs: Annotated[int, typer.Option(min=0, help="processes at a time, 0 = one a processor")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="of windows, sound fonts and ensembles")] = 1,
) -> None:
    """Make a corpus of sound to train on. If it is stopped, the same command resumes."""
    from training.data.sound import prepare as audio

    rate = rate or (_rate_of(recipe) if recipe else 44100)
    chosen = (rate, seconds, minutes, tuple(genre or ()), tuple(font or ()), notes, hold, licence, all_licences, seed)
    audio.prepare_audio(sources, out, audio.Options(*chosen), jobs)


@app.command()
def fit(
    recipe: Annotated[Path | None, typer.Option(help="one that comes with Hocket, by name, or a file")] = None,
    run: Annotated[
        Path | None,
        # torchrun takes --run for the beginning of one of its own options
        typer.Option("--run-folder", "--run", help="folder of the run [runs/SLUG]"),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="what `prepare` made, instead of the recipe's")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="of training in all: so many batches are planned [the recipe's]"),
    ] = None,
    batches: Annotated[int | None, typer.Option(min=1, help="in all, instead of --minutes")] = None,
    start: Annotated[str | None, typer.Option("--from", help="bundle or checkpoint to start from")] = None,
    slug: Annotated[str | None, typer.Option(help="of the new model, which is then yours")] = None,
    threads: Annotated[int, typer.Option(min=0, help="processor threads, 0 = one a core")] = 0,
    device: Annotated[str, typer.Option(help="cpu; or cuda, cuda:1, ... for mixed precision on a GPU")] = "cpu",
    change: Annotated[list[str] | None, typer.Option("--set", help="SECTION.SETTING=VALUE, again for more")] = None,
) -> None:
    """Train a model. If it is stopped, the same command resumes. With several processes: `torchrun --nproc-per-node N
    -m training fit ...`; each takes its share of every batch."""
    import dataclasses

    from training.fit import Run
    from training.recipe import owned, read_recipe, stages, tuned, with_settings
    from training.weights import starting_weights

    if recipe is not None:
        chosen = owned(read_recipe(recipe), slug) if slug else read_recipe(recipe)
    elif start is not None and slug is not None and data is not None:
        chosen = tuned(starting_weights(start)[1]["recipe"], slug)
    else:
        raise HocketError("give a --recipe; or --from, --slug and --data, to train a model further on your own music")
    if data is not None:
        chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, folder=str(data)))
    chosen = with_settings(chosen, change or ())
    folder = run or Path("runs") / chosen.slug
    if start is None and chosen.start:
        start = str(folder.parent / chosen.start / "best.safetensors")
    runs = stages(chosen)
    if batches is not None and len(runs) > 1:
        raise HocketError(f"{chosen.slug} has {len(runs)} stages, each with its own batches: leave out --batches")
    if batches is None:
        minutes = minutes or chosen.minutes or None
    total = sum(stage.train.batches for stage in runs)
    with _computing_on(device, threads) as place:
        for number, stage in enumerate(runs, 1):
            part = folder if number == len(runs) else folder / f"stage-{number}"
            share = None if minutes is None else minutes * stage.train.batches / total
            if not Run(stage, part, place, start).fit(share, batches):
                raise typer.Exit(INTERRUPTED)
            start = str(part / "best.safetensors")


@app.command()
def search(
    recipe: Annotated[Path, typer.Option(help="the recipe whose settings are varied")],
    vary: Annotated[list[str], typer.Option(help="settings to try, as train.learning_rate=1e-3,2e-3; again for more")],
    data: Annotated[Path | None, typer.Option(help="what `prepare` made, instead of the recipe's")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=1, help="of the training data that is used")] = 0.1,
    minutes: Annotated[float, typer.Option(min=0, help="of training a variant")] = 5.0,
    out: Annotated[Path, typer.Option(help="folder of the runs")] = Path("runs/search"),
    threads: Annotated[int, typer.Option(min=0, help="processor threads, 0 = one a core")] = 0,
    device: Annotated[str, typer.Option(help="cpu; or cuda, cuda:1, ... for mixed precision on a GPU")] = "cpu",
) -> None:
    """Try settings of a recipe in short runs, and print a table. Short runs on two cores differ mostly by chance."""
    import dataclasses

    from training.evaluation.card import table
    from training.recipe import parse_choice, read_recipe
    from training.search import search as search_settings

    choices, chosen = [parse_choice(text) for text in vary], read_recipe(recipe)
    if data is not None:
        chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, folder=str(data)))
    with _computing_on(device, threads) as place:
        rows = search_settings(chosen, choices, share, minutes, out, place)
    print("\n".join(table({row.pop("settings"): row for row in rows})))


@app.command()
def cards(
    bundles: Annotated[list[Path] | None, typer.Argument(help="folders of bundles [all that ship]")] = None,
) -> None:
    """Write cards again from the manifests, with the figures that they have."""
    from instrument.models.catalog import list_models
    from training.evaluation.card import renew_card

    for folder in bundles or [entry.path for entry in list_models() if entry.shipped]:
        renew_card(folder)
        print(folder / "CARD.md")


@app.command()
def compare(runs: Annotated[list[Path], typer.Argument(help="folders of runs")]) -> None:
    """Print runs side by side: best validations, and the settings in which they differ."""
    from training.compare import compare as side_by_side
    from training.evaluation.card import table

    print("\n".join(table(side_by_side(runs))))


@app.command()
def bench(
    batches: Annotated[int, typer.Option(min=2, max=1000, help="of each that are measured")] = 8,
    processes: Annotated[
        int | None, typer.Option(min=2, max=64, help="compare so many with one, and nothing else")
    ] = None,
) -> None:
    """Measure the speed of training in one thread, against plain PyTorch loops of the same size; or in several
    processes against one."""
    from training.bench.processes import bench_processes
    from training.bench.speed import bench as measure
    from training.evaluation.card import table

    for name, row in (bench_processes(processes, batches) if processes else measure(batches)).items():
        print("\n".join(table({name: row})), end="\n\n")


@app.command()
def reproduce(
    slug: Annotated[str, typer.Argument(help="of a recipe in training/recipes")],
    raw: Annotated[Path, typer.Option(help="folder of raw data: midi, plans, audio/notes, audio/music")] = Path("raw"),
    out: Annotated[Path, typer.Option(help="folder of data, runs and bundles that are made")] = Path("reproduced"),
    font: Annotated[Path | None, typer.Option(help="sound font that renders music [the one that ships]")] = None,
    scale: Annotated[float, typer.Option(min=1e-6, max=1, help="share of the length of all training runs")] = 1.0,
    change: Annotated[list[str] | None, typer.Option("--set", help="SECTION.SETTING=VALUE, again for more")] = None,
) -> None:
    """Make a model anew as its recipe says, from raw data to its card. If it is stopped, the same command resumes."""
    from training.reproduce import FONT
    from training.reproduce import reproduce as make

    bundle = make(
        slug, raw, out, lambda command: app(command, standalone_mode=False), scale, change or (), font=font or FONT
    )
    print(f"made: {bundle}")


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Option(help="best.safetensors of a run")] = Path(
        "runs/lstm-band/best.safetensors"
    ),
    out: Annotated[
        Path | None, typer.Option(help="folder in which the bundle's folder is made [that of your own models]")
    ] = None,
    slug: Annotated[str, typer.Option(help="of the bundle, instead of the recipe's")] = "",
    force: Annotated[bool, typer.Option("--force", help="replace a bundle of this name")] = False,
) -> None:
    """Turn a checkpoint into a bundle that the instrument plays."""
    from training.export import export as export_bundle

    folder = export_bundle(checkpoint, out, slug, force)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{folder}: {size / 2**20:.2f} MiB")


@app.command()
def prime(
    bundle: Annotated[str, typer.Option(help="slug or folder of a model of notes with genres")],
    data: Annotated[Path, typer.Option(help="what `prepare` made of the music it was trained on")] = Path("data/midi"),
    pieces: Annotated[
        int | None, typer.Option(min=4, help="or phrases of each genre, played to choose from [96, 256]")
    ] = None,
) -> None:
    """Give a bundle primers: bars of its own that it continues when it is switched to a genre, so that the switch is
    audible. Models of phrases get landmarks: phrases that are typical of a genre. It takes some minutes."""
    import torch

    from training.data.notes.shards import Shards
    from training.evaluation.notes import evaluate as evaluation
    from training.families.table import find_family
    from training.priming import prime as give_primers

    torch.set_num_threads(1)
    opened = evaluation.find_bundle(bundle)
    if not find_family(opened.manifest.family).makes_notes:
        raise HocketError(f"{bundle} has no genres to switch between: choose a model of notes")
    manifest = give_primers(opened.folder, Shards.open(data), pieces)
    print(f"{opened.folder}: bundle {manifest.bundle_hash[:12]}")


def _rate_of(recipe: Path) -> int:
    """HocketError if it is not a recipe of sound."""
    from training.families.table import find_family
    from training.recipe import read_recipe

    family = read_recipe(recipe).family
    if not (rate := getattr(find_family(family).task, "rate", 0)):
        raise HocketError(f"{recipe} is a recipe of {family}, which does not learn from sound: use `prepare`")
    return rate


def _weight(text: str) -> tuple[str, float]:
    """HocketError if it is no DATASET=WEIGHT."""
    name, _, weight = text.partition("=")
    try:
        return name, float(weight)
    except ValueError as error:
        raise HocketError(f"{text!r} is no weight of a data set: write it as NAME=2") from error


@contextmanager
def _computing_on(device: str, threads: int) -> Iterator[str]:
    """Within it this process computes with so many threads, with the others that `torchrun` started; gives the device
    to use. HocketError if the device is not available."""
    import torch

    from training.core import ranks
    from training.core.devices import check_device

    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # processes that share this machine's cores
    torch.set_num_threads(threads or max(1, (os.cpu_count() or 1) // here))
    device = ranks.join(check_device(device))
    try:
        yield device
    finally:
        ranks.leave()


def main() -> None:
    """Run the command line; a named error is one line and status 1."""
    try:
        app()
    except HocketError as error:
        print(f"training: {error}", file=sys.stderr)
        sys.exit(1)
