"""FluidSynth as a library: the voice that is used where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from instrument import fluidsynth_library
from instrument.engine.voices.base import FADE_S
from instrument.engine.voices.gain import Frames, Ramp
from instrument.engine.voices.live_channels import RESET
from instrument.errors import HocketError
from instrument.midi_spec import BEND_CENTRE, CHANNELS, FIRST_MODE_MESSAGE, RESET_CONTROLLERS, SOSTENUTO, SUSTAIN

RATES = range(8000, 96001)  # hertz; at other rates it plays out of tune
_BEND_RANGES = (2, 12, 48, 96)  # semitones: the smallest that has room, as bends have 14 bits
_ATTENUATION = 48  # SoundFont generator initialAttenuation, in centibels


class FluidVoice:
    """FluidSynth, rendered by the calling thread, without a driver or threads of its own."""

    grain = 64  # FluidSynth computes this many frames at a time

    # A moderate reverb; chorus adds width to the samples, which are mono.
    SETTINGS: tuple[tuple[str, float | str], ...] = (
        ("synth.gain", 1.0),
        ("synth.polyphony", 96),
        ("synth.midi-channels", CHANNELS),
        ("synth.midi-bank-select", "gm"),
        ("synth.chorus.active", 1),
        ("synth.chorus.level", 1.2),
        ("synth.reverb.active", 1),
        ("synth.reverb.room-size", 0.45),
        ("synth.reverb.damp", 0.35),
        ("synth.reverb.width", 0.8),
        ("synth.reverb.level", 0.55),
    )

    def __init__(self, rate: int, font: Path) -> None:
        """HocketError if FluidSynth is missing, cannot read the font, or does not know the sample rate."""
        if rate not in RATES:
            raise HocketError(f"FluidSynth plays at {RATES[0]} to {RATES[-1]} Hz, not at {rate}")
        library, calls = fluidsynth_library.load()
        self.name = f"FluidSynth ({font.name})"
        self.rate = rate
        self._settings = library.new_fluid_settings()
        for name, value in (*self.SETTINGS, ("synth.sample-rate", float(rate))):
            _set(library, self._settings, name, value)
        self._library = library
        self._synth = library.new_fluid_synth(self._settings)
        self._write, self._set_gen = calls.write, calls.set_generator
        self._bend_range, self._press = calls.bend_range, calls.pressure
        self._faders = {channel: Ramp() for channel in range(CHANNELS)}
        self._moving: set[int] = set()
        self._chosen: dict[tuple[str, int, int], int] = {}  # programs and controllers, to set them again after a reset
        self._rendered = 0
        if library.fluid_synth_sfload(self._synth, str(font).encode(), 1) < 0:
            self.close()
            raise HocketError(f"{font} is not a sound font that FluidSynth can read: install Hocket again")

    def note_on(self, channel: int, key: int, velocity: int) -> None:
        """As `Voice.note_on`."""
        self._library.fluid_synth_noteon(self._synth, channel, key, velocity)

    def note_off(self, channel: int, key: int) -> None:
        """As `Voice.note_off`."""
        self._library.fluid_synth_noteoff(self._synth, channel, key)

    def program(self, channel: int, number: int) -> None:
        """As `Voice.program`."""
        self._chosen["program", channel, 0] = number
        self._library.fluid_synth_program_change(self._synth, channel, number)

    def control(self, channel: int, number: int, value: int) -> None:
        """As `Voice.control`."""
        if number != SUSTAIN and number < FIRST_MODE_MESSAGE:
            self._chosen["control", channel, number] = value
        elif number == RESET_CONTROLLERS:
            for pedal in (SUSTAIN, SOSTENUTO):  # else it keeps what they hold
                self._library.fluid_synth_cc(self._synth, channel, pedal, 0)
            for reset in RESET:
                self._chosen.pop(("control", channel, reset), None)
        self._library.fluid_synth_cc(self._synth, channel, number, value)

    def bend(self, channel: int, semitones: float) -> None:
        """As `Voice.bend`."""
        span = next(span for span in _BEND_RANGES if abs(semitones) <= span)
        value = min(round(BEND_CENTRE * (1 + semitones / span)), 2 * BEND_CENTRE - 1)
        self._bend_range(self._synth, channel, span)
        self._library.fluid_synth_pitch_bend(self._synth, channel, value)

    def pressure(self, channel: int, value: int) -> None:
        """As `Voice.pressure`."""
        self._press(self._synth, channel, value)

    def fade(self, channel: int, gain: float) -> None:
        """As `Voice.fade`."""
        self._faders[channel].move(gain, round(FADE_S * self.rate / self.grain) * self.grain)
        self._moving.add(channel)

    def all_off(self) -> None:
        """As `Voice.all_off`."""
        self._library.fluid_synth_all_sounds_off(self._synth, -1)
        for _ in range(2):  # it takes effect after the next grain, which still feeds the reverb
            self.render(self.grain)
            self._library.fluid_synth_system_reset(self._synth)
        self.render(self.grain)
        for (kind, channel, number), value in self._chosen.items():
            if kind == "program":
                self.program(channel, value)
            else:
                self.control(channel, number, value)
        for channel, fader in self._faders.items():
            self._attenuate(channel, fader.value)

    def render(self, frames: int) -> Frames:
        """As `Voice.render`."""
        out = np.empty((frames, 2), np.float32)
        done = 0
        while done < frames:
            count = frames - done
            if self._moving:
                into = self._rendered % self.grain
                if into == 0:
                    self._move_faders()
                count = min(count, self.grain - into)
            left = out.ctypes.data + done * out.strides[0]
            self._write(self._synth, count, left, 0, 2, left, 1, 2)
            done += count
            self._rendered += count
        return out

    def close(self) -> None:
        """As `Voice.close`."""
        if self._synth:
            self._library.delete_fluid_synth(self._synth)
            self._library.delete_fluid_settings(self._settings)
        self._synth = self._settings = None

    def _move_faders(self) -> None:
        """Move every fader by one grain; FluidSynth interpolates linearly from grain to grain."""
        for channel in sorted(self._moving):
            fader = self._faders[channel]
            fader.take(self.grain)
            self._attenuate(channel, fader.value)
        self._moving = {channel for channel in self._moving if self._faders[channel].moving}

    def _attenuate(self, channel: int, gain: float) -> None:
        centibels = min(1440.0, -200 * float(np.log10(max(gain, 1e-8))))
        self._set_gen(self._synth, channel, _ATTENUATION, centibels)


def _set(library: Any, settings: int, name: str, value: float | str) -> None:
    if isinstance(value, str):
        library.fluid_settings_setstr(settings, name.encode(), value.encode())
    elif isinstance(value, int):
        library.fluid_settings_setint(settings, name.encode(), value)
    else:
        library.fluid_settings_setnum(settings, name.encode(), value)
