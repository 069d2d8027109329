"""What is measured of a vocoder: its distance from held-out music beside Griffin and Lim's, and beside what it would be
with half of the truth told; the pitch of held-out notes that went through it, whether chunks are the whole, and how
fast it is."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import soxr

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes
from instrument.models.sound.spectral import MelFormat, griffin_lim, istft, log_mel, stft
from instrument.models.sound.vocoder import Vocoder
from training.data.sound.corpus import Clip, Corpus
from training.evaluation.sound.ears import spread, windows
from training.evaluation.sound.evaluation import Evaluation, Sound
from training.evaluation.sound.pitch import cents_between, fine_hertz, hertz
from training.evaluation.sound.showing import Shown
from training.measures.distances import mel_cepstral, multi_resolution

CLIPS, SECONDS = 16, 4.0
ITERATIONS = 32
NOTES = 48
STEADY_S = (0.15, 1.15)  # of a note, where its pitch is measured
WAVERING, SHORT_S = 5.0, 0.12  # cents between its halves from which on a note wavers; of transforms that follow it
FAR = 60.0  # cents off its label, beyond which a real note's pitch was misheard, and is no reference
CHUNKS = (1, 2, 3, 4, 7, 16)
LIVE = 4  # frames in a chunk of 23 ms
PASSES = 9  # over four seconds, of which the quickest counts


def evaluate_vocoder(
    bundle: Bundle, corpus: Corpus, notes: Corpus | None, split: str = "test", clips: int = CLIPS
) -> Evaluation:
    """Measure a vocoder on `clips` windows of held-out music, and on held-out notes if there are some. HocketError if
    the corpus has another rate, or no such music."""
    done = Evaluation.of(bundle, corpus, split)
    vocoder = Vocoder(bundle)
    if corpus.rate != vocoder.rate:
        raise HocketError(f"{corpus.folder} has {corpus.rate} Hz, the vocoder {vocoder.rate}: prepare it at that rate")
    chosen = spread(windows(corpus.select(split=split), corpus.rate, SECONDS), clips)
    if not chosen:
        raise HocketError(f"{corpus.folder} has no music of {SECONDS:g} s in its {split} split")
    figures = done.figures
    figures |= {"clips": len(chosen), "clip_seconds": SECONDS}
    with done.stage("music", f"{len(chosen)} clips of music, by the vocoder and by Griffin and Lim"):
        figures["music"] = music(done, vocoder, corpus, chosen)
    if notes is not None:
        with done.stage("pitch", "pitch of notes"):
            figures["pitch"] = pitch(vocoder, notes, split)
    with done.stage("chunks", "chunks and the whole"):
        mels = log_mel(read(corpus, *chosen[0]), vocoder.format)
        figures["chunked"] = chunked(vocoder, mels)
        figures["cost"] = cost(vocoder, mels) | {"bytes": bundle_bytes(bundle.folder)}
    figures["goals"] = goals(figures)
    ratio, cents = figures["music"]["ratio"], figures.get("pitch", {}).get("cents_p95")
    figures["overview"] = {
        "STFT, of Griffin-Lim's": f"{ratio:.2f}",
        "× real time": f"{figures['cost']['times_real_time']:.0f}",
        **({"cents (p95)": f"{cents:.1f}"} if cents is not None else {}),
    }
    return done


def read(corpus: Corpus, clip: Clip, start: int) -> Sound:
    """A window of held-out music."""
    return corpus.read(clip, start, int(SECONDS * corpus.rate))


def music(done: Evaluation, vocoder: Vocoder, corpus: Corpus, chosen: list[tuple[Clip, int]]) -> dict[str, Any]:
    """Distances of clips from themselves through the mels, by genre and in all."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for clip, start in chosen:
        real = read(corpus, clip, start)
        mels = log_mel(real, vocoder.format)
        made = vocoder.render(mels)[: len(real)]
        plain = griffin_lim(mels, vocoder.format, ITERATIONS)
        found.setdefault(clip.genre, []).append(
            (
                multi_resolution(real, made),
                multi_resolution(real, plain),
                mel_cepstral(real, made, corpus.rate),
                mel_cepstral(real, plain, corpus.rate),
                *(multi_resolution(real, half) for half in halves(real, made, vocoder.format)),
            )
        )
        if len(done.rows) < 3 and len(found[clip.genre]) == 1:
            shown = ((f"{clip.genre}, real", real), ("vocoder", made), ("Griffin-Lim", plain))
            done.rows.append([Shown(title, x, corpus.rate) for title, x in shown])
            if len(done.examples) < 2:
                done.examples[f"{clip.genre}-vocoder"] = (made, corpus.rate)
    mean = np.mean([row for rows in found.values() for row in rows], 0)
    return {
        "vocoder": float(mean[0]),
        "griffin_lim": float(mean[1]),
        "ratio": float(mean[0] / mean[1]),
        "mcd_vocoder": float(mean[2]),
        "mcd_griffin_lim": float(mean[3]),
        "told": {"its magnitudes, true phases": float(mean[4]), "true magnitudes, its phases": float(mean[5])},
        "by_genre": {
            genre: {"vocoder": float(m[0]), "Griffin-Lim": float(m[1]), "ratio": float(m[0] / m[1])}
            for genre, rows in sorted(found.items())
            for m in [np.mean(rows, 0)]
        },
    }


