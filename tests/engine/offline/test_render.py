from dataclasses import replace

import numpy as np
import pytest

from instrument.engine.offline.render import Options, Rendering, differences, render
from instrument.engine.performance.patches import Patch, PlayerPatch, save_patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import TakeRecorder
from instrument.errors import HocketError
from instrument.music.harmony import scale_mask
from instrument.music.midifile import write_midi
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import Metre
from tests.support.live import perform, random_actions
from tests.support.players import open_scale


def rendered(**options) -> Rendering:
    return render(Options(**{"model": "scale"} | options), open_scale)


def test_two_renders_with_a_seed_are_the_same_and_another_seed_is_not():
    one, two, other = (rendered(seconds=15, seed=seed) for seed in (4, 4, 5))
    assert one.played
    assert one.played == two.played
    assert one.played != other.played


def test_it_lasts_as_long_as_asked():
    assert rendered(seconds=8).seconds == pytest.approx(8)
    assert rendered(seconds=8, tempo=60).end == 8 * 24
    assert rendered(bars=3).end == 3 * 96
    assert rendered(bars=3, sets=["metre=6/8"]).end == 3 * 72
    assert rendered(bars=3, seconds=100).end == 3 * 96
    assert rendered(bars=100, seconds=2).seconds == pytest.approx(2)
    assert rendered().seconds == pytest.approx(30)
    longer, shorter = rendered(seconds=20), rendered(seconds=10)
    assert shorter.played
    assert longer.played[: len(shorter.played)] == shorter.played
    assert all(note.tick < shorter.end for _, note in shorter.played)


def test_knobs_are_set_before_and_turned_in_between():
    plain = rendered(bars=8, seed=1)
    turned = rendered(bars=8, seed=1, ats=["16:scale=major", "16:key=G", "8:tempo=60"], sets=["temperature=1"])
    before = [note for _, note in turned.played if note.tick < 16 * 24]
    assert before == [note for _, note in plain.played if note.tick < 16 * 24]
    after = [note.pitch % 12 for _, note in turned.played if note.tick >= 16 * 24 and note.part != Part.DRUMS]
    assert after
    assert scale_mask(7, "major")[after].all()
    assert turned.seconds == pytest.approx(8 * 0.5 + 24 * 1.0)
    assert differences(turned.take, open_scale) == []


def test_a_metre_turned_in_between_moves_the_end():
    assert rendered(bars=4, ats=["8:metre=3/4"]).end == 2 * 96 + 2 * 72


def test_a_knob_turned_after_the_end_is_not_turned():
    assert rendered(bars=1, ats=["100:tempo=60"]).take.entries == rendered(bars=1).take.entries


def test_of_a_patch_everything_is_taken(tmp_path):
    path = str(tmp_path / "duo.json")
    save_patch(
        Patch(
            knobs={"tempo": 90, "scale": "blues"},
            players=(PlayerPatch("scale", {"density": 3}), PlayerPatch("scale-2")),
        ),
        path,
    )
    duo = rendered(model="", patch=path, bars=4)
    assert {player for player, _ in duo.played} == {0, 1}
    assert duo.tempo.bpm(0) == pytest.approx(90)
    assert duo.patch.knobs["scale"] == "blues"
    other = rendered(model="scale-2", patch=path, bars=4)
    assert [seat.model for seat in other.patch.players] == ["scale-2", "scale-2"]
    assert other.patch.players[0].knobs["density"] == 3


def test_typed_chords_are_the_plan_of_any_patch_or_model(tmp_path):
    save_patch(Patch(players=(PlayerPatch("scale"),)), str(tmp_path / "mine.json"))
    for options in (Options("scale", bars=2), Options(patch=str(tmp_path / "mine.json"), bars=2)):
        rendering = render(replace(options, progression="Dm9 | G13"), open_scale)
        assert rendering.patch.progression == "Dm9 | G13"
        assert rendering.patch.knobs["plan"] == "typed"
    with pytest.raises(HocketError, match="Hm9"):
        render(Options("scale", bars=2, progression="Hm9"), open_scale)


def test_a_prompt_is_played_and_gone_on_from(tmp_path):
    tune = [Note(12 * i, 0, 60 + (i * 5) % 12, 10, 80, 0) for i in range(30)]
    path = tmp_path / "tune.mid"
    write_midi(Piece(np.array(tune, np.int32), (Metre(0, 3, 4),), ((0, 90.0),)), path)
    plain = rendered(bars=4, prompt=str(path))
    assert [note.pitch for _, note in plain.played[:30]] == [note.pitch for note in tune]
    assert plain.tempo.bpm(0) == pytest.approx(90, abs=0.01)
    new = plain.played[30:]
    assert new
    bar = plain.metres.locate(new[0][1].tick).bar
    assert bar >= 5, "30 eighths are 5 bars of three quarters"
    assert plain.end == plain.metres.start_of(5 + 4)
    assert differences(plain.take, open_scale) == []
    assert rendered(bars=4, prompt=str(path), tempo=120).tempo.bpm(0) == pytest.approx(120)
    assert rendered(bars=4).played[:5] != new[:5]


