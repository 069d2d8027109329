"""`python -m training evaluate` for the sound families: which corpora they are compared with, and what is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from training.data.sound.corpus import Corpus
from training.evaluation.card import write_card
from training.evaluation.overview import SPECTROGRAMS, keep_figures
from training.evaluation.sound import streams, tones, vocoders
from training.evaluation.sound.evaluation import Evaluation
from training.evaluation.sound.showing import spectrograms, write_example
from training.families.table import FAMILIES, Kind, find_family

MUSIC, NOTES = Path("data/stream"), Path("data/notes")
FULL_NOTES = Path("data/notes-full")  # at the vocoder's rate, where they are
SECTIONS: dict[Kind, Callable[[dict[str, Any]], dict[str, list[Any]]]] = {
    "stream": streams.sections,
    "vocoder": vocoders.sections,
    "voice": tones.sections,
}
"""Kind of family -> its figures as sections of a card."""


def evaluate_sound(
    bundle: Bundle, data: Path | None = None, split: str = "test", pieces: int | None = None, notes: Path | None = None
) -> Evaluation:
    """Measure a bundle of a sound family. data: the corpus [data/stream, of voices data/notes]; pieces: clips of each
    genre, or clips of music, or notes; notes: the corpus of notes that a vocoder's pitch is measured on. HocketError if
    the family makes no sound, or a corpus is not there."""
    family = bundle.manifest.family
    kind = find_family(family).kind
    if kind == "stream":
        return streams.evaluate_stream(bundle, Corpus.open(data or MUSIC), split, pieces or streams.CLIPS)
    if kind == "vocoder":
        return vocoders.evaluate_vocoder(
            bundle, Corpus.open(data or MUSIC), _notes(notes), split, pieces or vocoders.CLIPS
        )
    if kind == "voice":
        return tones.evaluate_voice(bundle, Corpus.open(data or NOTES), split, pieces or tones.NOTES)
    there = ", ".join(name for name, family in FAMILIES.items() if family.kind in SECTIONS)
    raise HocketError(f"family {family!r} is not measured as sound: choose a bundle of {there}")


def _notes(folder: Path | None) -> Corpus | None:
    """The corpus of notes: that one, or one of the usual ones that is there."""
    if folder is not None:
        return Corpus.open(folder)
    there = [f for f in (FULL_NOTES, NOTES) if (f / "index.json").is_file()]
    return Corpus.open(there[0]) if there else None


def sections(figures: dict[str, Any]) -> dict[str, list[Any]]:
    """The figures as sections: title -> text and tables."""
    return SECTIONS[find_family(figures["family"]).kind](figures)


def show(done: Evaluation, folder: Path) -> dict[str, Path]:
    """Write spectrograms and examples into `folder`; returns their paths."""
    written = {}
    if done.rows:
        written["spectrograms"] = folder / SPECTROGRAMS
        spectrograms(written["spectrograms"], done.rows)
    for name, (sound, rate) in done.examples.items():
        path = written[f"example {name}"] = folder / f"{name}.flac"
        write_example(path, sound, rate)
    return written


def write_cards(done: Evaluation, bundle: Path, pictures: dict[str, Path], folder: Path) -> None:
    """Write the figures into the bundle's CARD.md and, for the overview, into `folder`."""
    found = sections(done.figures)
    links = [f"[{p.name}]({os.path.relpath(p, bundle)})" for p in pictures.values() if p.suffix == ".flac"]
    shown = [f"![Spectrograms]({os.path.relpath(p, bundle)})" for p in pictures.values() if p.suffix == ".png"]
    if links or shown:
        found["Spectrograms and examples"] = [*shown, *([f"Examples: {', '.join(links)}."] if links else [])]
    write_card(bundle, found)
    names = {p.name: name for name, p in pictures.items() if p.suffix == ".flac"}
    keep_figures(folder, done.figures | {"examples": names})
