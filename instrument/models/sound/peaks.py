"""The frequencies of the partials that log mels show: what a vocoder can know of pitch without learning.

Triangular bands that overlap by half reproduce a linear function exactly, so the centroid of a few bands about a peak
is that of the spectrum. The error from using only three bands is corrected by a polynomial that is fitted to sines. The
partials of a deep tone are too close for that. They are found together: of all candidate fundamentals, the one whose
multiples leave least of the lowest bands unexplained (least squares).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.models.sound.spectral import MelFormat, format_matrix, hann_lobe, hertz_of, mel_magnitudes, mel_of

MAX_DISTANCE = 4.0  # bins: a partial further away has no effect on a bin
STEPS = 256  # of the table of the lobe, per bin
LOBE_FLOOR = -5.0  # logarithm of the lobe at its zeros and beyond
DEGREE = 3
DEEP_BANDS = 20  # bands, from the lowest, that show deep tones: up to 800 Hz
LOWEST_HZ, STEP_CENTS, STEPS_UP = 54.0, 20.0, 64  # candidate fundamentals, up to 112 Hz; above, three bands are enough
GAP_LEVEL, MAX_GAPS = (
    0.08,
    2,
)  # share of its neighbour below which a partial is a gap; gaps that a deep tone may have
MAX_UNEXPLAINED = 5e-4  # share of the energy that may be unexplained, for each degree of freedom
MAX_BAND_UNEXPLAINED = 0.2  # share of a band that may be unexplained

Floats = NDArray[np.float32]


class Peaks:
    """Finds the partials of log mels of a format. tonal: how many bins it covers, from the lowest."""

    def __init__(self, format: MelFormat, tonal: int) -> None:
        self.format, self.tonal = format, tonal
        hertz = hertz_of(np.linspace(mel_of(format.low), mel_of(format.high), format.mels + 2))
        edges = hertz * format.fft / format.rate  # from here on, frequencies are in bins
        self._centres = edges[1:-1].astype(np.float32)
        self._spacing = (np.diff(edges)[:-1] / 2 + np.diff(edges)[1:] / 2).astype(np.float32)
        self._left = np.concatenate([[0], self._centres[:-1]]).astype(np.float32)
        self._right = np.concatenate([self._centres[1:], self._centres[-1:]])
        self._polynomials = _polynomials(format)
        self._deep = _deep_tones(format)
        bins = np.arange(tonal, dtype=np.float32)
        self._bins = bins
        self._band = np.abs(bins[:, None] - self._centres).argmin(1)
        self._low = int((self._band < DEEP_BANDS).sum())  # bins
        width = np.interp(bins, self._centres, np.log(format_matrix(format).sum(1)))
        self._gain = (width - np.log(2)).astype(np.float32)  # a lobe is two bins wide
        table = np.abs(hann_lobe(np.arange(int(MAX_DISTANCE * STEPS) + 1) / STEPS))
        self._lobe = np.log(np.maximum(table, np.exp(LOBE_FLOOR))).astype(np.float32)

    def find(self, log_mels: Floats) -> tuple[Floats, Floats, Floats]:
        """The nearest partials of normalised log mels (..., mels).

        Returns the distance of the partial above each band's centre, in bands (..., mels); the distance above each
        tonal bin, in bins, 0 where it is far (..., tonal); and the log magnitude that a lone partial has in each bin,
        over that of a flat band (..., tonal).
        """
        mel = mel_magnitudes(log_mels)
        ringed = np.zeros((*mel.shape[:-1], mel.shape[-1] + 2), np.float32)
        ringed[..., 1:-1] = mel
        below, above = ringed[..., :-2], ringed[..., 2:]
        governing = _nearest((mel > below) & (mel >= above))
        place = np.where(governing < 0, np.float32(-1e3), _taken(self._places(below, mel, above), governing))
        offset = place[..., self._band] - self._bins
        spacing, fits = self._deep.find(mel)
        place[..., :DEEP_BANDS] = np.where(
            fits, _multiple(self._centres[:DEEP_BANDS], spacing), place[..., :DEEP_BANDS]
        )
        bins, fits = self._bins[: self._low], fits[..., self._band[: self._low]]
        offset[..., : self._low] = np.where(fits, _multiple(bins, spacing) - bins, offset[..., : self._low])
        bands = _within((place - self._centres) / self._spacing, 3)
        far = np.abs(offset) * np.float32(STEPS)
        shape = self._lobe[np.minimum(far, MAX_DISTANCE * STEPS).astype(np.int32)]
        offset[far >= MAX_DISTANCE * STEPS] = 0
        return bands, offset, shape + self._gain

    def _places(self, below: Floats, mel: Floats, above: Floats) -> Floats:
        """The frequency of each band's partial, in bins (..., mels), if the band is a peak."""
        centroid = self._left * below + self._centres * mel + self._right * above
        centroid /= np.maximum(below + mel + above, np.float32(1e-12))
        gap = _within((centroid - self._centres) / self._spacing, 1)
        found = self._polynomials[-1]
        for coefficient in self._polynomials[-2::-1]:
            found = found * gap + coefficient
        return np.asarray(self._centres + found * self._spacing, np.float32)


