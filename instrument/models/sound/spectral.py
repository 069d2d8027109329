"""Spectra, mel spectra and their inverses, in numpy, for training and for the instrument.

Frame t of a spectrum is centred on sample t * hop; beyond the ends of a sound there is silence. Windows are Hann's
(periodic). Spectra are unscaled sums, as numpy's `rfft` gives them, with time counted from the window's first sample.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]  # (samples,), about -1..1
Spectra = NDArray[np.complex64]  # (frames, fft // 2 + 1)

FLOOR = 1e-5  # of mel magnitudes: 100 dB below a sine of full scale
CENTRE, SPREAD = (
    -5.5,
    2.2,
)  # of log mels of music at -20 dB: normalised, they lie about zero, all within +-2.8
BLOCK = 1024  # frames of one batch


@dataclass(frozen=True, slots=True)
class MelFormat:
    """The format of log mels: sample rate, hop, window length, and number of bands from `low` to `high` hertz.

    Windows of 2048 samples resolve the partials of tones above about 60 Hz; bands are 40 Hz apart below 1 kHz and two
    thirds of a semitone above.
    """

    rate: int = 44100
    hop: int = 256
    fft: int = 2048
    mels: int = 96
    low: int = 0
    high: int = 20000

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        return self.fft // 2 + 1

    @classmethod
    def of(cls, codec: Mapping[str, int]) -> MelFormat:
        """The format in a manifest's codec; other entries are ignored. KeyError if one is missing."""
        return cls(*(codec[name] for name in cls.__slots__))

    def codec(self) -> dict[str, int]:
        """The format as entries of a manifest's codec."""
        return {name: getattr(self, name) for name in self.__slots__}


# --- spectra


