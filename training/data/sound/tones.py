"""Training data of single notes: their frames, how they decay while held, and how they are released.

A note is analysed once (`training.data.sound.partials`); the result is kept with the corpus, in `tones`. Rates
below 40 kHz do not show the highest bands; where the same note is there in a second corpus of a higher rate, they are
taken from that, at the level at which the two notes agree below.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.sound.additive import FLOOR, FRAME_RATE, LEVELS, PARTIALS
from training.data.sound.corpus import Clip, Corpus
from training.data.sound.partials import Frames, analyse

VERSION = 2  # of what is kept
SPAN = 240  # frames that are learnt of a held note
SETTLED = 162  # frame from which on a held note decays evenly
ENDING = 12  # frames at the end of a recording that may be faded
STEADY = 3.0  # decibels a second that a driven tone may change by
FASTEST = 300.0  # decibels a second
AGREEING = slice(PARTIALS + 24, PARTIALS + 36)  # bands from 3.5 to 7 kHz, in which two rates have to agree
EVERY = 2  # semitones: of the notes at a higher rate, which cost three times as much, those at multiples are analysed
SHORT = 0.12  # seconds; shorter recordings are not used


@dataclass(frozen=True, slots=True)
class Tone:
    """levels (SPAN, LEVELS) decibels and cents (SPAN,) of a held note; usable: frames of these that were recorded;
    tuning (PARTIALS,): cents that partials are off the multiples; known (LEVELS,); loss (LEVELS,): decibels a second
    when it is held for long; release: decibels a second after its key was released, NaN if that was not recorded."""

    levels: NDArray[np.float16]
    cents: NDArray[np.float16]
    usable: int
    tuning: NDArray[np.float16]
    known: NDArray[np.bool_]
    loss: NDArray[np.float16]
    release: float


def describe(sound: NDArray[np.floating], rate: int, pitch: int, held: int = 0) -> Tone:
    """The data of a note whose key was released after `held` samples, 0 if it was not. HocketError if there is
    nothing to learn from."""
    if len(sound) < SHORT * rate or np.abs(sound).max() < 1e-3:
        raise HocketError("silent, or shorter than an eighth of a second")
    frames = analyse(sound[: rate * (SPAN + 8) // FRAME_RATE], rate, pitch)
    count, whole = len(frames.cents), len(sound) * FRAME_RATE // rate
    released = 0 < held < len(sound) - rate // 20
    usable = held * FRAME_RATE // rate - 2 if released else whole - 2
    loudness = _loudness(frames.levels)
    if not released and loudness[-2] > loudness.max() - 50:
        usable = whole - ENDING
    usable = min(usable, count)
    usable = int(min(max(usable, 8), SPAN, count))
    loss = _loss(frames.levels[:usable])
    levels, cents = _filled(frames, usable, loss)
    tuning = frames.tuning
    return Tone(
        levels.astype(np.float16),
        cents.astype(np.float16),
        usable,
        tuning.astype(np.float16),
        frames.known,
        loss.astype(np.float16),
        _release(sound[held:], rate) if released else float("nan"),
    )


def _loudness(levels: NDArray[np.floating]) -> NDArray[np.floating]:
    """Decibels (frames,) of all partials together."""
    return 10 * np.log10((10.0 ** (levels[:, :PARTIALS] / 10)).sum(1))


def _slope(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rise a second of each column, fitted by a line."""
    time = np.arange(len(values)) / FRAME_RATE
    time = time - time.mean()
    return time @ (values - values.mean(0)) / (time**2).sum()


