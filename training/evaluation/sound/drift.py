"""Whether a long sound drifts, and whether there are clicks between its chunks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.models.sound.spectral import mel_matrix, stft
from training.evaluation.sound.features import CLIP_SECONDS, FFT, HIGH_HZ, LOW_HZ, MELS, RATE, to_rate

Sound = NDArray[np.float32]
PART = 0.2  # of the whole, at either end
EXTREME = 99.9  # percentile of jumps
SILENCE = 1e-5


def drift(sound: Sound, rate: int, seconds: float = CLIP_SECONDS) -> dict[str, float]:
    """How the last fifth of a sound differs from its first, in windows of ten seconds (half of the sound at most).

    level_db: of the level; level_spread_db: standard deviation of the windows' levels; spectrum_db: rms difference of
    the mean spectra; spectrum_of_spread: that over the rms distance of single windows from the mean spectrum; silent:
    share of windows 40 dB under the loudest.
    """
    size = int(min(seconds, len(sound) / rate / 2) * rate)
    levels, spectra = [], []
    for start in range(0, len(sound) - size + 1, size):
        x = to_rate(sound[start : start + size], rate)
        mels = np.abs(stft(x, FFT, FFT // 2)) ** 2 @ mel_matrix(RATE, FFT, MELS, LOW_HZ, HIGH_HZ).T
        levels.append(10 * np.log10(np.mean(x**2) + SILENCE**2))
        spectra.append(10 * np.log10(mels.mean(0) + SILENCE**2))
    level, spectrum = np.array(levels), np.stack(spectra)
    ends = max(1, round(PART * len(level)))
    between = spectrum[-ends:].mean(0) - spectrum[:ends].mean(0)
    spread = np.sqrt(((spectrum - spectrum.mean(0)) ** 2).mean())
    apart = np.sqrt((between**2).mean())
    return {
        "minutes": len(sound) / rate / 60,
        "level_db": float(level[-ends:].mean() - level[:ends].mean()),
        "level_spread_db": float(level.std()),
        "spectrum_db": float(apart),
        "spectrum_of_spread": float(apart / max(spread, 1e-6)),
        "silent": float((level < level.max() - 40).mean()),
    }


def seams(sound: Sound, chunk: int) -> dict[str, float]:
    """Second differences across the borders of chunks, compared with all others: "largest" over their 99.9th
    percentile, and the share "beyond" that (0.001 is expected)."""
    jumps = np.abs(np.diff(sound.astype(np.float64), 2))
    border = np.arange(len(jumps)) % chunk >= chunk - 2  # of samples n, n + 1, n + 2 in two chunks
    limit = float(np.percentile(jumps[~border], EXTREME))
    at = jumps[border]
    return {"largest": float(at.max() / max(limit, 1e-12)), "beyond": float((at > limit).mean())}
