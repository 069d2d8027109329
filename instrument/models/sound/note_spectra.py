"""Notes as maps of log magnitude and instantaneous frequency, and maps as sound; numpy alone, in training too.

The frequencies of the partials of a note follow from its pitch. So a frame has, for each partial, its level and the
deviation of its frequency from that multiple of the pitch; and for each band of frequencies the level of the noise
between the partials. `Grid.spectra` renders this on the grid of a Fourier transform at any rate: partials as main lobes
of the window (after Rodet and Depalle, 1992), with phases that are the integrals of their frequencies, and noise as the
spectrum of white noise.

Frame t is centred on t hops after the strike. Levels are natural logarithms of amplitude (1: full scale); of noise, of
the root mean square of a bin, scaled so that a sine's peak has its amplitude.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from instrument.models.sound.spectral import Sound, hann, hann_lobe, round_spectra, stft
from instrument.music.pitch import to_hertz

Array = NDArray[np.float32]
RATE = 16000
HOP = 256  # at RATE: 16 ms
FFT = 4 * HOP
MAX_HERTZ = RATE / 2  # nothing is rendered above
PARTIALS = 80
BANDS = 64
QUIET = float(np.log(1e-6))  # the level of silence
PARTIAL_LIMIT = 0.98  # share of MAX_HERTZ: partials above are left out
REACH = 3  # bins to either side of a partial that its lobe covers
NOISE_FRAMES = 256  # of noise, which is periodic


class Maps(NamedTuple):
    """The maps of a note. level: (frames, PARTIALS); deviation: (frames, PARTIALS), a partial's frequency over that
    multiple of the pitch, minus one; noise: (frames, BANDS)."""

    level: Array
    deviation: Array
    noise: Array


def comb(pitch: float) -> Array:
    """The multiples (PARTIALS,) of a pitch, in hertz."""
    return np.asarray(to_hertz(pitch) * np.arange(1, PARTIALS + 1), np.float32)


def place(frequencies: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Frequencies in hertz on the scale of bands: 0 is the centre of the first, BANDS - 1 that of the last."""
    mel = np.log1p(np.clip(frequencies, 0, MAX_HERTZ) / 700) / np.log1p(MAX_HERTZ / 700)
    return np.asarray(mel * (BANDS - 1), np.float64)


@functools.cache
def bands(width: float, count: int) -> Array:
    """Weights (BANDS, count) that interpolate levels of bands at bins of `width` hertz."""
    weights = 1 - np.abs(place(np.arange(count) * width) - np.arange(BANDS)[:, None])
    return np.asarray(np.maximum(0, weights), np.float32)


