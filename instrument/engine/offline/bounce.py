"""Writes a rendering to a MIDI or sound file, without devices and faster than real time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from instrument.engine.midi.scheduler import Agenda, strikes
from instrument.engine.offline.midi_file import Timed, divided, write_notes
from instrument.engine.offline.render import Rendering
from instrument.engine.performance.performance import Played
from instrument.engine.performance.sound_seats import scenes
from instrument.engine.sound.mixer import BLOCK, Mixer
from instrument.engine.sound.sound_players import SoundPlayers
from instrument.engine.sound.wavfile import WavFile
from instrument.engine.voices.live_channels import LiveChannels
from instrument.engine.voices.opening import open_voice
from instrument.errors import HocketError
from instrument.models.sound.base import VoiceModel

FORMATS = (".mid", ".wav")
RATE = 48_000
FADE_S = 0.020  # fade-out at the end of a sound file
SILENT_PEAK = 1e-4


def check_out(path: Path | str) -> Path:
    """The path as `Path`. HocketError unless it is a .mid or .wav file in an existing folder."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in FORMATS:
        raise HocketError(f"cannot render to {str(path)!r}: give a file that ends in {' or '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise HocketError(f"cannot render to {str(path)!r}: the folder {path.parent} does not exist; make it first")
    return path


def bounce(rendering: Rendering, path: Path | str) -> bool:
    """Write a rendering to a .mid or .wav file of the same length; returns whether anything is to be heard in it.
    HocketError as `check_out`, and if the file cannot be written."""
    path = check_out(path)
    if path.suffix.lower() == ".mid":
        write_notes(rendering.played, rendering.take, rendering.metres, rendering.end, path, plan=rendering.plan)
        return bool(rendering.played)
    return _write_wav(rendering, path) >= SILENT_PEAK


def _write_wav(rendering: Rendering, path: Path) -> float:
    """Returns the peak."""
    peak = 0.0
    voice = open_voice(RATE)
    band, keyboard = _divided(rendering)
    keys = open_voice(RATE) if keyboard else None
    file = WavFile(path, RATE)
    try:
        mixer = Mixer(RATE, voice, keys=keys)
        playback = _Playback(rendering, mixer, band, keyboard)
        left = round(rendering.seconds * RATE)
        while left > 0:
            playback.post_next()
            block = mixer.render(min(BLOCK, left))
            left -= len(block)
            fade = np.arange(left + len(block), left, -1) / (FADE_S * RATE)
            frames = block * np.minimum(fade, 1.0).astype(np.float32)[:, None]
            peak = max(peak, float(np.abs(frames).max(initial=0.0)))
            file.write(frames)
    finally:
        file.close()
        for each in filter(None, (voice, keys)):
            each.close()
    return peak


class _Playback:
    """Posts the scenes and the notes of a rendering to a mixer block by block, as the mix thread does live."""

    def __init__(self, rendering: Rendering, mixer: Mixer, band: Sequence[Played], keyboard: Iterable[Timed]) -> None:
        """band, keyboard: as `_divided` gives them."""
        self._tempo, self._mixer, self._end = rendering.tempo, mixer, rendering.end
        self._players = SoundPlayers(mixer, lambda frame: self._tempo.tick(frame / mixer.rate * 1e9), live=False)
        self._players.chords.add_notes(note for _, note in band)
        self._scenes = deque(scenes(rendering.take, rendering.sound_models))
        self._agenda = Agenda()
        self._agenda.add(strikes(band))
        self._keyboard = deque(keyboard)
        self._live = LiveChannels()

    def post_next(self) -> None:
        """Post all that takes effect in the next block."""
        due = self._mixer.reach(BLOCK)
        first = self._mixer.horizon == 0
        while self._scenes and self._frame(self._scenes[0][0]) < due:
            tick, scene = self._scenes.popleft()
            for event in self._players.arrange(scene, tick):
                self._mixer.post(self._frame(tick), event)
        if first:
            self._players.begin(0)
        until = self._tempo.tick(due / self._mixer.rate * 1e9)
        for tick, message in self._agenda.take(min(until, self._end)):
            self._mixer.post(self._frame(tick), message)
        while self._keyboard and self._keyboard[0][0] < min(until, self._end):
            tick, message = self._keyboard.popleft()
            for each in self._live.take(message):
                self._mixer.post(self._frame(tick), each)

    def _frame(self, tick: float) -> int:
        return round(self._tempo.ns(tick) / 1e9 * self._mixer.rate)


def _divided(rendering: Rendering) -> tuple[list[Played], list[Timed]]:
    """The notes of the band, and what a person played.

    Takes of version 2 have live notes but no messages. There the band's voice plays them, as it did, unless a sound
    player may play the keyboard.
    """
    keyboard = rendering.take.keyboard
    models = (*rendering.sound_models.first.values(), *rendering.sound_models.joined)
    if not keyboard and not any(isinstance(model, VoiceModel) for model in models):
        return list(rendering.played), []
    band, by_hand = divided(rendering.played, rendering.take)
    agenda = Agenda()
    agenda.add(strikes(by_hand))
    return band, keyboard or agenda.take(float("inf"))
