"""Reading sound files: any rate and format that soundfile reads, or the reason why it cannot be read."""

from __future__ import annotations

import io
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
CLIPPED_SHARE, CLIPPED_RUN = 1e-4, 4  # share of samples that are cut, and consecutive ones
CUT_BY, CUT_STEPS = 1e-3, 2.0  # share of the peak, and steps of the samples' grid, that a cut slope would exceed it by
MOST_CHANNELS = 8
SURROUND = np.array([1, 1, 0.7, 0, 0.7, 0.7], np.float32)  # left, right, centre, low, left and right behind
CONSTANT = 0.02  # of the peak: a mean below that is chance
CANCELLED = 0.2  # of the loudest channel: a mix below that is one of opposite channels
MOST_FRAMES = 1 << 40  # a header that says more does not know
MOST_BYTES = 1 << 30  # of a file that is patched in memory
READ_FRAMES = 1 << 14  # at a time: of a block that breaks off nothing is read
LEVEL_RMS = 0.08
PEAK = 0.99


class Header(NamedTuple):
    """The header of a sound file. warning: what is wrong with it, "" for nothing; what there is can be read."""

    rate: int
    frames: int
    warning: str = ""


def header(path: Path) -> Header:
    """What can be read of a file. HocketError with the reason if it is nothing, or holds values that are no numbers."""
    with _opened(path) as file:
        if file.samplerate not in RATES:
            raise HocketError(f"its rate is {file.samplerate} Hz: {RATES[0]} to {RATES[-1]} are read")
        if file.channels > MOST_CHANNELS:
            raise HocketError(f"it has {file.channels} channels: up to {MOST_CHANNELS} are read")
        said, frames = file.frames, file.frames
        if file.subtype in ("FLOAT", "DOUBLE") or not _reaches(file, said):
            frames = _count(path)
        patched = isinstance(file.name, io.BytesIO)
        rate = file.samplerate
    if frames <= 0:
        raise HocketError("it holds no sound")
    if patched or said > MOST_FRAMES:
        return Header(rate, frames, "its header gives no length: it is read to its end")
    if frames < said:
        return Header(rate, frames, f"it ends after {frames / rate:.1f} of {said / rate:.1f} s: it is read to its end")
    return Header(rate, frames)


