"""The table of the band, read and heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from instrument.engine.voices.base import Voice, perform
from instrument.engine.voices.opening import FluidVoice, PlainVoice
from instrument.engine.voices.programs import band_messages, band_programs, part_messages, read_band
from instrument.errors import HocketError
from instrument.midi_spec import REVERB
from instrument.music.midifile import CHANNELS
from instrument.paths import assets_dir
from tests.support.sound.analysis import level_db

RATE = 24000
GENRES = {
    "chorale", "classical", "electronic", "folk", "funk", "game", "jazz", "latin", "pop", "ragtime_blues", "rock",
    "none",
}  # fmt: skip
PARTS = {part.name.lower(): channel for part, channel in CHANNELS.items()}
# What each part plays to be compared: (keys at once, velocity), half a second each; levels that are meant, in
# decibels under the melody, weighted by ear.
PHRASES = {
    "melody": [((67,), 84), ((72,), 84), ((76,), 84), ((64,), 84)],
    "chords": [((55, 60, 64), 72), ((57, 60, 65), 72), ((55, 59, 62), 72), ((55, 60, 64), 72)],
    "bass": [((36,), 84), ((43,), 84), ((41,), 84), ((31,), 84)],
    "other": [((55, 60, 64), 72), ((57, 60, 65), 72), ((55, 59, 62), 72), ((55, 60, 64), 72)],
    "drums": [((36, 42), 95), ((38, 42), 95), ((36, 42), 95), ((38, 46), 95)],
}
MEANT = {"melody": 0, "chords": -2.5, "bass": -1, "other": -6, "drums": 1}
TOLERANCE_DB = 6


def weighted_db(sound: np.ndarray) -> float:
    """Level with the lows taken back, roughly as the ear does."""
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    shelf = 10 ** (4 / 20 / (1 + (1500 / np.maximum(hertz, 1)) ** 2)) * hertz**2 / (hertz**2 + 38**2)
    return level_db(np.fft.irfft(np.fft.rfft(sound, axis=0) * shelf[:, None], axis=0))


def heard(voice: Voice, part: str, messages: list[bytes]) -> float:
    channel = PARTS[part]
    for message in (*messages, bytes((0xB0 | channel, REVERB, 0))):
        perform(voice, message)
    pieces = []
    for keys, velocity in PHRASES[part]:
        for key in keys:
            voice.note_on(channel, key, velocity)
        pieces.append(voice.render(RATE // 2))
        for key in keys:
            voice.note_off(channel, key)
    voice.all_off()
    return weighted_db(np.concatenate(pieces))


def test_every_genre_is_there() -> None:
    assert set(read_band(assets_dir() / "band.toml")) == GENRES


def test_a_genre_that_is_not_there_has_the_band_of_none() -> None:
    assert band_programs("polka") == band_programs("none")
    assert band_programs("jazz") != band_programs("none")


def test_messages() -> None:
    messages = band_messages("jazz")
    assert len(messages) == 4 * len(PARTS)
    for part, channel in PARTS.items():
        part_program = getattr(band_programs("jazz"), part)
        own = [message for message in messages if message[0] & 0xF == channel]
        assert own == part_messages(channel, part_program)
        assert own[0] == bytes((0xC0 | channel, part_program.program))
        assert all(0 <= value < 128 for message in own for value in message[1:])


@pytest.mark.parametrize("kind", ["fluid", "plain"])
def test_every_seat_sounds_and_the_parts_are_in_balance(kind: str) -> None:
    voice: Voice
    voice = FluidVoice(RATE, assets_dir() / "soundfont" / "hocket.sf3") if kind == "fluid" else PlainVoice(RATE)
    known: dict[tuple[bytes, ...], float] = {}
    odd = {}
    for genre in GENRES:
        for part, channel in PARTS.items():
            messages = part_messages(channel, getattr(band_programs(genre), part))
            place = (part.encode(), *messages)
            if place not in known:
                known[place] = heard(voice, part, messages)
            odd[genre, part] = known[place] - MEANT[part]
    voice.close()
    usual = float(np.median(list(odd.values())))
    assert usual > -40
    far = {place: round(level - usual, 1) for place, level in odd.items() if abs(level - usual) > TOLERANCE_DB}
    assert not far, far


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", '"none" is missing'),
        ("none = 3", "Expected `object`"),
        ("[none]\nmelody = {program = 128}", "<= 127"),
        ("[none]\nmelody = {program = 1, loud = 2}", "unknown field"),
        ("[none]\nmelody = {program = 1}", "missing required field"),
        ("[none", "no table of a band"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "band.toml"
    path.write_text(text)
    with pytest.raises(HocketError, match=complaint) as caught:
        read_band(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HocketError, match="cannot read the band"):
        read_band(tmp_path / "band.toml")
