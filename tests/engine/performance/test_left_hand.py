"""A left hand that the band follows: which chord its keys name, where the band turns, and that a take renders alike."""

import random

import numpy as np
import pytest

from instrument import midi_spec
from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.harmony.leading import Lead, hand_chord, led, on_grid
from instrument.engine.performance.harmony.left_hand import HandSettings, LeftHand
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input
from instrument.errors import HocketError
from instrument.models.catalog import open_player
from instrument.music.chords.names import NO_CHORD, chord_name, parse_chord
from instrument.music.notes import Part
from instrument.music.plan import Plan, PlanBar
from instrument.music.progressions import parse_progression
from instrument.music.timebase import Metre, MetreMap
from tests.support.live import play_on
from tests.support.players import open_scale

BAR = 96
DUO = (PlayerPatch("scale", {"density": 4}), PlayerPatch("scale-2", {"density": 4}))


def performance(**knobs):
    return Performance(Patch(knobs={"seed": 5} | knobs, players=DUO), open_scale)


def play(playing, ticks):
    """Play on for so many ticks. Returns the notes."""
    return [note for _, note in play_on(playing, ticks)]


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ((48, 52, 55), "C"),
        ((52, 55, 60), "C/E"),  # the lowest key is the bass
        ((45, 48, 52, 55), "Am7"),
        ((50, 53, 57, 60, 64), "Dm9"),
        ((43, 50), "G5"),  # a root and its fifth
        ((48, 52), None),
        ((48, 60), None),
        ((), None),
    ],
)
def test_held_keys_name_a_chord(keys, name):
    chord = hand_chord(keys)
    assert (chord and chord_name(chord)) == name


def test_the_band_turns_at_the_next_place_of_the_grid():
    metres = MetreMap((Metre(0, 4, 4), Metre(192, 3, 4)))
    assert [on_grid(grid, metres, 97) for grid in ("sixteenth", "beat", "bar")] == [102, 120, 192]
    assert [on_grid(grid, metres, 96) for grid in ("sixteenth", "beat", "bar")] == [96, 96, 96]
    assert [on_grid(grid, metres, 200) for grid in ("sixteenth", "beat", "bar")] == [204, 216, 264]


def test_chords_that_lead_replace_the_plans_from_their_tick_on():
    plan = parse_progression("C | F G | Am | F")
    d, e = parse_chord("D"), parse_chord("Em")
    found = led(plan, [Lead(54, d), Lead(150, e), Lead(300, None)])
    told = [(bar, at, chord_name(chord)) for bar, each in enumerate(found.bars) for at, chord in each.chords]
    assert told == [(0, 0, "C"), (0, 54, "D"), (1, 0, "D"), (1, 54, "Em"), (2, 0, "Em"), (3, 0, "Em"), (3, 12, "F")]
    free = led(Plan((PlanBar(), PlanBar(), PlanBar())), [Lead(54, d), Lead(150, None)])
    told = [(bar, at, chord) for bar, each in enumerate(free.bars) for at, chord in each.chords]
    assert told == [(0, 0, NO_CHORD), (0, 54, d), (1, 0, d), (1, 54, NO_CHORD)]


def test_a_hand_leads_holds_and_lets_go():
    def press(*keys):
        return [midi_spec.note_on(0, key, 90) for key in keys]

    def lift(*keys):
        return [midi_spec.note_off(0, key) for key in keys]

    hand, held = LeftHand(), HandSettings("held", 60)
    assert all(hand.take(message, held) for message in press(48, 52, 55))
    assert hand.symbol(held) == "C"
    assert hand.symbol(held) is None
    assert not hand.take(press(60)[0], held)  # the right hand
    assert hand.take(lift(48)[0], held)
    assert hand.symbol(held) is None  # two keys name none: the chord stays
    assert all(hand.take(message, held) for message in lift(52, 55))
    assert hand.symbol(held) == ""
    hold = HandSettings("hold", 60)
    for message in (*press(45, 48, 52), *lift(45, 48, 52)):
        hand.take(message, hold)
        told = hand.symbol(hold)
    assert told is None  # on hold, it stays
    off = HandSettings("off", 60)
    assert not any(hand.take(message, off) for message in press(40, 44, 47))


def test_a_chord_changes_what_is_not_committed_and_nothing_before():
    playing, plain = performance(plan="four-chords"), performance(plan="four-chords")
    before = play(playing, 2 * BAR)
    assert before == play(plain, 2 * BAR)
    playing.lead("F#m7")
    tick = on_grid("sixteenth", playing.metres, playing.floor)
    assert playing.plan.chord_at(tick) == parse_chord("F#m7")
    assert playing.plan.chord_at(tick - 1) == plain.plan.chord_at(tick - 1)
    play(playing, 2 * BAR)
    playing.lead("")
    back = on_grid("sixteenth", playing.metres, playing.floor)
    assert playing.plan.chord_at(back) == plain.plan.chord_at(back)
    with pytest.raises(HocketError, match="this chord cannot be used: 'X'"):
        playing.lead("X")


