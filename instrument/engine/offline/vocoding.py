"""A sound file through a vocoder: to its log mels, and back to sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

from instrument.engine.offline.bounce import SILENT_PEAK
from instrument.engine.sound.wavfile import WavFile
from instrument.errors import HocketError
from instrument.models.catalog import open_model
from instrument.models.sound.spectral import Sound, log_mel
from instrument.models.sound.vocoder import Vocoder

MAX_SECONDS = 3600.0


def pass_through(slug: str, source: Path, out: Path) -> float:
    """Write what the vocoder of that slug makes of the mels of a sound file to a .wav file; returns its seconds.
    HocketError if it is no vocoder, the file cannot be read, or the result is silent."""
    if not slug:
        raise HocketError("--input needs a vocoder: give --model SLUG")
    bundle = open_model(slug)
    if bundle.manifest.family != "vocoder":
        raise HocketError(f"model {slug!r} is a {bundle.manifest.family}, no vocoder: leave out --input")
    if out.suffix.lower() != ".wav":
        raise HocketError(f"a vocoder makes sound: give --out FILE.wav, not {str(out)!r}")
    vocoder = Vocoder(bundle)
    made = vocoder.render(log_mel(_mono(source, vocoder.rate), vocoder.format))
    file = WavFile(out, vocoder.rate)
    try:
        file.write(np.repeat(made[:, None], 2, 1))
    finally:
        file.close()
    if float(np.abs(made).max(initial=0.0)) < SILENT_PEAK:
        raise HocketError(f"{out} is silent: is {source}?")
    return len(made) / vocoder.rate


def _mono(path: Path, rate: int) -> Sound:
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > MAX_SECONDS * file.samplerate:
                raise HocketError(f"{path} lasts longer than {MAX_SECONDS:g} s: cut it")
            sound = file.read(dtype="float32", always_2d=True).mean(1)
            return np.asarray(soxr.resample(sound, file.samplerate, rate), np.float32)
    except (OSError, soundfile.SoundFileError) as error:
        raise HocketError(f"{path} cannot be read as sound: {error}") from error