class DeepTones:
    """Finds the fundamental of a single deep tone in the lowest mel bands."""

    def __init__(self, format: MelFormat) -> None:
        hertz = LOWEST_HZ * 2 ** (np.arange(STEPS_UP) * STEP_CENTS / 1200)
        self._spacing = (hertz * format.fft / format.rate).astype(np.float32)
        shown = [_shown(format, float(spacing)) for spacing in self._spacing]
        self._partials = [np.linalg.pinv(x).astype(np.float32) for x in shown]
        beyond = [np.linalg.svd(x)[0][:, x.shape[1] :] for x in shown]
        most = max(u.shape[1] for u in beyond)
        padded = [np.pad(u, ((0, 0), (0, most - u.shape[1]))) for u in beyond]
        self._beyond = np.ascontiguousarray(np.concatenate(padded, 1), np.float32)
        self._free = np.array([u.shape[1] for u in beyond], np.float32)
        self._rest = np.array([u @ u.T for u in beyond], np.float32)

    def find(self, mel: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """From magnitudes (..., mels): the spacing of the partials of a deep tone, in bins (..., 1), and which of the
        lowest bands it explains (..., DEEP_BANDS): none if there is no single deep tone."""
        rows = mel[..., :DEEP_BANDS].reshape(-1, DEEP_BANDS)
        spacing, fits = np.ones((len(rows), 1), np.float32), np.zeros(rows.shape, np.bool_)
        # A stack of products is computed row by row, so that sums do not depend on how many rows there are.
        left = (rows[:, None] @ self._beyond).reshape(len(rows), STEPS_UP, -1)
        left = np.einsum("nfd,nfd->nf", left, left) / self._free
        best, allowed = left.argmin(1), np.float32(MAX_UNEXPLAINED) * np.einsum("nb,nb->n", rows, rows)
        for i in np.flatnonzero(left[np.arange(len(rows)), best] < allowed):
            row, fundamental = rows[i], int(best[i])
            if self._whole(fundamental, row):
                steps = fundamental + _between(left[i], fundamental)
                spacing[i] = self._spacing[0] * 2 ** (STEP_CENTS / 1200 * steps)
                fits[i] = np.abs(self._rest[fundamental] @ row) < MAX_BAND_UNEXPLAINED * row
        return spacing.reshape(*mel.shape[:-1], 1), fits.reshape(*mel.shape[:-1], DEEP_BANDS)

    def _whole(self, fundamental: int, row: Floats) -> bool:
        """Whether its partials have few gaps. Higher tones and chords leave gaps, and are found by three bands."""
        size = np.maximum(self._partials[fundamental] @ row, 0)
        neighbour = np.maximum(np.append(size[1:], 0), np.append(0, size[:-1]))
        neighbours = np.minimum(size, neighbour).max() > GAP_LEVEL * size.max()
        return bool(neighbours and (size < GAP_LEVEL * neighbour).sum() <= MAX_GAPS)


@functools.cache
def _deep_tones(format: MelFormat) -> DeepTones:
    return DeepTones(format)


def _shown(format: MelFormat, spacing: float) -> NDArray[np.float64]:
    """Magnitudes (DEEP_BANDS, partials) of the lowest bands for partials at multiples of a spacing in bins."""
    matrix, bins = format_matrix(format)[:DEEP_BANDS].astype(np.float64), np.arange(format.bins)
    edge = float(np.flatnonzero(matrix.any(0)).max()) + 2
    away = bins[:, None] - np.arange(1, int(edge / spacing) + 1) * spacing
    return np.asarray(matrix @ np.where(np.abs(away) < 2, hann_lobe(away), 0))


def _between(values: Floats, lowest: int) -> float:
    """Parabolic interpolation: the minimum through index `lowest` of values and its neighbours, in steps from it."""
    if not 0 < lowest < len(values) - 1:
        return 0.0
    before, here, after = values[lowest - 1 : lowest + 2].tolist()
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend > 0 else 0.0


def _multiple(places: Floats, spacing: Floats) -> Floats:
    """The multiples of a spacing that are nearest to places, the first one at least."""
    return np.asarray(np.maximum(np.rint(places / spacing), 1) * spacing, np.float32)


def _within(values: Floats, size: float) -> Floats:
    """Values clipped to plus and minus `size`; for few values `np.clip` takes three times as long."""
    return np.asarray(np.minimum(np.maximum(values, np.float32(-size)), np.float32(size)), np.float32)


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


@functools.cache
def _polynomials(format: MelFormat) -> Floats:
    """Coefficients (DEGREE + 1, mels): from the centroid of three bands to where a sine is, both in bands."""
    hertz = hertz_of(np.linspace(mel_of(format.low), mel_of(format.high), format.mels + 2))
    edges, bins = hertz * format.fft / format.rate, np.arange(format.bins)
    matrix = np.pad(format_matrix(format).astype(np.float64), ((1, 1), (0, 0)))
    out = np.zeros((DEGREE + 1, format.mels))
    for i in range(format.mels):
        spacing = (edges[i + 2] - edges[i]) / 2
        true = np.linspace(-0.6, 0.6, 25)
        spectra = np.abs(hann_lobe(bins[:, None] - (edges[i + 1] + true * spacing)))
        three = matrix[i : i + 3] @ spectra
        places = [0.0 if i == 0 else edges[i], edges[i + 1], edges[min(i + 2, format.mels)]]
        gap = (np.array(places) @ three / np.maximum(three.sum(0), 1e-12) - edges[i + 1]) / spacing
        out[:, i] = np.polynomial.polynomial.polyfit(gap, true, DEGREE)
    return out.astype(np.float32)
