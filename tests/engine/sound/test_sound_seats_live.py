"""Players who sound by themselves: in performances, takes, patches and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.knobs import INSTRUMENT
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.patches import Patch, PlayerPatch, load_patch, save_patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.sound_seats import scenes
from instrument.engine.performance.takes import Joined, Left, TakeRecorder, Turn, load_take
from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import Metre
from tests.support.sound.analysis import cents_off, level_db, roughness
from tests.support.sound.players import AMPLITUDE, open_any

RATE = 48_000
BAND = Patch(
    knobs={"tempo": 120.0, "seed": 7.0},
    players=(PlayerPatch("scale"), PlayerPatch("sines", {"pitch": 60.0, "level": -6.0}), PlayerPatch("whistle")),
)


def play_to(performance: Performance, tick: float) -> None:
    while performance.extend(tick):
        pass
    performance.advance(tick)


def sound_of(path: Path) -> np.ndarray:
    sound, rate = soundfile.read(path)
    assert rate == RATE
    return sound


def bounced(tmp_path: Path, options: Options, name: str = "out.wav") -> np.ndarray:
    bounce(render(options, open_any), tmp_path / name)
    return sound_of(tmp_path / name)


def saved(tmp_path: Path, patch: Patch) -> str:
    path = tmp_path / "patch.json"
    save_patch(patch, str(path))
    return str(path)


def test_seats_have_knobs_of_their_own_and_a_strip():
    performance = Performance(BAND, open_any)
    assert performance.kinds == ("notes", "stream", "voice")
    assert [line.number for line in performance.lines] == [0]
    ids = [{info.id for info in performance.table.of(player)} for player in range(3)]
    assert ids[1] == {"pitch", "level", "mute", "pan", "width", "tune", "chords", "duck"}
    assert ids[2] == {"octave", "level", "mute", "pan", "width", "part"}
    assert performance.values["1/pitch"] == 60
    assert performance.values["1/level"] == -6
    stream, voice = performance.scene.seats
    assert stream.model_knobs == {"pitch": 60.0}
    assert voice.model_knobs == {"octave": 0.0}
    assert performance.pads == (None, None, None)


def test_notes_do_not_depend_on_sound():
    alone = Performance(Patch(knobs=BAND.knobs, players=BAND.players[:1]), open_any)
    among = Performance(BAND, open_any)
    for i, performance in enumerate((alone, among)):
        play_to(performance, 100)
        if i:
            performance.set("pitch", 72, 1)
            performance.set("part", "all", 2)
            performance.load("noise", 3)
        play_to(performance, 200)
        if i:
            performance.leave(1)
        play_to(performance, 400)
    assert list(alone.take.heard()) == list(among.take.heard())


def test_turns_are_in_the_take_by_name():
    performance = Performance(BAND, open_any)
    play_to(performance, 50)
    performance.set("pitch", 72, 1)
    performance.set("level", -12, 2)
    performance.set("level", -3, INSTRUMENT)
    assert [(e.tick, e.knob, e.value) for e in performance.take.entries if isinstance(e, Turn)] == [
        (51, "1/pitch", 72.0), (51, "2/level", -12.0), (51, "band/level", -3.0),
    ]  # fmt: skip


def test_players_come_and_go_while_it_plays():
    performance = Performance(BAND, open_any)
    play_to(performance, 50)
    performance.load("noise", 3)
    performance.set("octave", 1.0, 2)
    performance.set("tune", 0.5, 3)
    performance.leave(1)
    assert performance.kinds == ("notes", "voice", "stream")
    assert performance.values["1/octave"] == 1
    assert performance.values["2/tune"] == 0.5
    assert "3/tune" not in performance.values
    assert "1/pitch" not in performance.values
    performance.load("sines", 2)  # in the place of the other: knobs of the same name keep their values
    assert performance.values["2/tune"] == 0.5
    assert performance.values["2/pitch"] == 69
    assert [type(e) for e in performance.take.entries if isinstance(e, Joined | Left)] == [Joined, Left, Joined]
    assert [p.model for p in performance.current_patch().players] == ["scale", "whistle", "sines"]


def test_what_cannot_be_is_refused():
    performance = Performance(BAND, open_any)
    for slug, player in (("sines", 0), ("scale", 1), ("scale", 3), ("sines", 4)):
        with pytest.raises(HocketError):
            performance.load(slug, player)
    for player in (0, 3, -1):
        with pytest.raises(HocketError):
            performance.leave(player)
    with pytest.raises(HocketError, match="pitch cannot be 200"):
        performance.set("pitch", 200, 1)
    assert performance.current_patch() == Performance(BAND, open_any).current_patch()
    assert not performance.take.entries
    for _ in range(13):
        performance.load("sines", len(performance.kinds))
    with pytest.raises(HocketError, match="16 players already"):
        performance.load("sines", 16)


def test_a_take_gives_the_same_scenes_and_notes(tmp_path):
    performance = Performance(BAND, open_any)
    recorder = TakeRecorder(tmp_path / "a.take.json", performance.take)
    play_to(performance, 50)
    performance.load("noise", 3)
    performance.set("scale", "minor", INSTRUMENT)
    play_to(performance, 90)
    performance.leave(1)
    performance.set("duck", 1.0, 2)
    performance.set("key", "D", INSTRUMENT)
    play_to(performance, 200)
    performance.stop(200)
    recorder.close()
    take = load_take(tmp_path / "a.take.json")
    assert not differences(take, open_any)
    last = list(scenes(take, performance.sound_models))[-1]
    assert last[0] == 91
    assert last[1] == performance.scene
    again = render(Options(take=str(tmp_path / "a.take.json")), open_any)
    assert again.patch == performance.current_patch()
    assert [entry for entry in again.take.entries if isinstance(entry, Joined | Left | Turn)] == [
        entry for entry in take.entries if isinstance(entry, Joined | Left | Turn)
    ]
    bounce(again, tmp_path / "a.wav")
    bounce(render(Options(take=str(tmp_path / "a.take.json")), open_any), tmp_path / "b.wav")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_patches_keep_them(tmp_path):
    kept = load_patch(saved(tmp_path, BAND))
    assert kept.players == BAND.players


def test_a_stream_alone_is_rendered_with_its_turns(tmp_path):
    sound = bounced(tmp_path, Options(model="sines", seconds=3, ats=("4:pitch=57",), tempo=120))
    assert len(sound) == 3 * RATE
    assert abs(cents_off(sound[RATE // 4 : 2 * RATE - 4000], RATE, 69)) < 3
    assert abs(cents_off(sound[2 * RATE + 8000 : -2000], RATE, 57)) < 3
    assert np.abs(sound[RATE // 2 : RATE]).max() == pytest.approx(AMPLITUDE, rel=0.01)
    assert roughness(sound[2000:-2000]).max() < 0.002
    loud = bounced(tmp_path, Options(model="sines", seconds=1, sets=("level=-20",)))
    assert np.abs(loud[9600:-2000]).max() == pytest.approx(AMPLITUDE / 10, rel=0.01)
    muted = bounced(tmp_path, Options(model="sines", seconds=1, sets=("mute=1",)))
    assert np.abs(muted).max() < 1e-6


def test_the_key_reaches_the_resonators(tmp_path):
    options = {"model": "sines", "seconds": 3, "sets": ("tune=1", "pitch=70", "scale=major")}
    off, on = (level_db(bounced(tmp_path, Options(**options, ats=at))[2 * RATE :]) for at in ((), ("2:key=Bb",)))
    assert on > off + 3


def test_a_voice_plays_the_part_it_is_given(tmp_path):
    notes = [(0, 0, 72, 24, 100, Part.MELODY), (48, 0, 48, 24, 100, Part.BASS), (96, 0, 40, 24, 100, Part.DRUMS)]
    write_midi(Piece(np.array(notes, np.int32), (Metre(0, 4, 4),), ((0, 120.0),)), tmp_path / "in.mid")
    patch = Patch(players=(PlayerPatch("whistle", {"part": "melody"}),))
    sound = bounced(tmp_path, Options(patch=saved(tmp_path, patch), prompt=str(tmp_path / "in.mid")))
    assert len(sound) == pytest.approx(RATE * (120 / 48 + 2), abs=2)  # 120 ticks, and two seconds to ring out
    assert abs(cents_off(sound[2000:22_000], RATE, 72)) < 3
    assert np.abs(sound[2000:22_000]).max() == pytest.approx(AMPLITUDE * 100 / 127, rel=0.01)
    assert level_db(sound[48_000:60_000]) > -60  # the bass is the sound font's
    everything = Patch(players=(PlayerPatch("whistle", {"part": "all"}),))
    sound = bounced(tmp_path, Options(patch=saved(tmp_path, everything), prompt=str(tmp_path / "in.mid")))
    assert abs(cents_off(sound[50_000:70_000], RATE, 48)) < 5
    assert level_db(sound[96_000:]) > -60  # drums are never its own


def test_a_file_needs_somebody_to_play_it(tmp_path):
    write_midi(Piece(np.array([(0, 0, 72, 24, 100, 0)], np.int32)), tmp_path / "in.mid")
    with pytest.raises(HocketError, match="there is no player for"):
        render(Options(model="sines", prompt=str(tmp_path / "in.mid")), open_any)


def test_a_note_model_and_a_voice_go_on_from_a_file(tmp_path):
    write_midi(Piece(np.array([(0, 0, 72, 24, 100, 0)], np.int32)), tmp_path / "in.mid")
    patch = Patch(players=(PlayerPatch("whistle"), PlayerPatch("scale")))
    rendering = render(Options(patch=saved(tmp_path, patch), prompt=str(tmp_path / "in.mid"), bars=2), open_any)
    assert rendering.played[0] == (1, Note(0, 0, 72, 24, 100, Part.MELODY))
    assert len(rendering.played) > 4


def test_live_notes_of_a_person_are_in_the_take_without_a_note_model(tmp_path):
    performance = Performance(Patch(players=(PlayerPatch("whistle", {"part": "keys"}),)), open_any)
    recorder = TakeRecorder(tmp_path / "a.take.json", performance.take)
    performance.advance(50)
    performance.listen([LiveNote(0, Note(48, 0, 64, 12, 90, Part.MELODY))])
    performance.advance(100)
    assert performance.release(0, 64, 90)
    performance.set("metre", "3/4", INSTRUMENT)
    performance.stop(120)
    recorder.close()
    rendering = render(Options(take=str(tmp_path / "a.take.json")), open_any)
    assert rendering.played == [(0, Note(48, 0, 64, 42, 90, Part.MELODY))]
    assert rendering.metres.metres == performance.metres.metres
    bounce(rendering, tmp_path / "out.wav")
    assert abs(cents_off(sound_of(tmp_path / "out.wav")[49_000:80_000], RATE, 64)) < 3
