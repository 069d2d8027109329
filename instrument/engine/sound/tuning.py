"""Fits a stream to the band: resonators on the pitches of its key, and a level that ducks at the beats."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.engine.voices.gain import Frames
from instrument.music.harmony import PitchClasses
from instrument.music.pitch import to_hertz
from instrument.music.timebase import TICKS_PER_BEAT

CYCLES = 13.0  # periods in which a resonator builds up; of a tone a semitone off, 1/24 of the power passes
LOWEST, HIGHEST = 24, 112  # MIDI pitches of the resonators
SLOWEST_S = 0.16  # longest time to build up; below 80 Hz resonators are therefore wider than a semitone
LENGTH_S = 0.75  # length of the impulse response
AIR_HZ, AIR = 6500.0, 0.5  # above this frequency, this share of the sound passes unchanged
LOUDNESS_S = 0.7  # time constant of the make-up gain
MAX_GAIN = 3.0  # of the make-up gain, amplitude

DUCK_BEFORE, DUCK_AFTER = 0.04, 0.6  # in beats: the fall before a beat, and the recovery after it


class Tuner:
    """A bank of resonators for mono sound, chunk by chunk and without delay. Pitches near a resonator pass.

    The sum of the impulse responses is one filter, applied by partitioned convolution (overlap-save, Stockham
    1966, "High-speed convolution and correlation") with partitions as long as a chunk. So the cost does not depend on
    the number of resonators. Changes of key or strength fade in over a chunk.
    """

    def __init__(self, rate: int, chunk: int) -> None:
        """rate: frames a second; chunk: frames of each call of `process`."""
        self._rate, self._chunk = rate, chunk
        self._spectra = np.zeros((_parts(rate, chunk), chunk + 1), np.complex64)  # of the last chunks, the latest first
        self._before = np.zeros(chunk, np.float32)
        self._tones: PitchClasses = ()
        self._strength = 0.0
        self._dry = self._wet = 1e-9  # smoothed power
        self._gain = 1.0

    def process(self, sound: NDArray[np.float32], tones: PitchClasses, strength: float) -> NDArray[np.float32]:
        """Filter a chunk (chunk,) towards the pitch classes `tones`. strength: 0 (unchanged, bit for bit) .. 1."""
        chunk = self._chunk
        spectrum = np.fft.rfft(np.concatenate((self._before, sound)))
        self._spectra = np.concatenate((spectrum[None].astype(np.complex64), self._spectra[:-1]))
        self._before = sound
        before, self._strength = self._strength, strength
        last, self._tones = self._tones or tones, tones
        if not before and not strength:
            return sound
        rise = np.arange(1, chunk + 1, dtype=np.float32) / chunk
        wet = self._resonate(tones)
        if last != tones:
            wet += (self._resonate(last) - wet) * (1 - rise)
        gain, self._gain = self._gain, self._evened(sound, wet)
        mix = before + (strength - before) * rise
        return np.asarray(sound * (1 - mix) + wet * (gain + (self._gain - gain) * rise) * mix, np.float32)

    def _resonate(self, tones: PitchClasses) -> NDArray[np.float32]:
        responses = _responses(self._rate, self._chunk, len(self._spectra), tones)
        filtered = np.fft.irfft((self._spectra * responses).sum(axis=0), 2 * self._chunk)
        return np.asarray(filtered[self._chunk :], np.float32)

    def _evened(self, dry: Frames, wet: Frames) -> float:
        """The make-up gain: with it the filtered sound is as loud as the input."""
        share = min(1.0, self._chunk / (LOUDNESS_S * self._rate))
        self._dry += share * (float(np.mean(np.square(dry))) - self._dry)
        self._wet += share * (float(np.mean(np.square(wet))) - self._wet)
        return min(MAX_GAIN, float(np.sqrt(max(self._dry, 1e-9) / max(self._wet, 1e-9))))


def prepare(rate: int, chunk: int) -> None:
    """Compute and cache the resonators for a rate and a chunk, which takes some tenths of a second."""
    _bank(rate, chunk, _parts(rate, chunk))


def _parts(rate: int, chunk: int) -> int:
    return -(-round(LENGTH_S * rate) // chunk)


@functools.lru_cache(maxsize=8)
def _responses(rate: int, chunk: int, parts: int, tones: PitchClasses) -> NDArray[np.complex64]:
    """The spectra of the partitions of the filter for these pitch classes, (parts, chunk + 1)."""
    bank = _bank(rate, chunk, parts)
    summed: NDArray[np.complex64] = bank[[*tones, 12]].sum(axis=0)
    return summed


@functools.lru_cache(maxsize=2)
def _bank(rate: int, chunk: int, parts: int) -> NDArray[np.complex64]:
    """The same for each pitch class, and for what passes above all resonators: (13, parts, chunk + 1)."""
    t = np.arange(parts * chunk) / rate
    bank = np.zeros((13, len(t)), np.float32)
    for pitch in range(LOWEST, HIGHEST + 1):
        hertz = to_hertz(pitch)
        if hertz < min(AIR_HZ, 0.45 * rate):
            slow = min(CYCLES / hertz, SLOWEST_S)
            t_ringing = t[: int(14 * slow * rate)]  # decayed by 120 dB
            ringing = t_ringing * np.exp(-t_ringing / slow) * np.cos(2 * np.pi * hertz * t_ringing)
            bank[pitch % 12, : len(ringing)] += 2 / slow**2 / rate * ringing
    bank *= np.minimum(1.0, (len(t) - np.arange(len(t))) / (0.1 * len(t)))
    air = _highpass(rate)
    bank[12, : len(air)] = AIR * air
    return np.asarray(np.fft.rfft(bank.reshape(13, parts, chunk), 2 * chunk), np.complex64)


def _highpass(rate: int) -> NDArray[np.float64]:
    """A windowed-sinc high-pass filter at `AIR_HZ`, 61 taps."""
    n = np.arange(-30, 31)
    low = 2 * AIR_HZ / rate * np.sinc(2 * AIR_HZ / rate * n) * np.hanning(63)[1:-1]
    return np.asarray((n == 0) - low / low.sum())


def ducking(first: float, last: float, count: int, depth: tuple[float, float]) -> NDArray[np.float32]:
    """Gains (count,) while the transport moves from tick `first` to `last` (infinite: it is stopped). At a beat the
    gain is 1 - depth, then it returns to 1. depth: at the first and the last frame, 0..1."""
    if not any(depth) or not np.isfinite(last - first):
        return np.ones(count, np.float32)
    place = np.linspace(first, last, count, endpoint=False) / TICKS_PER_BEAT % 1.0
    falling = np.clip((place - (1 - DUCK_BEFORE)) / DUCK_BEFORE, 0, 1)
    rising = np.clip(1 - place / DUCK_AFTER, 0, 1)
    shape = np.maximum(falling**2 * (3 - 2 * falling), rising**2 * (3 - 2 * rising))
    return np.asarray(1 - shape * np.linspace(*depth, count, endpoint=False), np.float32)
