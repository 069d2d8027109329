"""What a person played is rendered as it was heard: with pedal, bends and level, channel by channel."""

import numpy as np
import pytest
import soundfile

from instrument.engine.offline.bounce import RATE, bounce
from instrument.engine.offline.render import Options, Rendering, differences, render
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Keyboard, TakeRecorder, load_take
from instrument.midi_spec import EXPRESSION, NOTES_OFF, SUSTAIN, bend, control, note_off, note_on
from instrument.music.notes import Note, Part
from tests.support.players import open_scale
from tests.support.sound.analysis import cents_off, level_db

BEAT = 24  # ticks, half a second


def recorded(tmp_path, messages, players=(), level=0.0, end=8 * BEAT) -> Rendering:
    """A take in which a person played these (tick, message), saved, read and rendered."""
    performance = Performance(Patch(knobs={"keys_level": level}, players=players), open_scale)
    if players:
        while performance.extend(end):
            pass
        performance.advance(end)
        performance.listen([LiveNote(0, Note(0, 0, 30, 24, 100, Part.MELODY))])
        performance.release(0, 30, BEAT)
    performance.take.entries += [Keyboard(float(tick), tuple(message)) for tick, message in messages]
    performance.stop(end)
    path = tmp_path / "played.take.json"
    TakeRecorder(path, performance.take).close()
    assert load_take(path).keyboard == [(float(tick), message) for tick, message in messages]
    return render(Options(take=str(path)), open_scale)


def heard(rendering: Rendering, tmp_path) -> np.ndarray:
    """The sound, beat by beat (beats, frames, 2)."""
    bounce(rendering, tmp_path / "played.wav")
    sound, rate = soundfile.read(tmp_path / "played.wav", dtype="float32")
    assert rate == RATE
    return sound[: len(sound) // (RATE // 2) * (RATE // 2)].reshape(-1, RATE // 2, 2)


def test_pedal_bend_and_expression_are_heard_on_their_channels(tmp_path):
    beats = heard(recorded(tmp_path, [
        (0, note_on(0, 69, 100)), (BEAT, note_off(0, 69)),
        (2 * BEAT, control(1, SUSTAIN, 127)), (2 * BEAT, bend(1, 8191)), (2 * BEAT, note_on(1, 69, 100)),
        (2 * BEAT + 12, note_off(1, 69)), (4 * BEAT, control(1, SUSTAIN, 0)),
        (6 * BEAT, note_on(0, 69, 100)), (7 * BEAT, control(0, EXPRESSION, 20)),
    ]), tmp_path)  # fmt: skip
    assert abs(cents_off(beats[0][4800:], RATE, 69)) < 20
    assert level_db(beats[1][RATE // 4 :]) < level_db(beats[0]) - 20
    assert abs(cents_off(beats[2][4800:], RATE, 71)) < 20
    assert level_db(beats[3]) > level_db(beats[2]) - 25, "the pedal holds it"
    assert level_db(beats[5]) < level_db(beats[3]) - 15, "it is up"
    assert abs(cents_off(beats[6][4800:], RATE, 69)) < 20, "the bend is another channel's"
    assert level_db(beats[7][RATE // 4 :]) < level_db(beats[6]) - 20


def test_the_keyboard_has_a_level_of_its_own(tmp_path):
    struck = [(BEAT, note_on(0, 60, 60))]
    soft, loud = (level_db(heard(recorded(tmp_path, struck, level=level), tmp_path)[1]) for level in (-12.0, 0.0))
    assert loud - soft == pytest.approx(12, abs=0.5)


def test_keys_are_not_played_twice_and_the_band_is_as_it_was(tmp_path):
    band = (PlayerPatch("scale"),)
    silent = recorded(tmp_path, [(0, control(0, NOTES_OFF, 0))], band)
    assert 30 in [note.pitch for _, note in silent.played], "in the take as context"
    assert differences(silent.take, open_scale) == []
    alone = Performance(Patch(players=band), open_scale)
    while alone.extend(8 * BEAT):
        pass
    alone.advance(8 * BEAT)
    alone.stop(8 * BEAT)
    path = tmp_path / "alone.take.json"
    TakeRecorder(path, alone.take).close()
    without = heard(render(Options(take=str(path)), open_scale), tmp_path)
    with_keys = heard(silent, tmp_path)
    assert np.abs(with_keys - without).max() < 1e-4, "its messages alone are heard"
