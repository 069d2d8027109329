"""`python -m training prepare-audio`: from recordings, single notes, MIDI files and sound fonts to a corpus.

Like `prepare`: batches in processes of their own leave their results in a cache folder, so that a run that was
stopped resumes, and items that cannot be used are listed with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from instrument.errors import HocketError
from training.data.batches import CANNOT_WRITE, work_through
from training.data.notes import midi
from training.data.notes.prepare import prepare
from training.data.notes.shards import Shards
from training.data.sound import sources as soundsources
from training.data.sound.corpus import (
    FULL_SCALE,
    SOUND_NAME,
    Clip,
    Corpus,
    CorpusWriter,
    read_index,
    to_int16,
)
from training.data.sound.ensembles import ANY, ENSEMBLES
from training.data.sound.files import check_silence, decode, levelled
from training.data.sound.plan import Options, chance, plan, wanted
from training.data.sound.rendering import Renderer, Room, find_fonts, scored, scored_as_written
from training.data.sound.sources import Found, Item
from training.data.sources import SPLITS

RULES_VERSION = 1  # raise it when a change here or in what is used here gives other sound for the same source
BATCH_ITEMS = 48
BATCH_SECONDS = 900.0  # half a minute on a free processor
SHORTEST_NOTE_S = 0.1
NOTE_PEAK = 0.9  # of the loudest note of an instrument
TAIL_S = 1.0  # after the key of a rendered note was released
FAINT = 2e-4  # where the tail of a rendered note ends
CACHE_NAME, MIDI_NAME, REJECTED_NAME = ".cache", ".midi", "rejected.csv"


class Made(msgspec.Struct, frozen=True):
    """The result of an item: the reason why it was rejected, or its frames, the peak that their full scale stands
    for, and the frames until its key was released."""

    reason: str = ""
    frames: int = 0
    peak: float = 0.0
    held: int = 0


def prepare_audio(
    sources: Sequence[Path], out: Path = Path("data/stream"), options: Options | None = None, jobs: int = 0
) -> Corpus:
    """Bring sources into one corpus of mono sound, and return it.

    sources: folders of recordings (the genre is the subfolder, or given in clips.csv), of single notes
    (notes.csv, or NSynth's examples.json), of MIDI files or of what `prepare` made of them, which are
    rendered; or sound fonts, whose single notes are. out: the folder to write; a run that was interrupted
    resumes there, a finished one returns at once. jobs: processes at a time, 0 = one a processor.

    Music is cut into windows of one level; notes keep their loudness within an instrument. Raises
    HocketError for bad input; files that cannot be used are listed in rejected.csv and left out.
    """
    options, jobs, started = options or Options(), jobs or os.cpu_count() or 1, time.monotonic()
    options.check()
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        found = [_find(Path(source), out / MIDI_NAME / str(i), options, jobs) for i, source in enumerate(sources)]
        items, rejected = plan([i for f in found for i in f.items], options)
        rejected = [r for f in found for r in f.rejected] + rejected
        for path, warning in [w for f in found for w in f.warnings]:
            console.print(f"{path}: {warning}")
        fonts = [str(font) for font in find_fonts(options.fonts)] if any(i.kind == "piece" for i in items) else []
        source_hash = _digest([RULES_VERSION, options, fonts, items])
        if (done := _finished(out, source_hash)) is not None:
            console.print(f"{out} is complete: {len(done.clips)} clips, data {done.data_hash[:12]}")
            return done
        if not items:
            raise HocketError(_nothing(sources, rejected))
        cache = out / CACHE_NAME
        cache.mkdir(exist_ok=True)
        batches = [items[i : i + BATCH_ITEMS] for i in range(0, len(items), BATCH_ITEMS)]
        batches = work_through(
            batches,
            partial(_make_batch, options, fonts, cache=cache),
            lambda batch: _result(cache, _key(batch, options, fonts)).exists(),
            lambda item: _save(cache, _key([item], options, fonts), [Made("it makes the reader crash or hang")], []),
            jobs,
            BATCH_SECONDS,
            "sound",
            console,
        )
        results = [(batch, _key(batch, options, fonts)) for batch in batches]
        corpus = _merge(results, cache, out, options, rejected, source_hash)
        shutil.rmtree(cache)
    except OSError as error:
        raise HocketError(f"{out} cannot be written: {error}") from error
    _report(corpus, rejected, time.monotonic() - started, console)
    return corpus


def _nothing(sources: Sequence[Path], rejected: list[tuple[str, str]]) -> str:
    first_reason = f"; the first item rejected: {', '.join(rejected[0])}" if rejected else ""
    return f"{', '.join(map(str, sources))}: they hold nothing to use{first_reason}"


def _finished(out: Path, source_hash: str) -> Corpus | None:
    try:
        index = read_index(out)
    except HocketError:
        return None  # damaged, or of another version: made again
    whole = index is not None and (out / SOUND_NAME).is_file() and index.source_hash == source_hash
    return Corpus.open(out) if whole else None


# Finding -----------------------------------------------------------------------------


def _find(source: Path, midi_cache: Path, options: Options, jobs: int) -> Found:
    match soundsources.kind_of(source):
        case "font":
            notes = Path(options.notes) if options.notes else None
            return soundsources.find_tones(source, notes, options.hold)
        case "shards":
            return soundsources.find_pieces(Shards.open(source), options.all_licences)
        case "midi":
            return soundsources.find_pieces(prepare(source, midi_cache, jobs), options.all_licences, source)
        case "nsynth":
            return soundsources.find_nsynth(source)
        case "notes":
            return soundsources.find_notes(source, options.hold)
        case "clips":
            return soundsources.find_clips(source)
        case _:
            return soundsources.find_files(source)


# Making, batch by batch ---------------------------------------------------------------------------


def _make_batch(options: Options, fonts: list[str], batch: list[Item], cache: Path) -> None:
    """Runs in its own process."""
    made: list[Made] = []
    sounds: list[NDArray[np.int16]] = []
    maker = _Maker(options, fonts)
    for item in batch:
        try:
            sound, held = maker.make(item)
            peak = float(np.abs(sound).max())
        except (HocketError, OSError) as error:
            made.append(Made(str(error)))
            continue
        made.append(Made("", len(sound), peak, held))
        sounds.append(to_int16(sound / peak))
    try:
        _save(cache, _key(batch, options, fonts), made, sounds)
    except OSError:
        sys.exit(CANNOT_WRITE)


class _Maker:
    """Makes the sound of items: mono samples at the corpus's rate, and the frames until the key was released.
    HocketError with the reason if that cannot be."""

    def __init__(self, options: Options, fonts: list[str]) -> None:
        self.options = options
        self.fonts = [Path(font) for font in fonts]
        self._renderer: Renderer | None = None
        self._shards: dict[str, Shards] = {}

    def make(self, item: Item) -> tuple[NDArray[np.float32], int]:
        options = self.options
        if item.kind == "recording":
            sound = decode(Path(item.folder, item.path), options.rate, item.start, item.seconds)
            return levelled(sound, options.rate), 0
        if item.kind == "piece":
            return levelled(self._piece(item), options.rate), 0
        if item.kind == "tone":
            sound = _trimmed(
                self.renderer.tone(Path(item.folder), item.preset, item.pitch, item.velocity, item.hold, TAIL_S),
                options.rate // 100,
            )
        else:
            sound = decode(Path(item.folder, item.path), options.rate)
        if len(sound) < SHORTEST_NOTE_S * options.rate:
            raise HocketError(f"it lasts {len(sound) / options.rate:.2f} s: at least {SHORTEST_NOTE_S} are needed")
        check_silence(sound)
        return sound, min(len(sound), round(item.hold * options.rate))

    @property
    def renderer(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self.options.rate)
        return self._renderer

    def _piece(self, item: Item) -> NDArray[np.float32]:
        """A window of a piece, with a random sound font, ensemble and room."""
        rng = chance(item, self.options)
        font = self.fonts[rng.integers(len(self.fonts))]
        ensembles = ENSEMBLES.get(item.genre, ANY)
        ensemble = ensembles[rng.integers(len(ensembles))]
        room = Room(rng.uniform(0.2, 0.8), rng.uniform(0.0, 0.5))
        score = scored_as_written(midi.parse(Path(item.midi).read_bytes())) if item.midi else None
        if score is None:
            shards = self._shards.setdefault(item.folder, Shards.open(item.folder))
            score = scored(shards.piece(shards.pieces[item.number]), ensemble)
        return self.renderer.play(score, font, room, item.start, item.seconds)


def _trimmed(sound: NDArray[np.float32], fade: int) -> NDArray[np.float32]:
    """A note up to where it becomes inaudible, faded out over its last `fade` frames."""
    audible = np.flatnonzero(np.abs(sound) > FAINT)
    end = int(audible[-1]) + 1 if len(audible) else 0
    fade = min(end, fade)
    sound[end - fade : end] *= np.linspace(1, 0, fade, dtype=np.float32)
    return sound[:end]


def _key(batch: list[Item], options: Options, fonts: list[str]) -> str:
    return _digest([RULES_VERSION, options, fonts, batch])[:24]


def _result(cache: Path, key: str) -> Path:
    return cache / f"{key}.json"


def _save(cache: Path, key: str, made: list[Made], sounds: list[NDArray[np.int16]]) -> None:
    with (cache / f"{key}.i16").open("wb") as file:
        for sound in sounds:
            sound.astype("<i2").tofile(file)
    temporary = cache / f"{key}.tmp"
    temporary.write_bytes(msgspec.json.encode(made))
    temporary.replace(_result(cache, key))  # last, as it marks the batch as complete


# Merging ------------------------------------------------------------------------------------------


def _merge(
    results: list[tuple[list[Item], str]],
    cache: Path,
    out: Path,
    options: Options,
    rejected: list[tuple[str, str]],
    source_hash: str,
) -> Corpus:
    """Write the corpus: as many minutes as wanted, notes at one level an instrument. `rejected` gains what
    could not be made."""
    made = {key: msgspec.json.decode(_result(cache, key).read_bytes(), type=list[Made]) for _, key in results}
    loudest = Counter[str]()
    for batch, key in results:
        for item, one in zip(batch, made[key], strict=True):
            loudest[item.instrument] = max(loudest[item.instrument], one.peak)
    writer = CorpusWriter(out, options.rate, source_hash)
    taken, written = Counter[tuple[str, ...]](), 0
    for batch, key in results:
        sounds, start = np.fromfile(cache / f"{key}.i16", "<i2"), 0
        for item, one in zip(batch, made[key], strict=True):
            sound, start = sounds[start : start + one.frames], start + one.frames
            if one.reason:
                named = item.path if item.kind in ("note", "tone") else f"{item.path} at {item.start:.1f} s"
                rejected.append((named, one.reason))
            elif wanted(item, taken, options):
                peak = NOTE_PEAK * one.peak / loudest[item.instrument] if item.instrument else one.peak
                writer.add(_clip(item, one.held), sound * np.float32(peak / FULL_SCALE))
                written += 1
    with (out / REJECTED_NAME).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "reason"), *rejected])
    if not written:
        raise HocketError(f"none of {len(rejected)} is left; the first: {', '.join(rejected[0])}")
    return writer.finish()


def _clip(item: Item, held: int) -> Clip:
    return Clip(
        path=item.path,
        dataset=item.dataset,
        genre=item.genre,
        licence=item.licence,
        split=item.split,
        group=item.group,
        instrument=item.instrument,
        pitch=item.pitch,
        velocity=item.velocity,
        held=held,
        source_rate=item.source_rate,
    )


def _report(corpus: Corpus, rejected: list[tuple[str, str]], seconds: float, console: Console) -> None:
    table = Table("genre or family", "made how", *SPLITS, title=f"{corpus.folder}, minutes (clips)")
    kinds = sorted({(c.genre, c.source_rate > 0) for c in corpus.clips})
    for genre, recorded in kinds:
        cells = []
        for name in SPLITS:
            clips = [c for c in corpus.select(name, genres={genre}) if (c.source_rate > 0) == recorded]
            cells.append(f"{sum(c.frames for c in clips) / corpus.rate / 60:.1f} ({len(clips)})")
        table.add_row(genre, "recorded" if recorded else "rendered", *cells)
    console.print(table)
    for reason, count in Counter(reason for _, reason in rejected).most_common(8):
        console.print(f"left out, {count}: {reason}")
    if rejected:
        console.print(f"all {len(rejected)} that were left out: {corpus.folder / REJECTED_NAME}")
    console.print(f"{corpus.folder}: {len(corpus.clips)} clips, data {corpus.data_hash[:12]}, {seconds:.0f} s")


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()