def test_a_rendering_says_how_long_it_will_be_and_what_is_wrong_with_its_prompt(tmp_path):
    path = tmp_path / "tune.mid"
    write_midi(Piece(np.array([Note(0, 0, 60, 24, 80, 0), Note(96 * 29, 0, 62, 96, 80, 0)], np.int32)), path)
    path.write_bytes(path.read_bytes()[:-1])
    said: list[str] = []
    rendering = render(Options(model="scale", seconds=30, prompt=str(path)), open_scale, said.append)
    damage, prompt, whole = said
    assert "tune.mid: track 2 is damaged and ends early" in damage
    assert prompt == f"{path} lasts 0:01:00"
    assert whole == f"rendering 0:01:{rendering.seconds - 60:02.0f}"
    assert 88 < rendering.seconds < 92


def test_prompts_of_absurd_length_are_refused(tmp_path):
    path = tmp_path / "long.mid"
    write_midi(Piece(np.array([Note(24 * 60_000, 0, 60, 24, 80, 0)], np.int32)), path)
    with pytest.raises(HocketError, match=r"long\.mid lasts 8:20:00: a prompt may last 4:00:00; cut it"):
        rendered(prompt=str(path))
    assert rendered(prompt=str(path), tempo=400, seconds=1).seconds == pytest.approx(60_001 * 0.15 + 1, abs=1)


def test_all_others_come_in_when_the_prompt_is_over():
    duo = Performance(Patch(players=(PlayerPatch("scale"), PlayerPatch("scale"))), open_scale)
    duo.prompt([Note(0, 0, 60, 24, 80, 0), Note(100, 0, 64, 24, 80, 0)])
    while duo.extend(400):
        pass
    played = duo.advance(400)
    assert [note.tick for _, note in played[:2]] == [0, 100]
    assert {player for player, note in played[2:]} == {0, 1}
    assert min(note.tick for _, note in played[2:]) >= 192


@pytest.fixture
def take(tmp_path) -> str:
    performance = Performance(Patch(players=(PlayerPatch("scale"), PlayerPatch("scale"))), open_scale)
    perform(performance, random_actions(7, 300, 0.1))
    path = tmp_path / "live.take.json"
    TakeRecorder(path, performance.take).close()
    return str(path)


def test_a_take_is_rendered_to_what_was_heard(take):
    whole = rendered(model="", take=take)
    heard = sorted((each for each in whole.take.heard() if each[1].tick < whole.end), key=lambda each: each[1].order)
    assert len(heard) > 50
    assert [each for each in whole.played if each[1].tick < whole.end - 1] == [
        each for each in heard if each[1].tick < whole.end - 1
    ]
    short = rendered(model="", take=take, bars=2)
    assert short.played == whole.played[: len(short.played)]
    assert short.end < whole.end


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "gone"}, "unknown model 'gone': choose one of scale"),
        ({"seconds": 0}, "--seconds 0 is not possible: give more than 0"),
        ({"seconds": float("nan")}, "--seconds nan"),
        ({"seconds": 1e9}, "--seconds 1e"),
        ({"bars": 0}, "--bars 0 is not possible: give 1 to"),
        ({"tempo": 1000}, "tempo cannot be 1000: give 20 to 400 bpm"),
        ({"seed": -1}, "seed cannot be -1"),
        ({"sets": ["colour=red"]}, "unknown knob 'colour': choose one of"),
        ({"sets": ["temperature"]}, "KNOB=VALUE"),
        ({"ats": ["4:key=H"], "seconds": 1}, "key cannot be 'H'"),
        ({"ats": ["x:key=C"]}, "BEAT:KNOB=VALUE"),
        ({"patch": "gone"}, "no patch 'gone'"),
        ({"prompt": "gone.mid"}, "gone.mid cannot be read"),
        ({"take": "gone.take.json", "model": ""}, "cannot read the take"),
        ({"take": "x.take.json"}, "--model cannot be given with --take"),
        ({"take": "x.take.json", "model": "", "seed": 0}, "--seed cannot be given with --take"),
    ],
)
def test_what_cannot_be_rendered_says_why(options, says):
    with pytest.raises(HocketError, match=says) as error:
        rendered(**options)
    assert "\n" not in str(error.value)
