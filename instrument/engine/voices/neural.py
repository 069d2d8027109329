"""A sound model that plays notes, as a voice of the mixer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import numpy as np

from instrument import midi_spec
from instrument.engine.voices.base import FADE_S
from instrument.engine.voices.gain import Frames, Ramp
from instrument.errors import HocketError, one_line
from instrument.midi_spec import (
    CHANNELS,
    EXPRESSION,
    PEDAL_DOWN,
    VOLUME,
)
from instrument.models.sound.base import Tones, checked_sound

logger = logging.getLogger(__name__)

POLYPHONY = 16  # tones at once; a new one replaces the oldest, released ones first
USUAL_VOLUME = 100  # of a MIDI channel that nobody has set

Key = tuple[int, int]  # channel, MIDI pitch


class NeuralVoice:
    """A `Voice` whose notes a sound model plays, on any channels, each with its own sustain pedal and bend.

    Channels from 16 on are the keyboard's, whose volume and expression set the level of the whole voice. Programs, pan,
    and the volume of other channels are those of the built-in voices.
    """

    grain = 1

    def __init__(self, tones: Tones, rate: int, name: str, failed: Callable[[str], None] = lambda why: None) -> None:
        """failed: called once with the reason when the model fails; from then on the voice is silent."""
        self.name = name
        self._tones = tones
        self._rate = rate
        self._failed = failed
        self._silent = False  # the model failed
        self._last = 0  # number of the last tone
        self._keys: dict[int, Key] = {}  # of the tones held by key or pedal, oldest first
        self._pedalled: set[int] = set()  # those of them whose key is up
        self._ringing: list[int] = []  # released, oldest first
        self._down: set[int] = set()  # channels whose pedal is down
        self._bends: dict[int, float] = {}  # by channel, in semitones
        self._swell = {VOLUME: USUAL_VOLUME, EXPRESSION: 127}  # of the keyboard
        self._gain = Ramp()

    def note_on(self, channel: int, key: int, velocity: int) -> None:
        """As `Voice.note_on`. A key that sounds already is struck again."""
        for tone in [tone for tone, held in self._keys.items() if held == (channel, key)]:
            self._release(tone)
        self._make_room()
        self._last += 1
        self._keys[self._last] = (channel, key)
        self._do(lambda: self._tones.strike(self._last, key, velocity))
        if bent := self._bends.get(channel):
            self._do(lambda: self._tones.bend(self._last, bent))

    def note_off(self, channel: int, key: int) -> None:
        """As `Voice.note_off`."""
        for tone in [tone for tone, held in self._keys.items() if held == (channel, key)]:
            self._let_go(tone, channel)

    def program(self, channel: int, number: int) -> None:
        """Ignored: the knobs of the model set its timbre."""

    def control(self, channel: int, number: int, value: int) -> None:
        """As `Voice.control`: the pedal, volume and expression, all notes off, all sound off, reset."""
        match number:
            case midi_spec.SUSTAIN:
                self._set_pedal(channel, value >= PEDAL_DOWN)
            case midi_spec.NOTES_OFF:
                for tone in self._on(channel):
                    self._let_go(tone, channel)
            case midi_spec.SOUND_OFF:
                for tone in self._on(channel):
                    self._cut(tone)
            case midi_spec.RESET_CONTROLLERS:
                self._set_pedal(channel, down=False)
                self.bend(channel, 0.0)
                self._set_level(channel, EXPRESSION, 127)
            case midi_spec.VOLUME | midi_spec.EXPRESSION:
                self._set_level(channel, number, value)

    def bend(self, channel: int, semitones: float) -> None:
        """As `Voice.bend`, for the tones whose key is down or that the pedal holds, and later ones."""
        self._bends[channel] = semitones
        for tone in self._on(channel):
            self._do(lambda tone=tone: self._tones.bend(tone, semitones))  # type: ignore[misc]

    def pressure(self, channel: int, value: int) -> None:
        """Ignored: vibrato is a knob of the model."""

    def turn(self, knobs: Mapping[str, float | str]) -> None:
        """Turn knobs of the model."""
        self._do(lambda: self._tones.turn(knobs))

    def fade(self, channel: int, gain: float) -> None:
        """Ignored: its mixer strip sets the level."""

    def all_off(self) -> None:
        """As `Voice.all_off`."""
        for tone in [*self._keys, *self._ringing]:
            self._cut(tone)
        self._down.clear()
        self._bends.clear()
        self.render(round(FADE_S / 2 * self._rate))  # the fade-out of what was cut is not heard

    def render(self, frames: int) -> Frames:
        """As `Voice.render`."""
        if self._silent:
            return np.zeros((frames, 2), np.float32)
        try:
            sound, sounding = self._tones.render(frames), self._tones.sounding
            checked_sound(sound)
            sound = (sound * self._gain.take(frames)).astype(np.float32, copy=False)
        except Exception as error:  # noqa: BLE001  whatever a model raises ends its own sound only
            self._give_up(error)
            return np.zeros((frames, 2), np.float32)
        self._ringing = [tone for tone in self._ringing if tone in sounding]
        for tone in [tone for tone in self._keys if tone not in sounding]:  # it has decayed while it is held
            self._forget(tone)
        return sound

    def close(self) -> None:
        """As `Voice.close`."""

    def _make_room(self) -> None:
        """Where there are too many tones, cut the oldest of the released ones, else the oldest of all."""
        while len(self._keys) + len(self._ringing) >= POLYPHONY:
            self._cut(self._ringing[0] if self._ringing else next(iter(self._keys)))

    def _on(self, channel: int) -> list[int]:
        """The tones of a channel that a key or the pedal holds, oldest first."""
        return [tone for tone, (of, _) in self._keys.items() if of == channel]

    def _let_go(self, tone: int, channel: int) -> None:
        """The key of a tone is up: the pedal holds it, or it ends."""
        if channel in self._down:
            self._pedalled.add(tone)
        else:
            self._release(tone)

    def _set_pedal(self, channel: int, down: bool) -> None:
        (self._down.add if down else self._down.discard)(channel)
        for tone in [] if down else self._on(channel):
            if tone in self._pedalled:
                self._release(tone)

    def _set_level(self, channel: int, number: int, value: int) -> None:
        if channel >= CHANNELS:
            self._swell[number] = value
            loud = self._swell[VOLUME] * self._swell[EXPRESSION] / (USUAL_VOLUME * 127)
            self._gain.move(loud**2, round(FADE_S * self._rate))

    def _release(self, tone: int) -> None:
        self._forget(tone)
        self._ringing.append(tone)
        self._do(lambda: self._tones.release(tone))

    def _cut(self, tone: int) -> None:
        self._forget(tone)
        self._do(lambda: self._tones.cut(tone))

    def _forget(self, tone: int) -> None:
        self._keys.pop(tone, None)
        self._pedalled.discard(tone)
        if tone in self._ringing:
            self._ringing.remove(tone)

    def _do(self, act: Callable[[], None]) -> None:
        if self._silent:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._silent = True
        why = str(error) if isinstance(error, HocketError) else f"its model failed: {one_line(error)}"
        logger.error("%s is silent", self.name, exc_info=error)  # once, so that the mixer may wait for the log
        self._failed(f"{self.name} is silent: {why}")


class FailedTones:
    """The `Tones` of a model that could not be started: they raise its error."""

    sounding: frozenset[int] = frozenset()

    def __init__(self, error: Exception) -> None:
        self._error = error

    def _fail(self, *_: object) -> None:
        raise self._error

    strike = release = cut = bend = turn = _fail

    def render(self, frames: int) -> Frames:
        """Raises the error."""
        raise self._error
