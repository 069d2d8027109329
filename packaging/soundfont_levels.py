"""Measures the loudness of a sound font's presets, as played by FluidSynth."""

from __future__ import annotations

from pathlib import Path

import fluidsynth
import numpy as np
from numpy.typing import NDArray

RATE = 32000
BASSES = {*range(32, 40), 43, 47, 58}
VELOCITY = 84
TUNE = (55, 60, 64, 67, 72, 76, 71, 64)  # half a second each
LINE = (31, 36, 43, 38, 40, 45, 36, 28)
BEAT = ((36, 42), (42,), (38, 42), (42,), (36, 42), (36, 42), (38, 42), (46,))  # a quarter of a second each


def measure_presets(font: Path, presets: list[tuple[int, int]]) -> dict[tuple[int, int], float]:
    """Loudness (LUFS-like, at FluidSynth's usual gain) of every (bank, program) in a short phrase of its register."""
    synth = fluidsynth.Synth(gain=0.2, samplerate=float(RATE))
    synth.setting("synth.reverb.active", 0)
    synth.setting("synth.chorus.active", 0)
    number = synth.sfload(str(font))
    found = {}
    for bank, program in presets:
        channel = 9 if bank == 128 else 0
        synth.program_select(channel, number, bank, program)
        steps = BEAT if bank == 128 else [(key,) for key in (LINE if program in BASSES else TUNE)]
        found[bank, program] = loudness(play(synth, channel, steps, RATE // (4 if bank == 128 else 2)))
    synth.delete()
    return found


def play(synth: fluidsynth.Synth, channel: int, steps: list[tuple[int, ...]], frames: int) -> NDArray[np.float64]:
    """The sound, (n, 2) in -1..1, of chords played one after another, each for `frames` frames."""
    pieces = []
    for keys in steps:
        for key in keys:
            synth.noteon(channel, key, VELOCITY)
        pieces.append(synth.get_samples(frames))
        for key in keys:
            synth.noteoff(channel, key)
    synth.all_sounds_off(channel)
    synth.get_samples(RATE)
    return np.concatenate(pieces).reshape(-1, 2) / 32768


def loudness(sound: NDArray[np.float64]) -> float:
    """Level of sound (n, 2) in LUFS, approximately: the frequency weighting of ITU-R BS.1770, without gating."""
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    low = (hertz / 38) ** 2 / (1 + (hertz / 38) ** 2)
    shelf = 10 ** (4 / 20 / (1 + (1500 / np.maximum(hertz, 1)) ** 2))
    weighted = np.abs(np.fft.rfft(sound, axis=0)) * (low * shelf)[:, None]
    power = 2 * np.sum(weighted**2) / len(sound) ** 2
    return -0.7 + 10 * float(np.log10(power + 1e-12))
