"""Where the partials lie that log mels show: what a vocoder can know of pitch without learning it.

Triangular bands that overlap by half give a linear function back exactly, so the centroid of a few bands about a peak
is the centroid of the spectrum there; what three bands cut off of it is made good by a polynomial, fitted to sines.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.models.spectral import MelFormat, hertz_of, mel_magnitudes, mel_matrix, mel_of

FAR = 4.0  # bins: a partial further away says nothing of a bin
STEPS = 256  # of the table of the lobe, a bin
DEEPEST = -5.0  # logarithm: what is taken for the lobe beyond its zeros
DEGREE = 3

Floats = NDArray[np.float32]


class Peaks:
    """Finds the partials of log mels of a format. tonal: the bins, from the lowest, that it tells of."""

    def __init__(self, format: MelFormat, tonal: int) -> None:
        self.format, self.tonal = format, tonal
        hertz = hertz_of(np.linspace(mel_of(format.low), mel_of(format.high), format.mels + 2))
        edges = hertz * format.fft / format.rate  # from here on, frequencies are in bins
        self._centres = edges[1:-1].astype(np.float32)
        self._spacing = (np.diff(edges)[:-1] / 2 + np.diff(edges)[1:] / 2).astype(np.float32)
        self._left = np.concatenate([[0], self._centres[:-1]]).astype(np.float32)
        self._right = np.concatenate([self._centres[1:], self._centres[-1:]])
        self._polynomials = _polynomials(format)
        bins = np.arange(tonal, dtype=np.float32)
        self._bins = bins
        self._band = np.abs(bins[:, None] - self._centres).argmin(1)
        width = np.interp(bins, self._centres, np.log(_matrix(format).sum(1)))
        self._gain = (width - np.log(2)).astype(np.float32)  # a lobe is two bins wide
        table = lobe(np.arange(int(FAR * STEPS) + 1) / STEPS)
        self._lobe = np.log(np.maximum(table, np.exp(DEEPEST))).astype(np.float32)

    def find(self, log_mels: Floats) -> tuple[Floats, Floats, Floats]:
        """Of normalised log mels (..., mels): how far above each band's centre its partial lies, in bands
        (..., mels); how far above each tonal bin its partial lies, in bins, 0 where it is far (..., tonal); and the
        logarithm of what a bin has of a lone partial, over what it has of a flat band (..., tonal)."""
        mel = mel_magnitudes(log_mels)
        ringed = np.zeros((*mel.shape[:-1], mel.shape[-1] + 2), np.float32)
        ringed[..., 1:-1] = mel
        below, above = ringed[..., :-2], ringed[..., 2:]
        governing = _nearest((mel > below) & (mel >= above))
        place = np.where(governing < 0, np.float32(-1e3), _taken(self._places(below, mel, above), governing))
        bands = np.clip((place - self._centres) / self._spacing, -3, 3)
        offset = place[..., self._band] - self._bins
        far = np.abs(offset) * np.float32(STEPS)
        shape = self._lobe[np.minimum(far, FAR * STEPS).astype(np.int32)]
        offset[far >= FAR * STEPS] = 0
        return bands, offset, shape + self._gain

    def _places(self, below: Floats, mel: Floats, above: Floats) -> Floats:
        """Where a partial lies, in bins, if it is a band's (..., mels)."""
        centroid = self._left * below + self._centres * mel + self._right * above
        centroid /= np.maximum(below + mel + above, np.float32(1e-12))
        gap = np.clip((centroid - self._centres) / self._spacing, -1, 1)
        found = self._polynomials[-1]
        for coefficient in self._polynomials[-2::-1]:
            found = found * gap + coefficient
        return np.asarray(self._centres + found * self._spacing, np.float32)


def _taken(values: Floats, index: NDArray[np.int64]) -> Floats:
    """Of every row of values (..., n), those at index (..., n)."""
    rows = values.reshape(-1, values.shape[-1])
    return rows[np.arange(len(rows))[:, None], index.reshape(rows.shape)].reshape(values.shape)


def _nearest(peak: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For every band of (..., bands), the nearest that is a peak; -1 where none is."""
    count = peak.shape[-1]
    index = np.arange(count)
    before = np.maximum.accumulate(np.where(peak, index, -count), -1)
    after = np.minimum.accumulate(np.where(peak, index, 3 * count)[..., ::-1], -1)[..., ::-1]
    nearest = np.where(index - before <= after - index, before, after)
    return np.where((nearest >= 0) & (nearest < count), nearest, -1)


def lobe(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Magnitudes of a Hann window's transform at offsets in bins; 1 in the middle."""
    x = np.abs(np.asarray(offsets, np.float64)) + 1e-7
    return np.asarray(np.abs(np.sinc(x) / (1 - x**2)))


def _matrix(format: MelFormat) -> Floats:
    return mel_matrix(format.rate, format.fft, format.mels, format.low, format.high)


@functools.cache
def _polynomials(format: MelFormat) -> Floats:
    """Coefficients (DEGREE + 1, mels): from the centroid of three bands to where a sine is, both in bands."""
    hertz = hertz_of(np.linspace(mel_of(format.low), mel_of(format.high), format.mels + 2))
    edges, bins = hertz * format.fft / format.rate, np.arange(format.bins)
    matrix = np.pad(_matrix(format).astype(np.float64), ((1, 1), (0, 0)))
    out = np.zeros((DEGREE + 1, format.mels))
    for i in range(format.mels):
        spacing = (edges[i + 2] - edges[i]) / 2
        true = np.linspace(-0.6, 0.6, 25)
        spectra = lobe(bins[:, None] - (edges[i + 1] + true * spacing))
        three = matrix[i : i + 3] @ spectra
        places = [0.0 if i == 0 else edges[i], edges[i + 1], edges[min(i + 2, format.mels)]]
        gap = (np.array(places) @ three / np.maximum(three.sum(0), 1e-12) - edges[i + 1]) / spacing
        out[:, i] = np.polynomial.polynomial.polyfit(gap, true, DEGREE)
    return out.astype(np.float32)
