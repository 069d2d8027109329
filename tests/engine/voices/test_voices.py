"""Both voices, heard."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from instrument.engine.voices.opening import FluidVoice, Voice, open_voice, perform
from instrument.engine.voices.plain import POLYPHONY, PlainVoice
from instrument.midi_spec import (
    DRUM_CHANNEL,
    EXPRESSION,
    NOTES_OFF,
    PAN,
    RESET_CONTROLLERS,
    REVERB,
    SOUND_OFF,
    SUSTAIN,
    VOLUME,
)
from tests.support.sound.analysis import SILENT, cents_off, level_db, onset, peak_db, roughness

RATE = 48000
FONT = Path(__file__).resolve().parents[3] / "assets" / "soundfont" / "hocket.sf3"


@pytest.fixture(scope="module")
def fluid() -> Iterator[FluidVoice]:
    voice = FluidVoice(RATE, FONT)
    yield voice
    voice.close()


@pytest.fixture(params=["fluid", "plain"])
def voice(request: pytest.FixtureRequest) -> Voice:
    """Each voice, silent, dry, all at the middle."""
    chosen = request.getfixturevalue("fluid") if request.param == "fluid" else PlainVoice(RATE)
    for channel in range(16):
        chosen.program(channel, 0)
        chosen.bend(channel, 0)
        chosen.fade(channel, 1.0)
        for number, value in ((VOLUME, 100), (PAN, 64), (REVERB, 0), (SUSTAIN, 0)):
            chosen.control(channel, number, value)
    chosen.render(4096)
    chosen.all_off()
    return chosen


def note(voice: Voice, key: int, velocity: int = 90, channel: int = 0, seconds: float = 0.7) -> np.ndarray:
    voice.note_on(channel, key, velocity)
    sound = voice.render(int(seconds * RATE))
    voice.note_off(channel, key)
    voice.all_off()
    return sound


@pytest.mark.parametrize("program", [0, 4, 16, 33, 48, 56, 73, 80])
def test_pitch(voice: Voice, program: int) -> None:
    voice.program(0, program)
    for key in range(36, 91, 9):
        assert abs(cents_off(note(voice, key)[4800:], RATE, key)) <= 20, key


def test_bends_are_exact(voice: Voice) -> None:
    voice.program(0, 80)
    for semitones, key in ((2.0, 62), (-2.0, 58), (1.0, 61), (7.0, 67), (-12.0, 48)):
        voice.bend(0, semitones)
        assert abs(cents_off(note(voice, 60)[4800:], RATE, key)) <= 20


def test_bend_reaches_sounding_notes(voice: Voice) -> None:
    voice.program(0, 80)
    voice.note_on(0, 60, 90)
    voice.render(4096)
    voice.bend(0, 2.0)
    assert abs(cents_off(voice.render(RATE // 2)[4800:], RATE, 62)) <= 20


def test_velocity_and_volume(voice: Voice) -> None:
    loud, soft = level_db(note(voice, 60, 110)), level_db(note(voice, 60, 40))
    assert 6 < loud - soft < 30
    voice.control(0, VOLUME, 50)
    voice.render(4096)
    assert loud - level_db(note(voice, 60, 110)) == pytest.approx(12.04, abs=1)


def test_pan(voice: Voice) -> None:
    for value, side in ((0, 0), (127, 1)):
        voice.control(0, PAN, value)
        voice.render(4096)
        sound = note(voice, 60)
        assert level_db(sound[:, side]) > level_db(sound[:, 1 - side]) + 25
    voice.control(0, PAN, 64)
    voice.render(4096)
    sound = note(voice, 60)
    assert level_db(sound[:, 0]) == pytest.approx(level_db(sound[:, 1]), abs=0.5)


def test_sustain_pedal(voice: Voice) -> None:
    voice.program(0, 16)
    voice.control(0, SUSTAIN, 127)
    voice.note_on(0, 60, 90)
    voice.render(RATE // 4)
    voice.note_off(0, 60)
    voice.render(RATE)
    assert level_db(voice.render(4800)) > -60
    voice.control(0, SUSTAIN, 0)
    voice.render(2 * RATE)
    assert peak_db(voice.render(4800)) < SILENT


def test_all_notes_off_is_soft_and_the_pedal_holds(voice: Voice) -> None:
    """Some keyboards send it at each last key-up: it is a release, and the pedal holds what it holds."""
    voice.program(0, 16)
    voice.control(0, SUSTAIN, 127)
    for key in (60, 64):
        voice.note_on(0, key, 90)
    voice.render(RATE // 4)
    voice.control(0, NOTES_OFF, 0)
    voice.render(RATE)
    assert level_db(voice.render(4800)) > -60
    voice.control(0, RESET_CONTROLLERS, 0)  # the pedal is up
    assert peak_db(voice.render(480)) > -60, "a release, not a cut"
    voice.render(2 * RATE)
    assert peak_db(voice.render(4800)) < SILENT
    for key in (60, 64):
        voice.note_on(0, key, 90)
    voice.render(RATE // 4)
    voice.control(0, SOUND_OFF, 0)
    voice.render(RATE // 50)
    assert peak_db(voice.render(4800)) < -30, "at once, but for the reverberation"


def test_reset_centres_the_bend_and_opens_the_expression(voice: Voice) -> None:
    voice.program(0, 80)
    before = level_db(note(voice, 60))
    voice.bend(0, 2.0)
    voice.control(0, EXPRESSION, 40)
    voice.render(4096)
    assert before - level_db(note(voice, 60)) == pytest.approx(20.1, abs=2.5)
    voice.bend(0, 2.0)
    voice.control(0, RESET_CONTROLLERS, 0)
    voice.render(4096)
    sound = note(voice, 60)
    assert abs(cents_off(sound[4800:], RATE, 60)) <= 20
    assert level_db(sound) == pytest.approx(before, abs=0.5)


def test_pressure_is_vibrato(fluid: FluidVoice) -> None:
    fluid.all_off()
    fluid.program(0, 80)

    def wobble(value: int) -> float:
        fluid.pressure(0, value)
        sound = note(fluid, 60, seconds=1.5)[RATE // 2 :]
        return float(np.std([cents_off(part, RATE, 60) for part in np.array_split(sound, 40)]))

    assert wobble(127) > wobble(0) + 5
    fluid.control(0, RESET_CONTROLLERS, 0)


def test_every_note_released_leaves_silence(voice: Voice) -> None:
    random = np.random.default_rng(3)
    notes = [(int(random.choice([0, 1, 2, 3, 9])), int(random.integers(24, 100))) for _ in range(64)]
    for channel, number in ((0, 0), (1, 48), (2, 33), (3, 19)):
        voice.program(channel, number)
        voice.control(channel, REVERB, 100)
    for channel, key in notes:
        voice.note_on(channel, key, int(random.integers(1, 128)))
        voice.render(int(random.integers(1, 4000)))
    assert level_db(voice.render(4800)) > -60
    for channel, key in notes:
        voice.note_off(channel, key)
    voice.render(7 * RATE)
    assert peak_db(voice.render(RATE // 4)) < SILENT


def test_all_off_is_at_once_and_keeps_what_was_chosen(voice: Voice) -> None:
    voice.program(0, 73)
    voice.control(0, REVERB, 127)
    before = note(voice, 72)
    for key in range(40, 80, 4):
        voice.note_on(0, key, 120)
    voice.render(RATE // 4)
    voice.all_off()
    assert peak_db(voice.render(RATE // 4)[64:]) < SILENT
    after = note(voice, 72)
    assert level_db(after) == pytest.approx(level_db(before), abs=1)
    assert abs(cents_off(after[4800:], RATE, 72)) <= 20


def test_a_fader_is_silent_itself(voice: Voice) -> None:
    voice.program(0, 19)
    voice.note_on(0, 48, 100)
    steady = voice.render(2 * RATE)
    voice.fade(0, 0.0)
    going = voice.render(1600)
    assert level_db(going[-480:]) < level_db(steady[-9600:]) - 6  # the rest is the room
    voice.render(3 * RATE)  # what rings in the room
    assert peak_db(voice.render(4800)) < SILENT
    voice.fade(0, 1.0)
    coming = voice.render(1600)
    assert level_db(voice.render(9600)) == pytest.approx(level_db(steady[-9600:]), abs=2)
    usual = roughness(steady[-9600:]).max()
    assert roughness(np.concatenate((steady[-100:], going))).max() < 1.5 * usual
    assert roughness(coming).max() < 1.5 * usual


@pytest.mark.parametrize("sizes", [[64], [256], [1, 100, 63, 300]])
def test_the_sound_does_not_depend_on_blocks(sizes: list[int]) -> None:
    def play(voice: Voice, cuts: list[int]) -> np.ndarray:
        voice.program(1, 48)
        voice.note_on(0, 60, 90)
        voice.note_on(1, 55, 90)
        voice.note_on(DRUM_CHANNEL, 49, 90)
        voice.fade(1, 0.3)
        return np.concatenate([voice.render(cut) for cut in cuts])

    count = 6400
    cuts = (sizes * count)[: np.searchsorted(np.cumsum(sizes * count), count)]
    cuts = [*cuts, count - sum(cuts)]
    for make in (lambda: FluidVoice(RATE, FONT), lambda: PlainVoice(RATE)):
        one, other = make(), make()
        assert np.abs(play(one, [count]) - play(other, cuts)).max() < 1e-6
        one.close()
        other.close()


def test_every_program_and_kit_sounds(voice: Voice) -> None:
    for program in range(128):
        voice.program(0, program)
        assert level_db(note(voice, 60, 100, seconds=0.2)) > -75, program
    for kit in (0, 8, 16, 24, 25, 32, 40, 48):
        voice.program(DRUM_CHANNEL, kit)
        for key in range(35, 60):
            assert level_db(note(voice, key, 100, DRUM_CHANNEL, 0.1)) > -70, (kit, key)


def test_no_key_is_silent(fluid: FluidVoice) -> None:
    for program in (0, 24, 33, 40, 56, 65, 73, 80):
        fluid.program(0, program)
        for key in (0, 21, 108, 120):
            assert level_db(note(fluid, key, 100, seconds=0.2)) > -80, (program, key)


def test_onsets(voice: Voice) -> None:
    voice.program(0, 13)
    voice.render((64 - 17) % 64)
    started = onset(note(voice, 72, 127, seconds=0.1))
    assert 0 <= started < 64 + 48  # FluidSynth begins on its 64 frames, a sample a little after its start


def test_the_plain_voice_has_bounded_polyphony() -> None:
    voice = PlainVoice(RATE)
    voice.program(0, 16)
    for i in range(300):
        voice.note_on(i % 8, 30 + i // 8, 100)
        voice.note_off((i - 3) % 8, 30 + (i - 3) // 8)
        voice.render(64)
        assert len(voice._tones) <= 2 * POLYPHONY
    voice.render(RATE // 10)
    assert len(voice._tones) <= POLYPHONY
    for key in range(128):
        voice.note_on(1, key, 100)
        voice.note_on(2, key, 100)
    assert len(voice._tones) <= 2 * POLYPHONY + 1


def test_messages_reach_the_voice() -> None:
    class Recording(PlainVoice):
        def __init__(self) -> None:
            self.calls: list[tuple[object, ...]] = []

        def __getattribute__(self, name: str) -> object:
            if name in {"note_on", "note_off", "program", "control", "bend", "pressure"}:
                return lambda *values: self.calls.append((name, *values))
            return super().__getattribute__(name)

    voice = Recording()
    messages = ("903c64", "903c00", "803c40", "c205", "b90740", "e10040", "e17f7f", "d35a", "f8")
    for message in messages:
        perform(voice, bytes.fromhex(message))
    assert voice.calls == [
        ("note_on", 0, 60, 100), ("note_off", 0, 60), ("note_off", 0, 60), ("program", 2, 5),
        ("control", 9, 7, 64), ("bend", 1, 0.0), ("bend", 1, pytest.approx(2.0, abs=1e-3)), ("pressure", 3, 90),
    ]  # fmt: skip


def test_which_voice_plays_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    voice = open_voice(44100)
    assert voice.name == "FluidSynth (hocket.sf3)"
    voice.close()
    assert capfd.readouterr() == ("", "")
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"RIFF of nothing")
    assert "broken.sf2 is not a sound font" in open_voice(RATE, broken).name
    assert isinstance(open_voice(RATE, tmp_path / "missing.sf2"), PlainVoice)
    assert "not at 192000" in open_voice(192_000).name
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    voice = open_voice(RATE)
    assert isinstance(voice, PlainVoice)
    assert "FluidSynth is missing" in voice.name
