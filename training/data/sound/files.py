"""Reading sound files: any rate and format that soundfile reads, or the reason why it cannot be read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from instrument.errors import HocketError

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64", ".rf64")
RATES = range(8000, 192001)
MARGIN_S = 0.05  # read on both sides of a window, so that resampling does not begin within it
SILENT_PEAK = 1e-3
PAUSE_DB = -40  # below the mean level of a window
CLIPPED_SHARE, CLIPPED_RUN = 1e-4, 4  # share of samples at the peak, and consecutive ones
LEVEL_RMS = 0.08
PEAK = 0.99


class Header(NamedTuple):
    """The header of a sound file."""

    rate: int
    frames: int


def header(path: Path) -> Header:
    """HocketError with the reason if the file is not one to read."""
    if not path.is_file():
        raise HocketError("there is no such file")
    try:
        info = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
        raise HocketError(f"it is not readable as sound ({_brief(error)})") from error
    if info.samplerate not in RATES:
        raise HocketError(f"its rate is {info.samplerate} Hz: {RATES[0]} to {RATES[-1]} are read")
    if info.channels > 2:
        raise HocketError(f"it has {info.channels} channels: one or two are read")
    if info.frames <= 0:
        raise HocketError("it holds no sound")
    return Header(info.samplerate, info.frames)


def decode(path: Path, rate: int, start: float = 0.0, seconds: float | None = None) -> NDArray[np.float32]:
    """Mono samples (frames,) at a rate, of the whole file or a number of seconds from `start` on. HocketError
    with the reason if it cannot be read."""
    source = header(path)
    first = round(start * source.rate)
    count = source.frames - first if seconds is None else round(seconds * source.rate)
    margin = round(MARGIN_S * source.rate)
    step = source.rate // math.gcd(source.rate, rate)  # where samples of both rates coincide
    before = first - max(0, (first - margin) // step * step)
    try:
        with soundfile.SoundFile(str(path)) as file:
            file.seek(first - before)
            samples = file.read(before + count + margin, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
        raise HocketError(f"it is not readable as sound ({_brief(error)})") from error
    if len(samples) - before < count // 2:
        raise HocketError("it is damaged: it is shorter than its header says")
    if not np.isfinite(samples).all():
        raise HocketError("it holds values that are no numbers")
    check_clipping(samples)
    sound = samples.mean(1)
    if source.rate != rate:
        sound = soxr.resample(sound, source.rate, rate, "HQ")
    skipped = round(before * rate / source.rate)
    return np.ascontiguousarray(sound[skipped : skipped + round(count * rate / source.rate)], np.float32)


def check_clipping(samples: NDArray[np.float32]) -> None:
    """HocketError if (frames, channels) as they were recorded clip often: several consecutive samples at the peak."""
    peak = float(np.abs(samples).max(initial=0.0))
    runs = at_peak = (np.abs(samples) >= 0.999 * peak).any(1)
    for shift in range(1, CLIPPED_RUN):
        runs = runs[:-1] & at_peak[shift:]
    if peak >= 0.5 and runs.sum() > CLIPPED_SHARE * len(samples):
        raise HocketError("it is clipped")


def check_silence(sound: NDArray[np.float32]) -> None:
    """HocketError if the sound is silent."""
    if float(np.abs(sound).max(initial=0.0)) < SILENT_PEAK:
        raise HocketError("it is silent")


def levelled(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """A window of music brought to the common level; HocketError if it is silent, all of it or more than half."""
    check_silence(sound)
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    block = rate // 10
    blocks = sound[: len(sound) // block * block].reshape(-1, block)
    pauses = np.sqrt(np.mean(np.square(blocks, dtype=np.float64), 1)) < rms * 10 ** (PAUSE_DB / 20)
    if pauses.mean() > 0.5:
        raise HocketError("it is silent for more than half")
    return sound * np.float32(min(LEVEL_RMS / rms, PEAK / float(np.abs(sound).max())))


def _brief(error: Exception) -> str:
    return str(error).rsplit(": ", 1)[-1].rstrip(".")