def _loss(levels: NDArray[np.floating]) -> NDArray[np.floating]:
    """Decibels a second (LEVELS,) at which a held note decays; all 0 for an instrument that is driven."""
    late = levels[min(SETTLED, len(levels) // 2) :].astype(np.float64)
    total = -float(_slope(_loudness(late)[:, None])[0])
    if total < STEADY:
        return np.zeros(LEVELS)
    loss = -_slope(late)
    loud = late.mean(0) > np.r_[np.full(PARTIALS, late[:, :PARTIALS].mean(0).max() - 60), FLOOR[PARTIALS:] + 15]
    loss = np.where(loud, loss, total)
    return np.clip(loss, min(total, STEADY), FASTEST)


def _filled(frames: Frames, usable: int, loss: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
    """Levels and cents of SPAN frames: what was recorded, then its continuation."""
    levels = np.empty((SPAN, LEVELS))
    levels[:usable] = frames.levels[:usable]
    after = np.arange(1, SPAN - usable + 1)[:, None] / FRAME_RATE
    levels[usable:] = levels[max(0, usable - 5) : usable].mean(0) - after * loss
    cents = np.full(SPAN, frames.cents[usable // 2 : usable].mean())
    cents[:usable] = frames.cents[:usable]
    return np.maximum(levels, FLOOR), cents


def _release(tail: NDArray[np.floating], rate: int) -> float:
    """Decibels a second by which a sound falls from its beginning until it is silent."""
    hop = rate // FRAME_RATE
    power = (tail[: len(tail) // hop * hop].reshape(-1, hop).astype(np.float64) ** 2).mean(1)
    level = 10 * np.log10(power + 1e-12)
    audible = max(4, int((level > max(-85.0, level[0] - 60)).sum()))
    if len(level) < 4:
        return FASTEST
    return float(np.clip(-_slope(level[:audible, None])[0], 20.0, FASTEST))


# --- the notes of a corpus


class Rows:
    """Some rows of an array on disk."""

    def __init__(self, array: NDArray, rows: NDArray[np.int64]) -> None:
        self._array, self._rows = array, rows

    def __getitem__(self, place: Any) -> NDArray:
        """As of an array: rows, or rows and frames."""
        if isinstance(place, tuple):
            return np.asarray(self._array[(self._rows[place[0]], *place[1:])])
        return np.asarray(self._array[self._rows[place]])


class Tones:
    """All usable notes of a corpus. Arrays have a row a note: levels (notes, SPAN, LEVELS)
    and cents (notes, SPAN) as memory-mapped float16; the rest as in `Tone`."""

    def __init__(self, clips: list[Clip], arrays: dict[str, NDArray], rows: NDArray[np.int64]) -> None:
        """rows: of the arrays, one a clip."""
        self.clips, self._arrays, self._rows = clips, arrays, rows
        self.usable, self.known, self.release = (arrays[n][rows] for n in ("usable", "known", "release"))
        self.tuning, self.loss = (arrays[n][rows].astype(np.float32) for n in ("tuning", "loss"))
        self.levels, self.cents = Rows(arrays["levels"], rows), Rows(arrays["cents"], rows)

    def chosen(self, kept: NDArray[np.int64]) -> Tones:
        """Some of them."""
        return Tones([self.clips[i] for i in kept], self._arrays, self._rows[kept])

    def __len__(self) -> int:
        return len(self.clips)


NAMES = ("levels", "cents", "usable", "tuning", "known", "loss", "release")


def open_tones(corpus: Corpus, full: Corpus | None = None) -> Tones:
    """The notes of a corpus, analysed now unless they were before. full: the same notes at a higher rate."""
    folder = corpus.folder / "tones"
    name = f"{VERSION}-{corpus.data_hash}-{full.data_hash if full else 'alone'}"
    clips = [c for c in corpus.clips if c.instrument and c.pitch >= 0]
    marker = folder / "made-of"
    if not marker.exists() or marker.read_text() != name:
        folder.mkdir(exist_ok=True)
        marker.unlink(missing_ok=True)
        _take_apart(corpus, clips, full, folder)
        marker.write_text(name)
    arrays = {n: np.load(folder / f"{n}.npy", mmap_mode="r") for n in NAMES}
    good = np.flatnonzero(arrays["usable"])
    return Tones([clips[i] for i in good], arrays, good)


def _take_apart(corpus: Corpus, clips: list[Clip], full: Corpus | None, folder: Path) -> None:
    shapes = {"levels": (SPAN, LEVELS), "cents": (SPAN,), "usable": (), "tuning": (PARTIALS,), "known": (LEVELS,)}
    shapes |= {"loss": (LEVELS,), "release": ()}
    types = {"usable": np.int16, "known": np.bool_, "release": np.float32}
    arrays = {
        n: np.lib.format.open_memmap(folder / f"{n}.npy", "w+", types.get(n, np.float16), (len(clips), *shape))
        for n, shape in shapes.items()
    }
    audible = [c for c in full.clips if c.pitch % EVERY == 0] if full else []
    whole = {(c.instrument, c.pitch, c.velocity): c for c in audible}
    for row, clip in enumerate(clips):
        if row % 100 == 0:
            print(f"notes analysed: {row} of {len(clips)}", flush=True)
        try:
            tone = describe(corpus.read(clip), corpus.rate, clip.pitch, clip.held)
        except HocketError as error:
            print(f"{clip.path} is left out: {error}", flush=True)
            continue
        other = whole.get((clip.instrument, clip.pitch, clip.velocity))
        if full is not None and other is not None:
            tone = widened(tone, describe(full.read(other), full.rate, other.pitch, other.held))
        for n, array in arrays.items():
            array[row] = getattr(tone, n)
    for array in arrays.values():
        array.flush()


def widened(tone: Tone, whole: Tone) -> Tone:
    """A note, with the bands it lacks taken from the same note at a higher rate, as far as the two agree."""
    new = whole.known & ~tone.known
    off = np.median(tone.levels[:, AGREEING].astype(np.float32) - whole.levels[:, AGREEING], 1, keepdims=True)
    if not new.any() or np.abs(np.median(off[: tone.usable])) > 20:
        return tone
    levels = np.where(new, np.maximum(whole.levels + np.median(off), FLOOR), tone.levels).astype(np.float16)
    loss = np.where(new, whole.loss, tone.loss)
    return Tone(levels, tone.cents, tone.usable, tone.tuning, tone.known | new, loss, tone.release)