def test_switching_the_left_hand_off_goes_back_to_the_plan():
    playing = performance(plan="four-chords", lead="hold")
    play(playing, BAR)
    playing.lead("F#m7")
    play(playing, BAR)
    playing.set("lead", "off")
    tick = on_grid("sixteenth", playing.metres, playing.floor)
    assert playing.plan.chord_at(tick) == performance(plan="four-chords").plan.chord_at(tick)


def test_holding_the_present_chord():
    playing = performance(plan="four-chords")
    play(playing, BAR // 2)
    playing.hold_chord()
    assert {chord_name(chord) for bar in playing.plan.bars for _, chord in bar.chords} == {"C"}


@pytest.mark.parametrize("plan", ["free", "four-chords"])
def test_a_take_with_a_left_hand_renders_as_it_was_heard(plan):
    chance = random.Random(3)
    playing = performance(plan=plan)
    for _ in range(24):
        play(playing, chance.randrange(5, 90))
        playing.lead(chance.choice(["Dm9", "G13", "C/E", "Bbmaj7", ""]))
        if chance.random() < 0.2:
            playing.act(chance.choice(["again", "new", "break"]))
        playing.set("turn", chance.choice(["sixteenth", "beat", "bar"]))
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_a_band_obeys_a_left_hand_of_sixteen_changes():
    """The LSTM that ships: chords and bass on strong beats, from one beat after a change."""
    patch = Patch(
        knobs={"seed": 3, "lead": "hold", "chords": "on", "bass": "on"},
        players=(PlayerPatch("lstm-band", {"genre": "pop"}),),
    )
    playing, chance = Performance(patch, open_player), random.Random(1)
    inside = []
    for _ in range(16):
        symbol = chance.choice(["C", "Am7", "F", "G7", "Dm7", "Bb", "Em", "A7"])
        playing.lead(symbol)
        since, chord = playing.floor, parse_chord(symbol)
        notes = [n for n in play(playing, BAR) if n.part in (Part.CHORDS, Part.BASS)]
        inside += [n.pitch % 12 in chord.tones for n in notes if n.tick % 48 == 0 and n.tick >= since + 24]
    assert len(inside) >= 12
    assert np.mean(inside) >= 0.9


def test_chords_and_actions_are_rendered_on_their_beats():
    ats = ("4:chord=Dm9", "12:chord=", "16:form/again", "20:band/harmony=1")
    options = Options(patch="First light", bars=8, ats=ats)
    found = render(options, open_player)
    inputs = [entry for entry in found.take.entries if isinstance(entry, Input)]
    assert {entry.chord for entry in inputs} == {None, "Dm9", ""}
    assert {entry.form for entry in inputs} == {"", "again"}
    for at, message in (
        ("4:chord=H", "this chord cannot be used"),
        ("4:form/x", "form/x|'x'"),
        ("4:x=1", "unknown knob"),
    ):
        with pytest.raises(HocketError, match=message):
            render(Options(patch="First light", bars=8, ats=(at,)), open_player)


def test_bars_before_a_change_are_kept_as_they_are():
    playing = performance(plan="four-chords")
    play(playing, BAR)
    playing.lead("F#m7")
    play(playing, 3 * BAR)
    before = playing.plan.bars
    playing.lead("G13")
    bar = playing.metres.locate(playing.floor).bar
    assert all(was is now for was, now in zip(before[:bar], playing.plan.bars[:bar], strict=True))
    assert playing.plan.bars[: len(before)] != before
    play(playing, 20 * BAR)
    assert all(was is now for was, now in zip(before[:bar], playing.plan.bars[:bar], strict=True))


def test_a_key_that_sounded_is_released_whatever_the_left_hand_follows_by_then():
    hand = LeftHand()
    assert not hand.take(midi_spec.note_on(0, 50, 90), HandSettings("heard", 60)), "it is played, too"
    assert not hand.take(midi_spec.note_off(0, 50), HandSettings("held", 60)), "so its end is, too"
    assert hand.take(midi_spec.note_on(0, 50, 90), HandSettings("held", 60))
    assert hand.take(midi_spec.note_off(0, 50), HandSettings("heard", 60)), "it was silent"


def test_bars_of_a_loop_have_the_metre_that_holds():
    playing = performance(plan="four-chords")
    play(playing, 3 * BAR)
    playing.set("loop", 2)
    play(playing, BAR)
    playing.set("metre", "3/4")
    play(playing, 4 * BAR)
    plan = playing.plan
    starts = [playing.metres.start_of(bar) for bar in range(len(plan))]
    assert list(plan.starts[: len(plan)]) == starts
