"""How far two sounds, or two collections of sounds, lie apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2, vq
from scipy.fft import dct
from scipy.stats import norm

from instrument.models.sound.spectral import mel_matrix, stft

RESOLUTIONS = (512, 1024, 2048)
FLOOR = 1e-4  # of a magnitude whose logarithm is taken: about what the noise of 16 bits has in a bin
CEPSTRUM = 13  # coefficients of the mel cepstral distance
MELS, LOWEST_HZ = 40, 40.0
BINS = 50  # of NDB
SIGNIFICANT = 0.05
TRIES = 4  # starts of k-means, of which the closest counts

Sound = NDArray[np.float32]


def multi_resolution(real: Sound, made: Sound) -> float:
    """Multi-resolution STFT distance of two sounds (n,), mono at one rate: the mean over `RESOLUTIONS` (hop a
    quarter) of ||S| - |S'||_F / |S|_F + mean |log|S| - log|S'||. The shorter counts; 0 = the same."""
    frames = min(len(real), len(made))
    found = []
    for size in RESOLUTIONS:
        a, b = (np.abs(stft(x[:frames], size, size // 4)) for x in (real, made))
        convergence = np.linalg.norm(a - b) / max(float(np.linalg.norm(a)), FLOOR)
        logarithms = np.abs(np.log(np.maximum(a, FLOOR)) - np.log(np.maximum(b, FLOOR))).mean()
        found.append(float(convergence + logarithms))
    return float(np.mean(found))


def mel_cepstral(real: Sound, made: Sound, rate: int) -> float:
    """Mel cepstral distance (dB) of two sounds (n,): (10 sqrt 2 / ln 10) mean_t sqrt(sum_1..13 (c - c')^2), where
    log power in `MELS` bands is c_0 + 2 sum c_k cos k; so it is the rms difference in dB of the smoothed
    spectra's shapes, whatever their levels. The shorter counts."""
    frames = min(len(real), len(made))
    a, b = (_cepstrum(x[:frames], rate) for x in (real, made))
    return float(10 * np.sqrt(2) / np.log(10) * np.sqrt(((a - b) ** 2).sum(1)).mean())


def _cepstrum(x: Sound, rate: int) -> NDArray[np.float64]:
    mels = np.abs(stft(x, 1024, 256)) @ mel_matrix(rate, 1024, MELS, LOWEST_HZ, rate / 2).T
    return dct(2 * np.log(np.maximum(mels, FLOOR)), axis=1)[:, 1 : CEPSTRUM + 1] / (2 * MELS)


def frechet(real: NDArray[np.floating], made: NDArray[np.floating]) -> float:
    """Frechet distance of two collections of embeddings (n, d) as Gaussians:
    |mu_r - mu_g|^2 + tr(S_r + S_g - 2 (S_r S_g)^1/2)."""
    (mean_r, cov_r), (mean_g, cov_g) = (
        (x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))) for x in (np.asarray(real, float), np.asarray(made, float))
    )
    values, vectors = np.linalg.eigh(cov_r)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # root S_g root has the eigenvalues of S_r S_g, and is symmetric: no complex rests to throw away.
    both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ cov_g @ root), 0)).sum()
    return float(((mean_r - mean_g) ** 2).sum() + np.trace(cov_r) + np.trace(cov_g) - 2 * both)


@dataclass(frozen=True, slots=True)
class Bins:
    """NDB/K: bins of real sounds' features, by k-means. centres: (k, d); counts: of the sounds that made them."""

    centres: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, features: NDArray[np.floating], k: int = BINS, seed: int = 0) -> Bins:
        """The bins of features (n, d); fewer than `k` where there are too few sounds for five a bin."""
        rows = np.asarray(features, float)
        k = max(1, min(k, len(rows) // 5))
        found = [_settled(rows, k, np.random.default_rng([seed, start])) for start in range(TRIES)]
        centres, labels = min(found, key=lambda f: float(((rows - f[0][f[1]]) ** 2).sum()))
        return cls(centres, np.bincount(labels, minlength=k))

    def different(self, features: NDArray[np.floating]) -> float:
        """The share of bins whose proportion among features (m, d) differs from the real one (two-proportion z
        test, p < .05)."""
        n, m = int(self.counts.sum()), len(features)
        counts = np.bincount(vq(np.asarray(features, float), self.centres)[0], minlength=len(self.counts))
        pooled = (self.counts + counts) / (n + m)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / n + 1 / m), 1e-12))
        z = np.abs(self.counts / n - counts / m) / deviation
        return float((2 * norm.sf(z) < SIGNIFICANT).mean())


def _settled(
    rows: NDArray[np.float64], k: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    centres, labels = kmeans2(rows, k, iter=30, minit="++", missing="warn", rng=rng)
    return centres, labels
