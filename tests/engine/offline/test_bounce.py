import numpy as np
import pytest
import soundfile
from mido import MidiFile

from instrument.engine.offline.bounce import RATE, bounce, check_out
from instrument.engine.offline.render import Options, Rendering, render
from instrument.errors import HocketError
from instrument.music.midifile import read_midi
from tests.support.players import open_scale


def rendered(**options) -> Rendering:
    return render(Options("scale", **options), open_scale)


def test_a_midi_file_has_the_notes_and_is_the_same_each_time(tmp_path):
    what = rendered(bars=4, seed=2)
    for name in ("one.mid", "two.MID"):
        bounce(what, tmp_path / name)
    assert (tmp_path / "one.mid").read_bytes() == (tmp_path / "two.MID").read_bytes()
    assert any(message.type == "program_change" for message in MidiFile(tmp_path / "one.mid"))
    piece = read_midi(tmp_path / "one.mid", aligned=False)
    assert len(piece) == len(what.played)
    starts = sorted(max(0, note.tick * 8 + note.micro) for _, note in what.played)
    assert sorted((piece.notes[:, 0] * 8 + piece.notes[:, 1]).tolist()) == starts


def test_a_wav_file_lasts_as_asked_sounds_and_is_the_same_each_time(tmp_path):
    what = rendered(seconds=2.5, seed=2)
    for name in ("one.wav", "two.wav"):
        bounce(what, tmp_path / name)
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
    sound, rate = soundfile.read(tmp_path / "one.wav")
    assert (rate, sound.shape) == (RATE, (round(2.5 * RATE), 2))
    assert 0.005 < np.abs(sound).max() <= 1
    assert np.abs(sound[-2:]).max() < 0.001, "it ends without a click"
    first = what.tempo.ns(what.played[0][1].tick + what.played[0][1].micro / 8) / 1e9 * RATE
    heard = np.argmax(np.abs(sound).max(axis=1) > 0.001)
    assert first - 64 <= heard < first + 0.1 * RATE


def test_the_level_is_heard(tmp_path):
    for level in (0, -20):
        bounce(rendered(seconds=1.5, sets=[f"level={level}"]), tmp_path / f"{level}.wav")
    loud, soft = (soundfile.read(tmp_path / f"{level}.wav")[0] for level in (0, -20))
    later = RATE // 4  # the fader has moved by then
    assert np.abs(soft[later:]).max() == pytest.approx(np.abs(loud[later:]).max() / 10, rel=0.05)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x.mp3", r"ends in \.mid or \.wav"),
        ("x", r"ends in \.mid or \.wav"),
        ("none/x.wav", "does not exist"),
    ],
)
def test_where_nothing_can_be_written(tmp_path, name, says):
    with pytest.raises(HocketError, match=says):
        check_out(tmp_path / name)
    (tmp_path / "taken.wav").mkdir()
    with pytest.raises(HocketError, match="cannot write"):
        bounce(rendered(seconds=0.1), tmp_path / "taken.wav")
