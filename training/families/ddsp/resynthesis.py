"""What partials and noise keep of a real note: it is analysed and synthesised again, without a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instrument.models.sound.additive import (
    FRAME_RATE,
    PARTIALS,
    amplitudes,
    audible,
    frequency,
    noise_frames,
    oscillate,
    phasors,
    ratios,
)
from training.data.sound.partials import analyse

Sound = NDArray[np.float32]


def round_trip(samples: Sound, pitch: int, rate: int) -> Sound:
    """A note (n,) as partials and noise, those of `ddsp`, in frames of the analysis. rate: a multiple of `FRAME_RATE`
    (16000)."""
    frames = analyse(samples, rate, pitch)
    hop, count = rate // FRAME_RATE, len(frames.cents)
    hertz = frequency(pitch + frames.cents.astype(float) / 100)[:, None] * ratios(frames.tuning[None])
    cycles = hertz / rate
    loud = amplitudes(frames.levels[:, :PARTIALS]) * audible(hertz.astype(np.float32), rate)
    turned = np.concatenate([np.zeros((1, hertz.shape[1])), np.cumsum((cycles[1:] + cycles[:-1]) * (hop / 2), 0)])
    phase = phasors(turned[:-1]) * np.complex64(-1j)
    out = np.zeros((count + 1) * hop, np.float32)
    out[: (count - 1) * hop] = oscillate(
        loud[:-1] * phase, loud[1:] * phase, cycles[:-1].astype(np.float32), cycles[1:].astype(np.float32), hop
    ).reshape(-1)
    angles = np.random.default_rng(0).random((count, hop + 1))
    for i, noise in enumerate(noise_frames(frames.levels[:, PARTIALS:], phasors(angles), rate)):
        start = (i - 1) * hop  # frames are centred on their time
        out[max(0, start) : start + 2 * hop] += noise[max(0, -start) :]
    return np.pad(out, (0, max(0, len(samples) - len(out))))[: len(samples)]