def window_share(frames: int) -> Array:
    """(frames,) the share of the window of each of the first frames that lies after the strike."""
    window = hann(FFT)
    missing = np.maximum(0, FFT // 2 - HOP * np.arange(frames))
    shares = 1 - np.concatenate([[0.0], np.cumsum(window)])[missing] / window.sum()
    return np.asarray(shares, np.float32)


# --- sound into maps


def amplitudes(samples: Sound, fft: int = FFT) -> NDArray[np.complex64]:
    """Spectra (frames, bins) scaled so that a sine's peak has its amplitude, with phases at the frame's centre."""
    found = stft(samples, fft, HOP) * np.float32(4 / fft)
    found[:, 1::2] *= -1
    return found


def frequencies(samples: Sound, pitch: float, frames: int) -> tuple[Array, Array]:
    """The deviation of each partial as in `Maps`, and its confidence 0..1 (0 in silence); (frames, PARTIALS) each.

    From phase differences of neighbouring frames. The windows are twice as long as those of the maps, to resolve the
    partials of low pitches.
    """
    fft = 2 * FFT
    width = RATE / fft
    found = amplitudes(np.pad(samples, (0, max(0, frames * HOP - len(samples)))), fft)[: frames + 1]
    power = np.abs(found) ** 2
    mean = power.mean(0)
    wanted = comb(pitch)
    spacing = float(wanted[0]) / width
    bins = np.arange(len(mean))
    peaks = np.zeros(PARTIALS, np.int64)
    clear = np.zeros(PARTIALS)
    for k in np.flatnonzero(wanted < PARTIAL_LIMIT * MAX_HERTZ):
        # the strongest bin near the multiple, weighted by nearness
        away = bins - wanted[k] / width
        near = np.flatnonzero(np.abs(away) <= max(1.0, 0.45 * spacing))
        near = near[(near > 1) & (near < len(mean) - 2)]
        if not len(near):
            continue
        peaks[k] = near[np.argmax(mean[near] * np.exp(-0.5 * (away[near] / (0.2 * spacing + 1)) ** 2))]
        clear[k] = np.log((mean[peaks[k]] + 1e-16) / (np.median(mean[near]) + 1e-16))
    advance = np.zeros((len(found), PARTIALS), np.complex128)
    energy = np.full((len(found), PARTIALS), 1e-16)
    for shift in (-1, 0, 1):
        at = peaks + shift
        turned = found[1:, at] * found[:-1, at].conj() * np.exp(-2j * np.pi * HOP / fft * peaks)
        advance[1:] += turned
        energy[1:] += np.abs(turned)
    both = advance[:-1] + advance[1:]
    there = peaks + np.angle(both) / (2 * np.pi) * fft / HOP
    deviation = np.where(peaks > 0, there * width / wanted - 1, 0)
    steady = np.abs(both) / (energy[:-1] + energy[1:])
    loud = power[: len(both), peaks] / max(float(power.max()), 1e-16)
    sure = steady**2 * np.clip(clear / 3, 0, 1) * np.clip(1 + np.log10(loud + 1e-16) / 6, 0, 1)
    sure[:, peaks == 0] = 0
    sure[power.max(1)[: len(both)] < 1e-10] = 0
    return np.asarray(deviation[:frames], np.float32), np.asarray(sure[:frames], np.float32)


def analyse(samples: Sound, pitch: float) -> Maps:
    """The maps of a note at RATE that begins with the first sample."""
    frames = 1 + len(samples) // HOP
    deviation, sure = frequencies(samples, pitch, frames)
    weight = sure.sum(0) + 1e-6
    usual = (deviation * sure).sum(0) / weight
    deviation = np.where(sure > 0.1, deviation, usual).astype(np.float32)
    power = np.abs(amplitudes(samples)).astype(np.float64) ** 2 / window_share(frames)[:, None] ** 2 + 1e-14
    at = comb(pitch) * (1 + deviation) / (RATE / FFT)
    there = at < PARTIAL_LIMIT * FFT / 2
    nearest = np.clip(np.rint(at).astype(np.int64), 1, FFT // 2 - 1)
    rows = np.arange(frames)[:, None]
    # the level of each partial from the bins under its lobe, without what its neighbours add there
    shapes = np.zeros((frames, PARTIALS, 3))
    seen = np.zeros((frames, PARTIALS, 3))
    for i, shift in enumerate((-1, 0, 1)):
        shapes[..., i] = hann_lobe(nearest + shift - at) ** 2
        seen[..., i] = power[rows, nearest + shift]
    squares = np.where(there, (seen * shapes).sum(-1) / ((shapes**2).sum(-1) + 1e-9), 0)
    for _ in range(3):
        rest = np.maximum(power - _partial_power(squares, at, nearest), 0.02 * power)
        noise = _band_levels(rest, power)
        floor = np.exp(2 * (noise @ bands(RATE / FFT, FFT // 2 + 1)))
        model = _partial_power(squares, at, nearest) + floor
        ratio = np.zeros_like(squares)
        for i, shift in enumerate((-1, 0, 1)):
            ratio += shapes[..., i] * power[rows, nearest + shift] / model[rows, nearest + shift]
        squares *= np.clip(ratio / (shapes.sum(-1) + 1e-9), 0.02, 4)
    level = np.where(there, 0.5 * np.log(squares + 1e-13), QUIET)
    return Maps(np.maximum(level, QUIET).astype(np.float32), deviation, noise.astype(np.float32))


def _partial_power(squares: NDArray[np.float64], at: Array, nearest: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.zeros((len(squares), FFT // 2 + 1 + 2 * REACH))
    rows = np.arange(len(squares))[:, None]
    for shift in range(-REACH, REACH + 1):
        np.add.at(out, (rows, nearest + shift + REACH), squares * hann_lobe(nearest + shift - at) ** 2)
    return out[:, REACH:-REACH]


def _band_levels(rest: NDArray[np.float64], power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels (frames, BANDS) of what the partials do not explain; a bin is weighted by that share."""
    weights = bands(RATE / FFT, FFT // 2 + 1).T
    counts = (rest / power) ** 2 + 1e-3
    logs = np.log(rest + 1e-14) * 0.5
    return np.maximum((logs * counts) @ weights / (counts @ weights + 1e-9) + 0.29, QUIET)


# --- maps into sound


@dataclass(frozen=True)
class Grid:
    """The Fourier grid of a rate: a hop of about 16 ms, a quarter of the window, and the noise on it."""

    rate: int

    @functools.cached_property
    def hop(self) -> int:
        """Samples, a multiple of 4."""
        return 4 * round(HOP / RATE * self.rate / 4)

    @functools.cached_property
    def fft(self) -> int:
        """Samples of a window."""
        return 4 * self.hop

    @functools.cached_property
    def count(self) -> int:
        """Bins up to TOP."""
        return min(self.fft // 2, int(MAX_HERTZ / self.width)) + 1

    @functools.cached_property
    def width(self) -> float:
        """Hertz from bin to bin."""
        return self.rate / self.fft

    @functools.cached_property
    def window(self) -> Array:
        """The synthesis window (fft,): Hann's, over the sum of the overlapping squares."""
        return np.asarray(hann(self.fft) / 1.5 * (self.fft / 4), np.float32)

    @functools.cached_property
    def noise(self) -> NDArray[np.complex64]:
        """Spectra (NOISE_FRAMES, count) of periodic white noise with root mean square 1."""
        rng = np.random.default_rng(7)
        once = rng.standard_normal(NOISE_FRAMES * self.hop).astype(np.float32)
        found = round_spectra(once, self.fft, self.hop)[:, : self.count]
        return np.asarray(found / np.sqrt(np.mean(np.abs(found) ** 2)), np.complex64)

    @functools.cached_property
    def bands(self) -> Array:
        """`bands` of these bins, (BANDS, count)."""
        return bands(self.width, self.count)

    def spectra(
        self, level: Array, frequency: Array, phase: Array, noise: Array, numbers: NDArray[np.int64]
    ) -> NDArray[np.complex64]:
        """Spectra (n, count) of frames: level, frequency in hertz, and phase of partials (n, PARTIALS), noise (n,
        BANDS), and the number of the frame of noise (n,)."""
        n = len(level)
        out = np.exp(noise @ self.bands) * self.noise[numbers % NOISE_FRAMES]
        audible = (frequency < PARTIAL_LIMIT * MAX_HERTZ) & (frequency > 15) & (level > QUIET + 1)
        most = int((audible.any(0) * np.arange(1, PARTIALS + 1)).max())
        audible, at = audible[:, :most], frequency[:, :most] / np.float32(self.width)
        nearest = np.where(audible, np.rint(at), 0).astype(np.int64)
        strength = np.where(audible, np.exp(level[:, :most]), 0) * np.exp(np.complex64(1j) * phase[:, :most])
        # sin(pi (d + i)) is that of d, with the sign turned i times
        away = np.where(audible, nearest - at, 0).astype(np.float32)
        away[np.abs(away) < 1e-3] = 1e-3  # the lobe is as flat there as it is high
        strength *= np.sin(np.pi * away) / np.pi
        wide = np.zeros((n, self.count + 2 * REACH + 2), np.complex64)
        rows, columns = np.arange(n)[:, None], np.minimum(nearest, self.count) + REACH
        for shift in range(-REACH, REACH + 1):
            d = away + np.float32(shift)
            height = (1 if shift % 2 == 0 else -1) / (d * (1 - d * d))
            # Partials lie a bin apart at least, above MIDI pitch 12; inaudible ones add nothing, at bin 0.
            wide[rows, columns + shift] += strength * height
        out += wide[:, REACH : REACH + self.count]
        return np.asarray(out, np.complex64)

    def frames(self, spectra: NDArray[np.complex64]) -> Array:
        """Windowed frames (n, fft) to be added, a hop apart, of spectra (n, count)."""
        turned = spectra.copy()
        turned[:, 1::2] *= -1
        turned[:, 0] = 0
        return np.asarray(np.fft.irfft(turned, self.fft).astype(np.float32) * self.window, np.float32)


@functools.cache
def grid(rate: int) -> Grid:
    """The grid of a rate."""
    return Grid(rate)


def first_phases(seed: int) -> Array:
    """Random phases (PARTIALS,) of partials at the strike: with equal phases their sum would be a click."""
    return np.asarray(np.random.default_rng((seed, 0x6A5)).uniform(0, 2 * np.pi, PARTIALS), np.float32)


def resynthesise(maps: Maps, pitch: float, rate: int, samples: int, seed: int = 0) -> Sound:
    """The sound (samples,) at a rate of the maps of a note; silence after their end."""
    g = grid(rate)
    shown = np.clip(np.rint(np.arange(-1, len(maps.level) + 1) * g.hop / g.rate * RATE / HOP), 0, len(maps.level) - 1)
    level, deviation, noise = (m[shown.astype(np.int64)] for m in maps)
    frequency = comb(pitch) * (1 + deviation)
    turns = np.cumsum((frequency[1:] + frequency[:-1]) / 2 * (2 * np.pi * g.hop / rate), 0)
    phase = first_phases(seed) + np.concatenate([np.zeros((1, PARTIALS)), turns])
    numbers = np.arange(len(level)) + 17 * seed
    frames = g.frames(g.spectra(level, frequency, np.mod(phase, 2 * np.pi).astype(np.float32), noise, numbers))
    out = np.zeros((len(frames) + 3) * g.hop, np.float32)
    for i, frame in enumerate(frames):
        out[i * g.hop : i * g.hop + g.fft] += frame
    out = out[3 * g.hop :][:samples]
    return np.pad(out, (0, samples - len(out)))


def round_trip(samples: Sound, pitch: float, rate: int) -> Sound:
    """A note (samples,) as its maps keep it: analysed at RATE and synthesised again at `rate`."""
    import soxr

    at_rate = samples if rate == RATE else soxr.resample(samples, rate, RATE)
    return resynthesise(analyse(np.asarray(at_rate, np.float32), pitch), pitch, rate, len(samples))
