"""The features of a sound for the classifiers: ten seconds of music, or a single note.

Every sound is brought to one bandwidth (8 kHz) and one loudness first, and what lies 60 dB under it is left out, so
that neither the source's sample rate nor its level nor the hiss under it gives away where it comes from.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import soxr
from numpy.typing import NDArray

from instrument.models.sound.spectral import mel_matrix, stft
from instrument.music.pitch import A4_HZ, to_hertz

RATE = 16000
FFT, CLIP_HOP, NOTE_HOP = 1024, 512, 256
MELS, LOW_HZ, HIGH_HZ = 64, 40.0, 7600.0
DEPTH = 1e-3  # 60 dB under the loudness
CLIP_SECONDS = 10.0
LAGS = (1, 4, 16)  # frames of 32 ms over which changes are measured
COARSE = 8  # mels in a band whose rhythm is measured
BAND = 4  # mels in a band of a note: finer ones would depend on its pitch rather than its instrument
RHYTHM_HZ = np.array([0.25, 0.5, 1, 2, 4, 8, 15.6])
STAGES = np.array([0, 2, 4, 8, 16, 32, 64, 96])  # of a note, frames of 16 ms
PARTIALS = 24
NOTE_MELS = (len(STAGES) - 1) * MELS // BAND  # numbers of `note_features` that are log mels
CLASSES = 12

Sound = NDArray[np.float32]
Features = NDArray[np.float32]


def to_rate(samples: Sound, rate: int) -> Sound:
    """Mono samples at the rate of the features."""
    return np.asarray(samples if rate == RATE else soxr.resample(samples, rate, RATE), np.float32)


def clip_features(samples: Sound, rate: int) -> Features:
    """Ten seconds or so of music: means, spreads and quantiles of log mels, how fast they change, the rhythm of
    their bands, and how sharply the energy falls on pitch classes, whatever these are called."""
    x = to_rate(samples, rate)
    spectra = np.abs(stft(x, FFT, CLIP_HOP))
    mels = spectra @ mel_matrix(RATE, FFT, MELS, LOW_HZ, HIGH_HZ).T
    loudness = np.sqrt(np.mean(mels.sum(1) ** 2)) + 1e-9
    logarithms = np.log(np.maximum(mels / loudness, DEPTH / MELS))
    bands = logarithms.reshape(len(mels), -1, COARSE).mean(2)
    found = [logarithms.mean(0), logarithms.std(0), *np.quantile(logarithms, (0.1, 0.9), axis=0)]
    found += [np.abs(logarithms[lag:] - logarithms[:-lag]).mean(0) for lag in LAGS]
    found += [_rhythm(bands), np.sort(_classes(spectra))]
    return np.concatenate(found).astype(np.float32)


def _rhythm(bands: NDArray[np.floating]) -> NDArray[np.floating]:
    """Of bands (frames, n), log power between the `RHYTHM_HZ`."""
    power = np.abs(np.fft.rfft((bands - bands.mean(0)) * np.hanning(len(bands))[:, None], axis=0)) ** 2
    at = np.searchsorted(np.fft.rfftfreq(len(bands), CLIP_HOP / RATE), RHYTHM_HZ)
    sums = [power[low : max(high, low + 1)].mean(0) for low, high in pairwise(at)]
    return 0.5 * np.log(np.concatenate(sums) + 1e-3)


def _classes(spectra: NDArray[np.floating]) -> NDArray[np.floating]:
    """Shares (12,) of the energy by pitch class, above 110 Hz (below, bins are wider than semitones)."""
    bins = np.fft.rfftfreq(FFT, 1 / RATE)
    use = (bins > 110) & (bins < 2000)
    classes = np.rint(12 * np.log2(bins[use] / A4_HZ)).astype(int) % CLASSES
    energy = np.bincount(classes, (spectra[:, use] ** 2).mean(0), CLASSES)
    return energy / (energy.sum() + 1e-12)


def note_features(samples: Sound, rate: int, pitch: int) -> Features:
    """A note that should have this MIDI pitch: log mels by stage (the first `NOTE_MELS` numbers, which make the bins
    of NDB), partials by stage, its envelope, and how it moves."""
    spectra = np.abs(stft(to_rate(samples, rate), FFT, NOTE_HOP))
    mels, power = _note_mels(spectra), spectra**2
    top = power.sum(1).max() + 1e-9
    bins = np.rint(np.arange(1, PARTIALS + 1) * to_hertz(pitch) * FFT / RATE).astype(int)
    there = bins < FFT // 2 - 2
    partials = sum(power[:, np.where(there, bins, 1) + side] for side in (-1, 0, 1)) * there
    envelope = 0.5 * np.log(np.maximum(power.sum(1) / top, DEPTH**2))
    places = np.minimum([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96], len(envelope) - 1)
    return np.concatenate(
        [
            _stages(mels.reshape(len(mels), -1, BAND).mean(2)).reshape(-1),
            _stages(0.5 * np.log(np.maximum(partials / top, DEPTH**2))).reshape(-1),
            envelope[places],
            mels[min(8, len(mels) - 1) : 40].std(0),
            [pitch / 12],
        ]
    ).astype(np.float32)


def _note_mels(spectra: NDArray[np.floating]) -> NDArray[np.floating]:
    mels = spectra @ mel_matrix(RATE, FFT, MELS, LOW_HZ, HIGH_HZ).T
    return np.log(np.maximum(mels / (mels.sum(1).max() + 1e-9), DEPTH / 4))


def _stages(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Means (stages, ...) of frames; a note that has ended keeps its last frame."""
    last = len(rows) - 1
    starts, ends = np.minimum(STAGES[:-1], last), np.clip(STAGES[1:], 1, last + 1)
    return np.stack([rows[a : max(b, a + 1)].mean(0) for a, b in zip(starts, ends, strict=True)]).astype(np.float32)