def decode(path: Path, rate: int, start: float = 0.0, seconds: float | None = None) -> NDArray[np.float32]:
    """Mono samples (frames,) at a rate and without a constant part, of the whole file or a number of seconds from
    `start` on. HocketError with the reason if it cannot be read."""
    frames = header(path).frames if seconds is None else 0
    with _opened(path) as file:
        own = file.samplerate
        first = round(start * own)
        count = frames - first if seconds is None else round(seconds * own)
        margin = round(MARGIN_S * own)
        step = own // math.gcd(own, rate)  # where samples of both rates coincide
        before = first - max(0, (first - margin) // step * step)
        file.seek(first - before)
        samples = _read(file, before + count + margin)
    if len(samples) - before < count // 2:
        raise HocketError("it is damaged: it is shorter than its header says")
    if not np.isfinite(samples).all():
        raise HocketError("it holds values that are no numbers")
    check_clipping(samples)
    sound = mono(samples)
    if own != rate:
        sound = soxr.resample(sound, own, rate, "HQ")
    skipped = round(before * rate / own)
    return np.ascontiguousarray(sound[skipped : skipped + round(count * rate / own)], np.float32)


def mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """One channel (frames,) of samples (frames, channels), without the constant part of each: their mean, of 5.1 the
    usual mix, and of channels that cancel each other the louder one."""
    constant = samples.mean(0, dtype=np.float64).astype(np.float32)
    samples = samples - np.where(np.abs(constant) > CONSTANT * np.abs(samples).max(0, initial=0.0), constant, 0)
    weights = SURROUND if samples.shape[1] == len(SURROUND) else np.ones(samples.shape[1], np.float32)
    mixed = samples @ (weights / weights.sum())
    loudness = np.sqrt(np.mean(np.square(samples, dtype=np.float64), 0))
    if np.sqrt(np.mean(np.square(mixed, dtype=np.float64))) < CANCELLED * loudness.max():
        return samples[:, loudness.argmax()]
    return mixed


def check_clipping(samples: NDArray[np.float32]) -> None:
    """HocketError if (frames, channels) as they were recorded clip often. Clipped is a slope that is cut: it would have
    gone on beyond several equal samples at the extreme. A square wave has no such slope, the top of a low sine hardly
    any, coarse samples a step or two."""
    cut = sum(_cut(side * channel) for channel in samples.T for side in (1, -1))
    if cut > CLIPPED_SHARE * len(samples):
        raise HocketError("it is clipped")


def _cut(x: NDArray[np.float32]) -> int:
    """The number of samples of a channel that are cut at its highest value."""
    peak = float(x.max(initial=0.0))
    top = x >= peak
    if peak <= 0 or len(x) < 2 * CLIPPED_RUN or not (top[:-1] & top[1:]).any():
        return 0
    edges = np.flatnonzero(np.diff(np.r_[False, top, False].astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    kept = (ends - starts >= CLIPPED_RUN) & (starts >= 2) & (ends + 1 < len(x))
    starts, ends = starts[kept], ends[kept]
    step = float(np.diff(np.unique(x)).min(initial=peak))  # of 8 bits 1/128, of floats next to nothing
    beyond = CUT_BY * peak + CUT_STEPS * step
    rising = 2 * x[starts - 1] - x[starts - 2] - peak > beyond
    falling = 2 * x[ends] - x[ends + 1] - peak > beyond
    return int((ends - starts)[rising | falling].sum())


def _opened(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        raise HocketError("there is no such file")
    try:
        file = soundfile.SoundFile(str(path))
        if file.frames == 0 and path.suffix.lower() == ".wav" and (whole := _with_length(path)):
            file.close()
            file = soundfile.SoundFile(whole)
        return file
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError) as error:
        raise HocketError(f"it is not readable as sound ({_brief(error)})") from error


def _with_length(path: Path) -> io.BytesIO | None:
    """A .wav file whose header says that it holds nothing, with the length of what follows; None if nothing does."""
    data = bytearray(path.read_bytes()) if path.stat().st_size < MOST_BYTES else bytearray()
    at = data.find(b"data")
    left = len(data) - at - 8
    if at < 0 or left <= 0:
        return None
    data[at + 4 : at + 8] = left.to_bytes(4, "little")
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    return io.BytesIO(bytes(data))


def _read(file: soundfile.SoundFile, count: int) -> NDArray[np.float32]:
    """Up to `count` frames (frames, channels) from where it is; fewer from a file that breaks off."""
    parts, left = [np.zeros((0, file.channels), np.float32)], count
    while left > 0:
        try:
            parts.append(file.read(min(left, READ_FRAMES), dtype="float32", always_2d=True))
        except (soundfile.SoundFileError, OSError, ValueError, RuntimeError):
            break  # what was read before is good
        if not len(parts[-1]):
            break
        left -= len(parts[-1])
    return np.concatenate(parts)


def _reaches(file: soundfile.SoundFile, frames: int) -> bool:
    """Whether its last frame is there."""
    if not 0 < frames <= MOST_FRAMES:
        return False
    try:
        file.seek(frames - 1)
        return len(file.read(1)) == 1
    except (soundfile.SoundFileError, OSError, ValueError, RuntimeError):
        return False


def _count(path: Path) -> int:
    """The frames that can be read. HocketError for values that are no numbers."""
    count = 0
    with _opened(path) as file:  # opened anew, as one that could not be read is not sought in
        while len(block := _read(file, READ_FRAMES)):
            if not np.isfinite(block).all():
                raise HocketError("it holds values that are no numbers")
            count += len(block)
    return count


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