@functools.cache
def hann(length: int) -> NDArray[np.float32]:
    """The periodic Hann window."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.flags.writeable = False
    return window


def hann_lobe(bins: NDArray[np.floating]) -> NDArray[np.float64]:
    """The spectrum of a long Hann window, so many bins from its peak, which is 1: sinc(x) / (1 - x^2), signed."""
    bins = np.asarray(bins, np.float64)
    below = 1 - bins**2
    pole = np.abs(below) < 1e-6
    return np.where(pole, 0.5, np.sinc(bins) / np.where(pole, 1, below))


def stft(x: Sound, fft: int, hop: int) -> Spectra:
    """Spectra (1 + samples // hop, fft // 2 + 1) of a sound."""
    padded = np.pad(np.asarray(x, np.float32), fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop]
    return np.fft.rfft(frames * hann(fft)).astype(np.complex64, copy=False)


def round_spectra(once: Sound, fft: int, hop: int) -> Spectra:
    """Spectra (samples // hop, fft // 2 + 1) of a periodic sound (samples,), frame t centred on t * hop, with phases
    counted from the middle of the window."""
    around = np.concatenate([once[-fft // 2 :], once, once[: fft // 2]])
    frames = np.lib.stride_tricks.sliding_window_view(around, fft)[::hop][: len(once) // hop]
    found = np.fft.rfft(frames * hann(fft))
    found[:, 1::2] *= -1
    return np.asarray(found)


def istft(spectra: Spectra, hop: int, samples: int | None = None) -> Sound:
    """The sound (samples,) whose spectra are nearest to these (Griffin and Lim, 1984): windowed overlap-add over the
    sum of the squared windows. samples: (frames - 1) * hop if None; silence after the last window."""
    fft = 2 * (spectra.shape[1] - 1)
    frames = np.fft.irfft(spectra, fft).astype(np.float32) * hann(fft)
    total = _overlap(frames, hop)
    weight = _overlap(np.broadcast_to(hann(fft) ** 2, frames.shape), hop)
    samples = (len(spectra) - 1) * hop if samples is None else samples
    y = (total / np.maximum(weight, 1e-3))[fft // 2 : fft // 2 + samples]
    return np.pad(y, (0, samples - len(y)))


def _overlap(frames: NDArray[np.float32], hop: int) -> NDArray[np.float32]:
    """Overlap-add of frames (n, fft), `hop` apart: ((n - 1) * hop + fft,)."""
    count, fft = frames.shape
    parts = -(-fft // hop)
    padded = np.pad(frames, ((0, 0), (0, parts * hop - fft))).reshape(count, parts, hop)
    out = np.zeros((count - 1 + parts, hop), np.float32)
    for i in range(parts):
        out[i : i + count] += padded[:, i]
    return out.reshape(-1)[: (count - 1) * hop + fft]


class StreamingIstft:
    """Spectra in, samples out, frame by frame: `hop` samples a frame, `latency` samples after their time (sample n
    of the output sounds at n - latency). fft must be a multiple of hop."""

    def __init__(self, fft: int, hop: int) -> None:
        self.fft, self.hop, self.latency = fft, hop, fft // 2
        square = (hann(fft).astype(np.float64) ** 2).reshape(-1, hop).sum(0)
        self._window = (hann(fft) / np.tile(square, fft // hop)).astype(np.float32)
        self._tail = np.zeros((fft // hop, hop), np.float32)

    def push(self, spectra: Spectra) -> Sound:
        """The samples (frames * hop,) that spectra (frames, fft // 2 + 1) finish."""
        count, parts = len(spectra), len(self._tail)
        frames = np.fft.irfft(spectra, self.fft).astype(np.float32, copy=False) * self._window
        frames = frames.reshape(count, parts, self.hop)
        total = np.zeros((count + parts, self.hop), np.float32)
        total[:parts] = self._tail
        for i in reversed(range(parts)):  # the oldest first, so that sums do not depend on chunks
            total[i : i + count] += frames[:, i]
        self._tail = total[count:]
        return total[:count].reshape(-1)

    def reset(self) -> None:
        """Start again, after silence."""
        self._tail[:] = 0


# --- mels


def mel_of(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Slaney's mels: linear up to 1 kHz (15 mels), logarithmic above."""
    hertz = np.asarray(hertz, np.float64)
    return np.where(hertz < 1000, hertz * 0.015, 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4))


def hertz_of(mel: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The inverse of `mel_of`."""
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15, mel / 0.015, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


@functools.cache
def mel_matrix(rate: int, fft: int, mels: int, low: float, high: float) -> NDArray[np.float32]:
    """Triangles (mels, fft // 2 + 1), of height one at their centre, evenly spaced in Slaney's mels."""
    edges = hertz_of(np.linspace(mel_of(low), mel_of(high), mels + 2))
    bins = np.arange(fft // 2 + 1) * rate / fft
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    matrix = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def format_matrix(format: MelFormat) -> NDArray[np.float32]:
    """`mel_matrix` of a format."""
    return mel_matrix(format.rate, format.fft, format.mels, format.low, format.high)


def mel_of_spectra(magnitudes: NDArray[np.float32], format: MelFormat) -> NDArray[np.float32]:
    """Normalised log mels (..., mels) of magnitudes (..., bins): a full sine has about one in its band before the
    logarithm."""
    mel = magnitudes @ format_matrix(format).T * np.float32(4 / format.fft)
    return np.asarray((np.log(np.maximum(mel, FLOOR)) - CENTRE) / SPREAD, np.float32)


def log_mel(x: Sound, format: MelFormat = MelFormat()) -> NDArray[np.float32]:
    """Normalised log mels (1 + samples // hop, mels) of a sound at the format's rate."""
    half, hop = format.fft // 2, format.hop
    padded = np.pad(np.asarray(x, np.float32), half)
    frames = np.lib.stride_tricks.sliding_window_view(padded, format.fft)[::hop]
    blocks = [
        mel_of_spectra(np.abs(np.fft.rfft(frames[i : i + BLOCK] * hann(format.fft))), format)
        for i in range(0, len(frames), BLOCK)
    ]
    return np.concatenate(blocks)


def mel_magnitudes(log_mels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel magnitudes of normalised log mels, of the same shape."""
    return np.asarray(np.exp(log_mels * SPREAD + CENTRE), np.float32)


SILENCE = (np.log(FLOOR) - CENTRE) / SPREAD  # a normalised log mel of silence


# --- from mels to sound, without a model


@functools.cache
def _inverse(format: MelFormat) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.linalg.pinv(format_matrix(format).astype(np.float64)).T, np.float32)


def magnitudes(log_mels: NDArray[np.float32], format: MelFormat) -> NDArray[np.float32]:
    """Magnitudes (frames, bins) with about these mels: least squares, then multiplicative updates, as none is below
    zero."""
    mel, matrix = mel_magnitudes(log_mels) * np.float32(format.fft / 4), format_matrix(format)
    found = np.maximum(mel @ _inverse(format), np.float32(1e-6))
    target = mel @ matrix
    for _ in range(20):  # multiplicative updates (Lee & Seung)
        found *= target / np.maximum(found @ matrix.T @ matrix, np.float32(1e-9))
    return found


def griffin_lim(
    log_mels: NDArray[np.float32],
    format: MelFormat,
    iterations: int = 32,
    momentum: float = 0.99,
    seed: int = 0,
) -> Sound:
    """A sound ((frames - 1) * hop samples) of normalised log mels, by Griffin and Lim's iterations, with the momentum
    of Perraudin and others (2013). Offline: it needs all frames."""
    target = magnitudes(log_mels, format)
    rng = np.random.default_rng(seed)
    angles = np.exp(2j * np.pi * rng.random(target.shape, np.float32)).astype(np.complex64)
    before = np.zeros_like(angles)
    for _ in range(iterations):
        rebuilt = stft(istft(target * angles, format.hop), format.fft, format.hop)
        angles = rebuilt - np.float32(momentum / (1 + momentum)) * before
        angles /= np.maximum(np.abs(angles), np.float32(1e-12))
        before = rebuilt
    return istft(target * angles, format.hop)
