"""The fundamental of a note: by a tracker without prior knowledge, and precisely if it is known approximately.

The tracker is swift-f0 by Lars Nieradzik (MIT, see `swift_f0/LICENSE`): its graph is included here, because its package
brings the onnxruntime that cannot be installed together with onnxruntime-gpu. It is right on MIDI 30-96 only.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from instrument.models.runtime import Session
from instrument.music.pitch import to_pitch

MODEL = Path(__file__).parent / "swift_f0" / "model.onnx"
RATE, HOP = 16000, 256
LOWEST_HZ, HIGHEST_HZ = 46.875, 2093.75
PITCHES = range(30, 97)  # which the tracker recognises
CONFIDENT = 0.5
SILENT = 1e-3  # peak of a frame below which the tracker's answer is noise
NEAR, OCTAVE = 50.0, 1200.0  # cents
PARTIALS = 8
PADDING = 8  # of a fine spectrum
REACH = 0.03  # of a partial's frequency, about half a semitone, within which its peak is looked for

Sound = NDArray[np.float32]


@functools.cache
def _tracker() -> Session:
    return Session(MODEL.read_bytes(), str(MODEL))


def track(samples: Sound, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Fundamental (Hz) and confidence (0..1) of mono samples (n,), each 16 ms."""
    x = np.ascontiguousarray(samples, np.float32)
    if rate != RATE:
        x = soxr.resample(x, rate, RATE)
    if not len(x):
        return np.zeros(0), np.zeros(0, np.float32)
    limits = {"fmin": np.float32(LOWEST_HZ), "fmax": np.float32(HIGHEST_HZ)}
    hz, confidence = _tracker().run({"audio": x[None], **{k: np.asarray(v) for k, v in limits.items()}})
    confident = np.array(confidence[0], np.float32)
    frames = np.pad(x, (0, max(0, HOP - len(x))))[: len(confident) * HOP].reshape(-1, HOP)
    confident[: len(frames)][np.abs(frames).max(1) < SILENT] = 0
    return np.asarray(hz[0], np.float64), confident


def estimate_pitch(samples: Sound, rate: int) -> float | None:
    """The MIDI pitch of a note, with a fraction: of the median fundamental over confident frames; None if there is
    none."""
    hz, confidence = track(samples, rate)
    voiced = hz[confidence >= CONFIDENT]
    return float(to_pitch(np.median(voiced))) if len(voiced) else None


def pitch_figures(notes: Iterable[tuple[Sound, int, int]]) -> dict[str, float]:
    """Of notes (samples, rate, MIDI pitch wanted): "near", the share within 50 cents; "octaves", within 50 cents of a
    wrong octave; "unvoiced", without a confident frame; "notes": how many. Pitches outside `PITCHES` are left out."""
    wrong = [
        None if (estimate := estimate_pitch(samples, rate)) is None else 100 * (estimate - pitch)
        for samples, rate, pitch in notes
        if pitch in PITCHES
    ]
    cents = np.array([w for w in wrong if w is not None])
    near = np.abs(cents) <= NEAR
    octaves = ~near & (np.abs((cents + OCTAVE / 2) % OCTAVE - OCTAVE / 2) <= NEAR)
    count = max(1, len(wrong))
    return {
        "near": float(near.sum() / count),
        "octaves": float(octaves.sum() / count),
        "unvoiced": (len(wrong) - len(cents)) / count,
        "notes": len(wrong),
    }


def fine_hertz(samples: Sound, rate: int, about: float) -> float | None:
    """The fundamental (Hz) of a steady tone, to a cent or so, where it is known to half a semitone: the energy-weighted
    median of the peaks of its first partials, each divided by its number. about: Hz. None where it is silent or shorter
    than eight periods."""
    if len(samples) < 8 * rate / about or not np.any(samples):
        return None
    size = PADDING * len(samples)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    logarithm = np.log(spectrum + 1e-9)
    found, weights = [], []
    for number in range(1, PARTIALS + 1):
        low, high = (int(number * about * (1 + side) * size / rate) for side in (-REACH, REACH))
        low, high = max(low, 1), min(high + 2, len(spectrum) - 1)
        if high - low < 3:
            break
        peak = low + int(spectrum[low:high].argmax())
        if peak in (low, high - 1):
            continue  # a slope, not a peak
        before, here, after = logarithm[peak - 1 : peak + 2]
        bend = before - 2 * here + after
        place = peak + (0.5 * (before - after) / bend if bend < 0 else 0.0)
        found.append(place * rate / size / number)
        weights.append(spectrum[peak] * number)  # an error of a bin is worth less, the higher the partial
    if not found:
        return None
    order = np.argsort(found)
    shares = np.cumsum(np.array(weights)[order])
    return float(np.array(found)[order][np.searchsorted(shares, shares[-1] / 2)])


def cents_between(hz: float, reference: float) -> float:
    """How far `hz` is above `reference`, in cents."""
    return float(1200 * np.log2(hz / reference))
