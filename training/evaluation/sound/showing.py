"""Pictures and sounds of an evaluation: small spectrograms, and short examples."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.sound.spectral import stft

LONGEST_S = 6.0
LARGEST = 130_000  # bytes of an example
RATES = (44100, 32000, 24000, 22050, 16000, 12000, 8000)  # the first that is small enough is taken
PEAK = 0.7
FADE_S = 0.02
TOP_HZ, LOW_HZ, ROWS = 10000.0, 40.0, 160  # of a picture
DEPTH_DB = 70.0

Sound = NDArray[np.float32]


class Shown(NamedTuple):
    """A sound for a picture. samples: mono."""

    title: str
    samples: Sound
    rate: int


def write_example(path: Path, samples: Sound, rate: int) -> int:
    """Write the first seconds of mono samples as a small .flac, normalised; returns its bytes. HocketError if it
    cannot be written."""
    x = samples[: int(LONGEST_S * rate)].astype(np.float32)
    x = x * np.float32(PEAK / max(float(np.abs(x).max(initial=0)), 1e-6))
    fade = min(int(FADE_S * rate), len(x))
    x[len(x) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    data = b""
    for lower in sorted({min(r, rate) for r in RATES}, reverse=True):
        buffer = io.BytesIO()
        soundfile.write(buffer, soxr.resample(x, rate, lower), lower, "PCM_16", format="FLAC")
        data = buffer.getvalue()
        if len(data) <= LARGEST:
            break
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise HocketError(f"{path} cannot be written ({error.strerror or error})") from error
    return len(data)


def spectrograms(path: Path, rows: Sequence[Sequence[Shown]]) -> None:
    """Write a picture of sounds, those of a row side by side: logarithmic frequency, 70 dB deep."""
    from training.evaluation.plots import plt, save_small

    figure, axes = plt.subplots(len(rows), max(map(len, rows)), figsize=(9, 1.7 * len(rows) + 0.3), squeeze=False)
    for line, sounds in zip(axes, rows, strict=True):
        for axis, sound in zip(line, sounds, strict=False):
            seconds = len(sound.samples) / sound.rate
            axis.imshow(
                _picture(sound.samples, sound.rate),
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=-DEPTH_DB,
                vmax=0,
                extent=(0, seconds, 0, ROWS),
                interpolation="nearest",
            )
            marks = [100, 1000, 10000]
            axis.set_yticks([_row(hz) for hz in marks], ["100 Hz", "1 kHz", "10 kHz"])
            axis.set_title(sound.title, fontsize=8, loc="left")
            axis.tick_params(labelsize=6)
        for axis in line[len(sounds) :]:
            axis.set_axis_off()
    figure.tight_layout()
    save_small(figure, path)


def _row(hz: float) -> float:
    return float(np.log(hz / LOW_HZ) / np.log(TOP_HZ / LOW_HZ) * (ROWS - 1))


def _picture(samples: Sound, rate: int, columns: int = 300) -> NDArray[np.floating]:
    """Decibels (ROWS, columns) under the loudest."""
    fft = 2048 if rate <= 24000 else 4096
    power = np.abs(stft(samples, fft, max(64, len(samples) // columns))) ** 2
    hertz = LOW_HZ * (TOP_HZ / LOW_HZ) ** (np.arange(ROWS) / (ROWS - 1))
    picture = np.stack([np.interp(hertz, np.fft.rfftfreq(fft, 1 / rate), frame, right=0) for frame in power], 1)
    return 10 * np.log10(np.maximum(picture / max(float(picture.max()), 1e-12), 1e-9))
