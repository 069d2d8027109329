"""`python -m training prepare`: from a folder of MIDI files to shards.

Files are read in batches, each by a process of its own that leaves its result in a cache folder: a file
that kills its process costs that file alone, and a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from instrument.errors import HocketError
from instrument.music.notes import Part, Piece
from instrument.music.reading import RULES_VERSION
from training.data import sources
from training.data.batches import CANNOT_WRITE, work_through
from training.data.notes import harmony, midi, splits
from training.data.notes.form import analysis as form
from training.data.notes.full_bands import FullBands
from training.data.notes.label_report import TrackLabel, report, track_labels
from training.data.notes.shards import INDEX_NAME, INDEX_VERSION, Index, PieceInfo, Shards, shard_name
from training.data.notes.writing import ShardWriter, write_whole
from training.data.sources import Source
from training.data.tree import others

BATCH_FILES = 128
BATCH_SECONDS = 120.0  # a batch takes a second or two; what takes this long hangs
CACHE_NAME = ".cache"
SKIPPED_NAME = "skipped.csv"
WARNINGS_NAME = "warnings.csv"  # of files that are damaged and of which the rest was read


class Read(msgspec.Struct, frozen=True):
    """One file as read: a piece, the hash of its notes, the labels of its tracks and what is wrong with the file, or
    the reason why there is none."""

    source: Source
    reason: str = ""
    info: PieceInfo | None = None
    note_hash: str = ""
    warnings: tuple[str, ...] = ()
    labels: tuple[TrackLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class Weights:
    """How much pieces count when they are sampled; 0 leaves them out, 1 keeps them as they are. datasets: by name."""

    drums_only: float = 1.0
    realised: float = 1.0
    licence: str = ""
    licence_weight: float = 0.0
    datasets: Mapping[str, float] = field(default_factory=dict)

    def of(self, info: PieceInfo) -> float:
        """The weight of a piece."""
        weight = self.datasets.get(info.dataset, 1.0)
        if info.drums_only:
            weight *= self.drums_only
        if info.realised:
            weight *= self.realised
        if self.licence and re.search(self.licence, info.licence, re.IGNORECASE):
            weight *= self.licence_weight
        return weight


def prepare(
    source: Path,
    out: Path = Path("data/midi"),
    jobs: int = 0,
    drums_only: float = 1.0,
    realised: float = 1.0,
    licence: str = "",
    licence_weight: float = 0.0,
    datasets: Mapping[str, float] | None = None,
    full_bands: bool = False,
    layout: str = "",
    genre: str = "",
    group_by: str = "",
) -> Shards:
    """Read every MIDI file of a folder into shards, and return them.

    source: a folder with manifest.csv (and one zip a dataset in the same folder), or any folder of .mid files,
    whose genre is then the subfolder and whose split is decided by the notes (see `splits`).
    out: the folder to write; a run that was interrupted goes on there, a finished one returns at once.
    jobs: processes at a time, 0 = one a processor.
    drums_only, realised: weight of drum performances and of machine-made accompaniments; 0 leaves them out.
    licence, licence_weight: weight of the pieces whose licence this regular expression finds.
    datasets: weight of the pieces of a data set, by its name.
    full_bands: add versions of lead sheets and solos for a whole band, marked as realised (see `full_bands`).
    layout, genre, group_by: see `sources.find`.

    Raises HocketError for bad input; files that cannot be read are listed in skipped.csv and left out.
    """
    try:
        re.compile(licence)
    except re.error as error:
        raise HocketError(f"licence {licence!r} is not a regular expression: {error}") from error
    weights = Weights(drums_only, realised, licence, licence_weight, dict(datasets or {}))
    if min(drums_only, realised, licence_weight, *weights.datasets.values()) < 0:
        raise HocketError("a weight must be 0 (leave out) or above")
    source, out, console = (
        Path(source),
        Path(out),
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False),
    )
    found = sources.find(source, layout, genre, group_by)
    datasets_there = {s.dataset for s in found}
    if unknown := set(weights.datasets) - datasets_there:
        choice = ", ".join(sorted(datasets_there))
        raise HocketError(f"{source} has no data set {', '.join(sorted(unknown))}: choose one of {choice}")
    bands = FullBands() if full_bands else None
    options = [RULES_VERSION, INDEX_VERSION, found, weights, bands.rules if bands else ""]
    source_hash = _digest(msgspec.json.encode(options))
    if (done := _finished(out, source_hash)) is not None:
        console.print(f"{out} is complete: {len(done.pieces)} pieces, data {done.data_hash[:12]}")
        _find_plans(done, jobs, console)
        return done
    started = time.monotonic()
    try:
        cache = out / CACHE_NAME
        cache.mkdir(parents=True, exist_ok=True)
        batches = [found[i : i + BATCH_FILES] for i in range(0, len(found), BATCH_FILES)]
        keys = _read_all(source, batches, cache, jobs or os.cpu_count() or 1, console)
        for part in (harmony, form):
            (out / part.NAME).unlink(missing_ok=True)
        shards = _merge(keys, cache, out, weights, bands, source_hash, console)
        shutil.rmtree(cache)
        _find_plans(shards, jobs, console)
    except OSError as error:
        raise HocketError(f"{out} cannot be written: {error}") from error
    notes = sum(p.count for p in shards.pieces)
    seconds = time.monotonic() - started
    for suffix, count in sorted(others(source, (*sources.SUFFIXES, ".zip", ".csv")).items()):
        console.print(f"not read: {count} files {suffix or 'without a suffix'}")
    console.print(f"{out}: {len(shards.pieces)} pieces, {notes} notes, data {shards.data_hash[:12]}, {seconds:.0f} s")
    if (out / WARNINGS_NAME).exists():
        console.print(f"some files are damaged, and the rest of them was read: see {out / WARNINGS_NAME}")
    return shards


def _find_plans(shards: Shards, jobs: int, console: Console) -> None:
    """Find what a plan of each piece would have, where it is not there."""
    for what, part in (("chords", harmony), ("form", form)):
        if not (shards.folder / part.NAME).exists():
            console.print(f"finding the {what} of the pieces")
            part.write(shards, jobs)


def _finished(out: Path, source_hash: str) -> Shards | None:
    try:
        index = msgspec.json.decode((out / INDEX_NAME).read_bytes(), type=Index)
    except (OSError, msgspec.MsgspecError):
        return None  # not begun, or damaged, or of another version: made again
    whole = all((out / shard_name(number)).is_file() for number in {p.shard for p in index.pieces})
    return Shards.open(out) if whole and index.source_hash == source_hash else None


# Reading, batch by batch --------------------------------------------------------------------------


def _read_all(folder: Path, batches: list[list[Source]], cache: Path, jobs: int, console: Console) -> list[str]:
    """Read all batches that the cache lacks; returns the keys of their results in the order of files."""
    done = work_through(
        batches,
        partial(_read_batch, folder, cache=cache),
        lambda batch: _result(cache, _key(batch)).exists(),
        lambda source: _save(cache, [source], [Read(source, "it makes the reader crash or hang")], []),
        jobs,
        BATCH_SECONDS,
        "reading",
        console,
    )
    return [_key(batch) for batch in done]


def _read_batch(folder: Path, batch: list[Source], cache: Path) -> None:
    """Runs in a process of its own."""
    read: list[Read] = []
    notes: list[NDArray[np.int32]] = []
    with sources.reader(folder) as contents:
        for source in batch:
            warnings: list[str] = []
            try:
                piece, phase, tracks = midi.read_labelled(contents(source), warnings.append)
            except (HocketError, OSError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                read.append(Read(source, str(error)))
                continue
            digest = _note_hash(piece)
            info = _info(source, piece, phase)
            read.append(Read(source, "", info, digest, tuple(warnings), track_labels(tracks)))
            notes.append(piece.notes)
    try:
        _save(cache, batch, read, notes)
    except OSError:
        sys.exit(CANNOT_WRITE)


def _info(source: Source, piece: Piece, phase: int) -> PieceInfo:
    seconds, bpm = midi.played(piece)
    velocity = piece.notes[:, 4]
    return PieceInfo(
        path=source.path,
        dataset=source.dataset,
        genre=source.genre,
        subgenre=source.subgenre,
        licence=source.licence,
        split=source.split,
        shard=0,
        start=0,
        count=len(piece),
        seconds=round(seconds, 3),
        bpm=round(bpm, 3),
        drums_only=midi.drums_only(piece) if source.drums_only is None else source.drums_only,
        realised=source.realised,
        velocity_constant=bool((velocity == velocity[0]).all()),
        metres=[(m.tick, m.numerator, m.denominator) for m in piece.metres],
        tempos=[(tick, round(tempo, 4)) for tick, tempo in piece.tempos],
        markers=[(m.tick, m.text) for m in piece.markers],
        phase=phase,
    )


def _note_hash(piece: Piece) -> str:
    """Of what is played on the grid, wherever it starts: equal for copies of a piece."""
    notes = piece.notes[:, [0, 2, 3, 5]].astype("<i4")
    notes[:, 0] -= notes[0, 0]
    notes[:, 3] = notes[:, 3] == Part.DRUMS
    return hashlib.sha1(notes.tobytes()).hexdigest()


def _key(batch: list[Source]) -> str:
    return _digest(msgspec.json.encode([RULES_VERSION, INDEX_VERSION, batch]))[:24]


def _result(cache: Path, key: str) -> Path:
    return cache / f"{key}.json"


def _save(cache: Path, batch: list[Source], read: list[Read], notes: list[NDArray[np.int32]]) -> None:
    key = _key(batch)
    with (cache / f"{key}.npy").open("wb") as file:
        np.save(file, np.concatenate([np.zeros((0, 6), np.int32), *notes]))
    write_whole(_result(cache, key), msgspec.json.encode(read))  # last: it says that the batch is whole


# Merging ------------------------------------------------------------------------------------------


def _merge(
    keys: list[str],
    cache: Path,
    out: Path,
    weights: Weights,
    bands: FullBands | None,
    source_hash: str,
    console: Console,
) -> Shards:
    """Drop duplicates and what weighs nothing, decide splits, add full bands, write shards, lists and index."""
    writer = ShardWriter(out)
    seen: dict[str, str] = {}
    skipped: list[tuple[str, str]] = []
    damaged: list[tuple[str, str]] = []
    labels: list[tuple[TrackLabel, ...]] = []
    groups: list[str] = []
    outlines: list[splits.Outline] = []
    for result, notes in _results(keys, cache):
        info = result.info
        if info is None:
            skipped.append((result.source.path, result.reason))
        elif (weight := weights.of(info)) == 0:
            skipped.append((info.path, "weight 0"))
        elif result.note_hash in seen:
            skipped.append((info.path, f"has the notes of {seen[result.note_hash]}"))
        else:
            damaged += [(info.path, warning) for warning in result.warnings]
            seen[result.note_hash] = info.path
            labels.append(result.labels)
            groups.append(result.source.group)
            outlines.append(splits.outline(notes, info))
            writer.add(msgspec.structs.replace(info, weight=weight), notes)
            if bands is not None:
                bands.see(len(labels) - 1, info, notes)
    if not labels:
        raise HocketError(f"no piece is left of {len(skipped)} files; the first: {': '.join(skipped[0])}")
    pieces, lines = splits.assign(writer.pieces, list(seen), groups, outlines)
    whole = {(info.shard, info.start): info for info in pieces}
    numbered = [whole[info.shard, info.start] for info in writer.pieces]
    for line in (*lines, *report([(info.split, each) for info, each in zip(numbered, labels, strict=True)])):
        console.print(line)
    console.print(f"{len(skipped)} files left out: see {out / SKIPPED_NAME}")
    if bands is not None:
        cut = {info.path for info, before in zip(numbered, writer.pieces, strict=True) if info.count < before.count}
        for info, notes in bands.realised(numbered):
            if info.path.rpartition(" [")[0] not in cut and (weight := weights.of(info)):
                writer.add(msgspec.structs.replace(info, weight=weight), notes)
        pieces += writer.pieces[len(labels) :]
        console.print(f"{len(writer.pieces) - len(labels)} pieces realised for a full band")
    _write_table(out / SKIPPED_NAME, [("path", "reason"), *skipped])
    (out / WARNINGS_NAME).unlink(missing_ok=True)
    if damaged:
        _write_table(out / WARNINGS_NAME, [("path", "warning"), *damaged])
    writer.finish(pieces, source_hash)
    return Shards.open(out)


def _results(keys: list[str], cache: Path) -> Iterator[tuple[Read, NDArray[np.int32]]]:
    """What was read of each file, and its notes."""
    for key in keys:
        notes, start = np.load(cache / f"{key}.npy", allow_pickle=False), 0
        for result in msgspec.json.decode(_result(cache, key).read_bytes(), type=list[Read]):
            count = result.info.count if result.info else 0
            yield result, notes[start : start + count]
            start += count


def _write_table(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
