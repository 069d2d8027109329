"""`python -m training prepare-audio`: from recordings, single notes, MIDI files and sound fonts to a corpus.

Like `prepare`: batches in processes of their own leave their results in a cache folder, so that a run that was
killed goes on where it stopped, and what cannot be had is listed with its reason.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import sys
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from instrument.errors import HocketError
from training.data import midi, soundsources
from training.data.batches import CANNOT_WRITE, work_through
from training.data.corpus import FULL_SCALE, SOUND_NAME, Clip, Corpus, CorpusWriter, read_index, to_int16
from training.data.ensembles import ANY, ENSEMBLES
from training.data.prepare import prepare
from training.data.rendering import Renderer, Room, find_fonts, scored, scored_as_written
from training.data.shards import Shards, licence_allows_shipping
from training.data.soundfiles import check_sound, decode, levelled
from training.data.soundsources import Found, Item
from training.data.sources import SPLITS

RULES_VERSION = 1  # raise it when a change here or in what is used here gives other sound for the same source
BATCH_ITEMS = 48
BATCH_SECONDS = 900.0  # half a minute on a free processor
SHORTEST_S = 3.0  # of windows
SHORTEST_NOTE_S = 0.1
SPARE = 1.1  # so much more is planned than wanted: some will be rejected
HELD_OUT = 1 / 6  # as much as `minutes` for each of valid and test
TEST_SHARE = VALID_SHARE = 0.1
NOTE_PEAK = 0.9  # of the loudest note of an instrument
TAIL_S = 1.0  # after the key of a rendered note was released
FAINT = 2e-4  # where the tail of a rendered note ends
CACHE_NAME, MIDI_NAME, REJECTED_NAME = ".cache", ".midi", "rejected.csv"


class Options(msgspec.Struct, frozen=True):
    """How a corpus is made.

    rate: hertz; seconds: length of windows; minutes: of each genre's training sound, from recordings and from
    rendered pieces each, 0 = all there is, and a sixth of that for valid and for test; genres: none but these;
    fonts: sound fonts, none = those of this machine; notes: a notes.csv, of what a sound font as a source
    shall play; hold: seconds until the key of a rendered note is released; licence: of what names none;
    all_licences: render pieces under the GPL as well.
    """

    rate: int = 44100
    seconds: float = 10.0
    minutes: float = 0.0
    genres: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()
    notes: str = ""
    hold: float = 2.0
    licence: str = ""
    all_licences: bool = False
    seed: int = 1


class Made(msgspec.Struct, frozen=True):
    """What became of an item: the reason why nothing did, or its frames, the peak that their full scale stands
    for, and the frames until its key was released."""

    reason: str = ""
    frames: int = 0
    peak: float = 0.0
    held: int = 0


def prepare_audio(
    sources: Sequence[Path], out: Path = Path("data/stream"), options: Options | None = None, jobs: int = 0
) -> Corpus:
    """Bring sources into one corpus of mono sound, and return it.

    sources: folders of recordings (the genre is the subfolder, or stands in clips.csv), of single notes
    (notes.csv, or NSynth's examples.json), of MIDI files or of what `prepare` made of them, which are
    rendered; or sound fonts, whose single notes are. out: the folder to write; a run that was interrupted
    goes on there, a finished one returns at once. jobs: processes at a time, 0 = one a processor.

    Music is cut into windows of one level; notes keep their loudness within an instrument. Raises
    HocketError for bad input; files that cannot be had are listed in rejected.csv and left out.
    """
    options, jobs, started = options or Options(), jobs or os.cpu_count() or 1, time.monotonic()
    _check(options)
    console = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        found = [
            _find(Path(source), out / MIDI_NAME / str(i), options, jobs) for i, source in enumerate(sources)
        ]
        items, rejected = _plan([i for f in found for i in f.items], options)
        rejected = [r for f in found for r in f.rejected] + rejected
        fonts = (
            [str(font) for font in find_fonts(options.fonts)] if any(i.kind == "piece" for i in items) else []
        )
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
            lambda item: _save(
                cache, _key([item], options, fonts), [Made("it makes the reader crash or hang")], []
            ),
            jobs,
            BATCH_SECONDS,
            "sound",
            console,
        )
        results = [(batch, _key(batch, options, fonts)) for batch in batches]
        corpus = _merge(results, cache, out, options, rejected, source_hash)
        for folder in (cache, out / MIDI_NAME):
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise HocketError(f"{out} cannot be written: {error}") from error
    _report(corpus, rejected, time.monotonic() - started, console)
    return corpus


def _check(options: Options) -> None:
    if not 8000 <= options.rate <= 96000:
        raise HocketError(f"rate {options.rate} is not within 8000 to 96000 hertz")
    if not SHORTEST_S <= options.seconds <= 600:
        raise HocketError(f"windows of {options.seconds:g} s are not within {SHORTEST_S:g} to 600 seconds")
    if options.minutes < 0 or not 0 < options.hold <= 30:
        raise HocketError(
            "minutes must be 0 (all) or above, and notes held for more than 0 and up to 30 seconds"
        )


def _nothing(sources: Sequence[Path], rejected: list[tuple[str, str]]) -> str:
    said = f"; the first that cannot be had: {': '.join(rejected[0])}" if rejected else ""
    return f"{', '.join(map(str, sources))}: there is nothing to take{said}"


def _finished(out: Path, source_hash: str) -> Corpus | None:
    try:
        index = read_index(out)
    except HocketError:
        return None  # damaged, or of another version: made anew
    whole = index is not None and (out / SOUND_NAME).is_file() and index.source_hash == source_hash
    return Corpus.open(out) if whole else None


# Finding and planning -----------------------------------------------------------------------------


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


def _plan(items: list[Item], options: Options) -> tuple[list[Item], list[tuple[str, str]]]:
    """The windows, notes and tones to make, a few windows more than the minutes wanted; and what is too short."""
    if options.genres:
        items = [i for i in items if i.genre in options.genres]
    items = [msgspec.structs.replace(i, licence=i.licence or options.licence) for i in split(items)]
    single = [i for i in items if i.kind in ("note", "tone")]
    whole = [i for i in items if i.kind in ("recording", "piece")]
    rejected = [
        (i.path, f"it lasts {i.seconds:.2f} s: at least {SHORTEST_S:g} are needed")
        for i in whole
        if i.seconds < SHORTEST_S
    ]
    ranked = sorted(
        ((round_, order, window) for i in whole for round_, order, window in _windows(i, options)),
        key=lambda entry: entry[:2],
    )
    planned, taken = [], Counter[tuple[str, ...]]()
    for _, _, window in ranked:
        if _wanted(window, taken, options, SPARE):
            planned.append(window)
    return single + sorted(planned, key=lambda i: (i.kind, _budget_key(i))), rejected


def split(items: list[Item]) -> list[Item]:
    """Give items without a split that of their group, which a hash decides; never none to test and valid in
    a genre with three groups or more."""
    groups: dict[str, set[str]] = defaultdict(set)
    for item in items:
        if not item.split:
            groups[item.genre].add(item.group)
    splits: dict[tuple[str, str], str] = {}
    for genre, names in groups.items():
        ranked = sorted(names, key=_place)
        for name in ranked:
            place = _place(name)
            test, valid = place < TEST_SHARE, place >= 1 - VALID_SHARE
            splits[genre, name] = "test" if test else "valid" if valid else "train"
        if len(ranked) >= 3:
            splits[genre, ranked[0]], splits[genre, ranked[-1]] = "test", "valid"
    return [msgspec.structs.replace(i, split=i.split or splits[i.genre, i.group]) for i in items]


def _place(group: str) -> float:
    return int(hashlib.sha256(group.encode()).hexdigest()[:12], 16) / 16**12


def _windows(item: Item, options: Options) -> Iterator[tuple[int, float, Item]]:
    """Windows of a recording or piece that lie side by side from a random place on: in random order, with
    their rank in it and a random number."""
    if item.seconds < SHORTEST_S:
        return
    rng = _random(item, options)
    length = min(options.seconds, item.seconds)
    count = int(item.seconds / length)
    first = rng.uniform(0, item.seconds - count * length)
    for rank, number in enumerate(rng.permutation(count)):
        start = round(first + int(number) * length, 3)
        yield rank, rng.random(), msgspec.structs.replace(item, start=start, seconds=length)


def _random(item: Item, options: Options) -> np.random.Generator:
    named = f"{item.dataset}/{item.path}@{item.start}".encode()
    return np.random.default_rng([options.seed, zlib.crc32(named)])


def _budget_key(item: Item) -> tuple[str, ...]:
    """What may train a bundle that ships is counted apart."""
    return item.kind, item.genre, item.split, str(licence_allows_shipping(item.licence))


def _wanted(item: Item, taken: Counter[tuple[str, ...]], options: Options, spare: float = 1.0) -> bool:
    """Whether there is room for a window within the minutes; if so it is counted, in milliseconds."""
    if item.kind in ("note", "tone") or options.minutes == 0:
        return True
    share = 1.0 if item.split == "train" else HELD_OUT
    key = _budget_key(item)
    if taken[key] >= options.minutes * 60_000 * share * spare:
        return False
    taken[key] += round(item.seconds * 1000)
    return True


# Making, batch by batch ---------------------------------------------------------------------------


def _make_batch(options: Options, fonts: list[str], batch: list[Item], cache: Path) -> None:
    """Runs in a process of its own."""
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
            check_sound(sound)
            return levelled(sound, options.rate), 0
        if item.kind == "piece":
            return levelled(self._piece(item), options.rate), 0
        if item.kind == "tone":
            sound = _trimmed(
                self.renderer.tone(
                    Path(item.folder), item.preset, item.pitch, item.velocity, item.hold, TAIL_S
                )
            )
        else:
            sound = decode(Path(item.folder, item.path), options.rate)
        if len(sound) < SHORTEST_NOTE_S * options.rate:
            raise HocketError(
                f"it lasts {len(sound) / options.rate:.2f} s: at least {SHORTEST_NOTE_S} are needed"
            )
        check_sound(sound)
        return sound, min(len(sound), round(item.hold * options.rate))

    @property
    def renderer(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self.options.rate)
        return self._renderer

    def _piece(self, item: Item) -> NDArray[np.float32]:
        """A window of a piece, with a sound font, an ensemble and a room that chance chooses."""
        rng = _random(item, self.options)
        font = self.fonts[rng.integers(len(self.fonts))]
        ensembles = ENSEMBLES.get(item.genre, ANY)
        ensemble = ensembles[rng.integers(len(ensembles))]
        room = Room(rng.uniform(0.2, 0.8), rng.uniform(0.0, 0.5))
        score = scored_as_written(midi.parse(Path(item.midi).read_bytes())) if item.midi else None
        if score is None:
            shards = self._shards.setdefault(item.folder, Shards.open(item.folder))
            score = scored(shards.piece(shards.pieces[item.number]), ensemble)
        return self.renderer.play(score, font, room, item.start, item.seconds)


def _trimmed(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """A note up to where it has died away, faded out over the last 10 ms at most."""
    audible = np.flatnonzero(np.abs(sound) > FAINT)
    end = int(audible[-1]) + 1 if len(audible) else 0
    fade = min(end, 441)
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
    temporary.replace(_result(cache, key))  # last: it says that the batch is whole


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
            elif _wanted(item, taken, options):
                peak = NOTE_PEAK * one.peak / loudest[item.instrument] if item.instrument else one.peak
                writer.add(_clip(item, one.held), sound * np.float32(peak / FULL_SCALE))
                written += 1
    with (out / REJECTED_NAME).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "reason"), *rejected])
    if not written:
        raise HocketError(f"none of {len(rejected)} is left; the first: {': '.join(rejected[0])}")
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
    console.print(
        f"{corpus.folder}: {len(corpus.clips)} clips, data {corpus.data_hash[:12]}, {seconds:.0f} s"
    )


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()