def halves(real: Sound, made: Sound, format: MelFormat) -> tuple[Sound, Sound]:
    """What would come out if half of the truth were told, beyond the mels: a sound (n,) with the magnitudes of the made
    one and the phases of the real one, and one with the magnitudes of the real one and the phases of the made one."""
    count = min(len(real), len(made))
    true, other = (stft(x[:count], format.fft, format.hop) for x in (real, made))
    sizes, others = np.maximum(np.abs(true), 1e-9), np.maximum(np.abs(other), 1e-9)
    return istft(true * (others / sizes), format.hop), istft(other * (sizes / others), format.hop)


def pitch(vocoder: Vocoder, notes: Corpus, split: str) -> dict[str, Any]:
    """How many cents notes are off after the vocoder; none that cannot be measured before it."""
    clips = [c for c in notes.select(split=split) if c.pitch >= 0]
    off, lost = [], 0
    for clip in spread(sorted(clips, key=lambda c: (c.pitch, c.instrument)), NOTES):
        about = hertz(clip.pitch)
        real = notes.read(clip)
        wavers = _wavers(real, notes.rate, about)
        before = _heard(real, notes.rate, about, wavers)
        if before is None or abs(cents_between(before, about)) > FAR:
            continue
        at_rate = real if notes.rate == vocoder.rate else soxr.resample(real, notes.rate, vocoder.rate)
        after = _heard(vocoder.render(log_mel(at_rate, vocoder.format)), vocoder.rate, before, wavers)
        if after is None:
            lost += 1
        else:
            off.append(cents_between(after, before))
    if not off:
        raise HocketError(f"{notes.folder} has no notes in its {split} split whose pitch can be measured")
    size = np.abs(off)
    return {
        "corpus": notes.folder.name,
        "notes": len(off) + lost,
        "lost": lost,
        "within_10_cents": float((size <= 10).sum() / (len(off) + lost)),
        "cents_median": float(np.median(size)),
        "cents_p95": float(np.quantile(size, 0.95)),
    }


def _wavers(sound: Sound, rate: int, about: float) -> bool:
    """Whether a note's pitch moves, so that the peak of a long transform is one of its turning points, or another."""
    first, last = STEADY_S
    halves = (_span(sound, rate, start, start + (last - first) / 2) for start in (first, (first + last) / 2))
    one, other = (fine_hertz(half, rate, about) for half in halves)
    return one is not None and other is not None and abs(cents_between(one, other)) > WAVERING


def _heard(sound: Sound, rate: int, about: float, wavers: bool) -> float | None:
    """The pitch of a note in hertz; of one that wavers, the mean of short transforms."""
    if not wavers:
        return fine_hertz(_span(sound, rate, *STEADY_S), rate, about)
    starts = np.arange(STEADY_S[0], STEADY_S[1] - SHORT_S, SHORT_S / 2)
    short = [fine_hertz(_span(sound, rate, start, start + SHORT_S), rate, about) for start in starts]
    cents = [cents_between(hz, about) for hz in short if hz is not None]
    return about * 2 ** (float(np.mean(cents)) / 1200) if cents else None


def _span(sound: Sound, rate: int, start: float, end: float) -> Sound:
    return sound[int(start * rate) : int(end * rate)]


