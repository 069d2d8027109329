"""Notes as the maps that the network is compared with, computed once and kept with the corpus."""

from __future__ import annotations

import hashlib
import os

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.sound import note_spectra as ns
from training.data.sound.corpus import Clip, Corpus

BINS = ns.FFT // 2 + 1
WIDTH = ns.RATE / ns.FFT  # hertz of a bin
PARTS = 8  # of time, of a note's summary
SEEN_PARTIALS = 40  # of a note's summary
SUMMARY = PARTS * (SEEN_PARTIALS + ns.BANDS)
RELEASED = ns.FFT // 2  # samples before the release at which a frame still sees none of it
VERSION = 2  # of what is kept of notes
ARRAYS = ("logs", "level", "noise", "deviation", "sure", "usual", "summary", "valid")
FEWEST = 8  # notes of an instrument that is learnt


class Notes:
    """Notes as what is learnt from them, n of them: log magnitudes (n, frames, BINS), levels of partials (n, frames,
    PARTIALS) and of noise (n, frames, BANDS), frequencies with how sure they are (n, frames, PARTIALS), and the usual
    ones (n, PARTIALS), summary (n, SUMMARY), valid frames (n,)."""

    def __init__(self, corpus: Corpus, clips: list[Clip], instruments: tuple[str, ...], frames: int) -> None:
        self.clips, n = clips, len(clips)
        self.pitch = np.array([c.pitch for c in clips], np.float32)
        self.velocity = np.array([c.velocity / 127 for c in clips], np.float32)
        self.instrument = np.array([instruments.index(c.instrument) for c in clips], np.int64)
        split = clips[0].split
        key = f"{VERSION} {corpus.data_hash} {split} {frames} {n} {' '.join(instruments)}"
        kept = corpus.folder / f"spectra-{split}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
        if kept.exists():  # minutes of a busy processor
            with np.load(kept) as arrays:
                for name in ARRAYS:
                    setattr(self, name, arrays[name])
            return
        self.logs = np.empty((n, frames, BINS), np.float16)
        self.level = np.zeros((n, frames, ns.PARTIALS), np.float16)
        self.noise = np.zeros((n, frames, ns.BANDS), np.float16)
        self.deviation = np.zeros((n, frames, ns.PARTIALS), np.float16)
        self.sure = np.zeros((n, frames, ns.PARTIALS), np.float16)
        self.usual = np.zeros((n, ns.PARTIALS), np.float32)
        self.summary = np.zeros((n, SUMMARY), np.float32)
        self.valid = np.zeros(n, np.int64)
        for i, clip in enumerate(clips):
            sound = corpus.read(clip, 0, frames * ns.HOP + ns.FFT)
            released = 0 < clip.held < clip.frames  # else it rang out, and silence follows
            last = clip.held if released else max(clip.frames, 2 * ns.RATE)
            self.valid[i] = np.clip((last - RELEASED) // ns.HOP + 1, 8, frames)
            self.logs[i] = np.log(np.abs(ns.amplitudes(sound))[:frames] + 1e-6)
            maps = ns.analyse(sound, clip.pitch)
            self.level[i], self.noise[i] = maps.level[:frames], maps.noise[:frames]
            deviation, sure = ns.frequencies(sound, clip.pitch, frames)
            self.deviation[i], self.sure[i] = deviation, sure
            self.usual[i] = (deviation * sure).sum(0) / (sure.sum(0) + 0.1)
            self.summary[i] = summary(self.logs[i, : self.valid[i]], clip.pitch)
        temporary = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez(temporary, **{name: getattr(self, name) for name in ARRAYS})  # type: ignore[arg-type]
        temporary.replace(kept)


def summary(logs: NDArray[np.floating], pitch: float) -> NDArray[np.float32]:
    """What an encoder is shown (SUMMARY,) of log magnitudes (frames, bins)."""
    logs = np.maximum(np.asarray(logs, np.float32), -11)
    at = np.rint(ns.comb(pitch)[:SEEN_PARTIALS] / WIDTH).astype(np.int64)
    partials = np.where(at < BINS - 1, logs[:, np.minimum(at, BINS - 1)], -11)
    weights = ns.bands(WIDTH, BINS).T
    noise = logs @ (weights / (weights.sum(0) + 1e-6))
    both = (np.concatenate([partials, noise], 1) + 7) / 3
    return np.concatenate([part.mean(0) for part in np.array_split(both, PARTS)]).astype(np.float32)


def learnable(corpus: Corpus, ship_only: bool) -> tuple[dict[str, list[Clip]], tuple[str, ...]]:
    """Clips of notes by split, and their instruments. HocketError if there are none at `note_spectra.RATE`."""
    if corpus.rate != ns.RATE:
        raise HocketError(f"{corpus.folder} holds sound at {corpus.rate} Hz, notes are learnt at {ns.RATE}")
    whole = [c for c in corpus.select(ship_only=ship_only) if c.instrument and 0 < c.pitch < 128 and c.velocity > 0]
    count: dict[str, int] = {}
    for clip in whole:
        if clip.split == "train":
            count[clip.instrument] = count.get(clip.instrument, 0) + 1
    instruments = tuple(sorted(name for name, notes in count.items() if notes >= FEWEST))
    if not instruments:
        most = max(count.values(), default=0)
        raise HocketError(
            f"{corpus.folder} has at most {most} notes of an instrument to learn from, besides those held out, "
            f"and {FEWEST} are needed: prepare more"
        )
    if few := sorted(set(count) - set(instruments)):
        print(f"left out, with fewer than {FEWEST} notes to learn from: {', '.join(few)}", flush=True)
    splits = {s: [c for c in whole if c.split == s and c.instrument in instruments] for s in ("train", "valid", "test")}
    return splits, instruments
