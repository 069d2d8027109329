"""The vocoder: log mels in, frame by frame; samples out, 23 ms after the middle of their frame.

A spectral head as in Vocos (Siuzdak, 2023): the graph gives the magnitude of every bin and two components of its phase,
noise and a continued phase. The latter advances from the frame before by the frequency of the partial that `peaks`
finds there. All bins of a partial continue from the one bin that is nearest to it (phase locking: Laroche and Dolson,
1999; Beauregard and others, 2015), so they stay in phase while it is held, and rounding errors do not grow.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.bundle import Bundle
from instrument.models.sound.peaks import Floats, Peaks
from instrument.models.sound.spectral import (
    SILENCE,
    MelFormat,
    Sound,
    Spectra,
    StreamingIstft,
    hann,
    round_spectra,
)

PRIMING_FRAMES = 16  # frames of silence before a stream
FRAMES_PER_RUN = 16  # larger matrix products are summed in another order, and chunks would differ from the whole
NOISE_FRAMES = 1024  # of periodic noise, about six seconds
MIN_STRENGTH = 1e-3  # a phase vector shorter than this lowers the magnitude of its bin


class Vocoder:
    """The vocoder for one stream. For one thread at a time."""

    def __init__(self, bundle: Bundle) -> None:
        """bundle: of the family vocoder. HocketError if it is incomplete."""
        manifest = bundle.manifest
        try:
            self.format = MelFormat.of(manifest.codec)
            self.synthesis = Synthesis(self.format, manifest.codec["tonal"])
            self._peaks = Peaks(self.format, manifest.codec["tonal"])
        except (KeyError, ValueError) as error:
            raise HocketError(f"bundle {manifest.slug!r} has no format of mels: reinstall it") from error
        self.session = bundle.session("frames")
        self._pairs = manifest.states
        self.rate, self.hop, self.latency = self.format.rate, self.format.hop, self.synthesis.latency
        self.reset()

    def reset(self, seed: int = 0) -> None:
        """Start again, after silence. seed: of the noise."""
        self._states = {p.input: np.full(p.shape, p.initial, np.float32) for p in self._pairs}
        self._run(np.full((PRIMING_FRAMES, self.format.mels), SILENCE, np.float32))
        self.synthesis.reset(seed)

    def push(self, log_mels: Floats) -> Sound:
        """Samples (frames * hop,) of normalised log mels (frames, mels): sample n of all that came since `reset`
        sounds at n - latency, where frame t is at t * hop. The same however the frames are cut into calls."""
        mels = np.asarray(log_mels, np.float32)
        parts = (mels[at : at + FRAMES_PER_RUN] for at in range(0, len(mels), FRAMES_PER_RUN))
        return np.concatenate([np.zeros(0, np.float32), *(self.synthesis.push(*self._run(part)) for part in parts)])

    def render(self, log_mels: Floats, seed: int = 0) -> Sound:
        """The sound (frames * hop,) of all log mels, without latency."""
        self.reset(seed)
        after = np.full((-(-self.latency // self.hop), self.format.mels), SILENCE, np.float32)
        return self.push(np.concatenate([log_mels, after]))[self.latency :][: len(log_mels) * self.hop]

    def _run(self, log_mels: Floats) -> tuple[Floats, Floats]:
        """The parts of spectra (see `Synthesis.push`), and the distances of partials above the bins (frames, tonal)."""
        count = len(log_mels)
        if count == 1:  # a product with one row is summed in another way than with several: double it
            log_mels = np.repeat(log_mels, 2, 0)
        places, offsets, lobes = self._peaks.find(log_mels)
        fed = {"mels": log_mels[None], "places": places[None], "lobes": lobes[None]}
        parts, *after = self.session.run(fed | self._states)
        found = {pair.input: state for pair, state in zip(self._pairs, after, strict=True)}
        if count == 1:  # states are the last frames of each layer's input
            found = {n: np.concatenate([self._states[n][..., 1:], s[..., -2:-1]], -1) for n, s in found.items()}
        self._states = found
        return parts[0, :count], offsets[:count]


class Synthesis:
    """Turns the outputs of the graph into samples; see the module."""

    def __init__(self, format: MelFormat, tonal: int) -> None:
        """tonal: bins with a continued phase. ValueError if the format has fewer."""
        if not 1 < tonal <= format.bins:
            raise ValueError(f"{tonal} tonal bins of {format.bins}")
        self.format, self.tonal = format, tonal
        self._istft = StreamingIstft(format.fft, format.hop)
        self.latency = self._istft.latency
        # Phases are counted from the middle of the window, where those of one partial's bins are equal.
        self._middle = np.where(np.arange(format.bins) % 2, -1, 1).astype(np.float32)
        self._bins = np.arange(tonal, dtype=np.float32)
        self._noise = noise_spectra(format.fft, format.hop)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Start again. seed: of the noise."""
        self._at = int(np.random.default_rng(seed).integers(NOISE_FRAMES))  # the next frame of noise
        self._cycles = np.zeros(self.tonal, np.float32)
        self._istft.reset()

    def push(self, parts: Floats, offsets: Floats) -> Sound:
        """The next samples (frames * hop,).

        parts: (frames, 2 bins + 2 tonal), magnitudes, noise, and real and imaginary parts of the continued phase;
        offsets: (frames, tonal), the distance of the partial above each bin, in bins.
        """
        return self._istft.push(self.spectra(parts, offsets) * self._middle)

    def spectra(self, parts: Floats, offsets: Floats) -> Spectra:
        """The spectra (frames, bins), phases counted from the middle of the window."""
        bins, tonal = self.format.bins, self.tonal
        magnitudes, noise = parts[:, :bins], parts[:, bins : 2 * bins]
        real, imaginary = parts[:, 2 * bins : -tonal], parts[:, -tonal:]
        cycles = np.arctan2(imaginary, real) * np.float32(0.5 / np.pi)
        cycles += np.float32(self.format.hop / self.format.fft) * (self._bins + offsets)
        running = self._cycles
        for row, source in zip(cycles, self.sources(offsets), strict=True):
            row += running[source]
            row -= np.rint(row)
            running = row
        self._cycles = running.copy()
        out = self._noise[(self._at + np.arange(len(parts))) % NOISE_FRAMES] * noise
        self._at += len(parts)
        strength = np.sqrt(real * real + imaginary * imaginary)
        cycles *= np.float32(2 * np.pi)
        out.real[:, :tonal] += strength * np.cos(cycles)
        out.imag[:, :tonal] += strength * np.sin(cycles)
        out *= magnitudes / np.maximum(np.abs(out), np.float32(MIN_STRENGTH))
        return out

    def sources(self, offsets: Floats) -> NDArray[np.int64]:
        """The bins (..., tonal) nearest to the partials at these distances above the bins (..., tonal)."""
        nearest = np.rint(self._bins + offsets).astype(np.int64)
        return np.asarray(np.minimum(np.maximum(nearest, 0), self.tonal - 1), np.int64)


@functools.cache
def noise_spectra(fft: int, hop: int) -> Spectra:
    """Spectra (NOISE_FRAMES, fft // 2 + 1) of periodic white noise, of power one in every bin, phases counted from the
    middle of the window."""
    once = np.random.default_rng(7).standard_normal(NOISE_FRAMES * hop, np.float32)
    whole = np.roll(round_spectra(once, fft, hop), -(fft // 2 // hop), 0)  # the first window begins with the noise
    return np.asarray(whole / np.sqrt(np.sum(hann(fft) ** 2)), np.complex64)