def chunked(vocoder: Vocoder, mels: Sound) -> dict[str, float]:
    """The largest difference of a stream in chunks from the whole, over the largest sample: of even chunks, and at
    random."""

    def pushed(sizes: list[int]) -> Sound:
        vocoder.reset(1)
        ends = np.unique(np.minimum(np.cumsum(sizes), len(mels)))
        return np.concatenate([vocoder.push(mels[a:b]) for a, b in pairwise([0, *ends])])

    whole = pushed([len(mels)])
    rng = np.random.default_rng(0)
    ways = {str(size): [size] * (-(-len(mels) // size)) for size in CHUNKS}
    ways["random"] = [*rng.integers(1, 20, len(mels))]
    top = float(np.abs(whole).max())
    return {name: float(np.abs(pushed(sizes) - whole).max() / top) for name, sizes in ways.items()}


def cost(vocoder: Vocoder, mels: Sound) -> dict[str, float]:
    """Processor time of one thread in chunks of 23 ms, in the quickest of some passes: what others do to the caches and
    the clock of a shared processor is not its cost."""
    passes = []
    for _ in range(PASSES):
        vocoder.reset()
        took = []
        for at in range(0, len(mels) - LIVE, LIVE):
            start = time.thread_time()
            vocoder.push(mels[at : at + LIVE])
            took.append(time.thread_time() - start)
        passes.append(took)
    found = min(passes, key=sum)
    chunk = LIVE * vocoder.hop / vocoder.rate
    p50, p99 = np.quantile(found, (0.5, 0.99))
    return {
        "chunk_ms": 1000 * chunk,
        "p50_ms": float(1000 * p50),
        "p99_ms": float(1000 * p99),
        "times_real_time": float(chunk / np.mean(found)),
        "latency_ms": 1000 * vocoder.latency / vocoder.rate,
    }


def goals(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What was aimed at."""
    ratio, times, largest = (
        figures["music"]["ratio"],
        figures["cost"]["times_real_time"],
        max(figures["chunked"].values()),
    )
    rows = {
        "STFT distance on held-out music, of Griffin-Lim's": {"found": ratio, "goal": "<= 0.6", "met": ratio <= 0.6},
        "chunks differ from the whole by": {"found": largest, "goal": "<= 1e-5", "met": largest <= 1e-5},
        "times real time, one thread, 23 ms": {"found": times, "goal": ">= 20", "met": times >= 20},
    }
    if "pitch" in figures:
        near = figures["pitch"]["within_10_cents"]
        rows["held-out notes within 10 cents"] = {"found": near, "goal": ">= 0.95", "met": near >= 0.95}
    return rows


def sections(figures: dict[str, Any]) -> dict[str, list[Any]]:
    """The figures as sections of a card."""
    music = figures["music"]
    found = {
        "Goals": [
            f"On {figures['clips']} clips of {figures['clip_seconds']:g} s ({figures['split']} split of "
            f"`{figures['corpus']}`), from the same mels.",
            figures["goals"],
        ],
        "Music through it": [
            f"Multi-resolution STFT distance: {music['vocoder']:.3f}, Griffin-Lim ({ITERATIONS} iterations) "
            f"{music['griffin_lim']:.3f}. Mel cepstral distance: {music['mcd_vocoder']:.2f} dB, Griffin-Lim "
            f"{music['mcd_griffin_lim']:.2f} dB.",
            music["by_genre"],
            "How near it would come if it were told half of the truth beyond the mels, the phase or the magnitude of "
            "every bin of its own transform, as a share of Griffin-Lim's distance: what mels leave open.",
            {
                name: {"STFT distance": distance, "of Griffin-Lim's": distance / music["griffin_lim"]}
                for name, distance in music["told"].items()
            },
        ],
        "Chunks and the whole": [
            "Largest difference by frames in a chunk, over the largest sample.",
            {"": figures["chunked"]},
        ],
        "Cost": [f"Processor time of one thread, the quickest of {PASSES} passes.", {"": figures["cost"]}],
    }
    if "pitch" in figures:
        found["Pitch"] = [
            f"Held-out notes of `{figures['pitch']['corpus']}`, a second of each: how far their fundamental is from "
            f"what it was before. Where it wavers by over {WAVERING:g} cents, the mean over {SHORT_S:g} s each.",
            {"": {k: v for k, v in figures["pitch"].items() if k != "corpus"}},
        ]
    return found
