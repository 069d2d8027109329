"""How a player is kept on its course: what it is told follows from what was asked and what was heard."""

import hashlib

import msgspec
import numpy as np
import pytest

from instrument.models.manifest import VERSION, Golden, Graph, Manifest, Traits
from instrument.models.notes.conditions import density_knob
from instrument.models.notes.player import Ask
from instrument.models.notes.steering import MAX_ECHO_SHARE, MELODY_COOLING, REST_BARS, History, Steering
from instrument.music import codec
from instrument.music.notes import Note, Part

NO_HASH = hashlib.sha256(b"").hexdigest()
CHORALE = Traits(density=3.0, parts=(0, 2, 4), in_key=12.0, entropy=2.9)
MANIFEST = Manifest(
    VERSION,
    "band",
    "Band",
    "lstm",
    "1",
    "",
    (Graph("step", "step.onnx", NO_HASH, (), ()),),
    Golden("g", NO_HASH, 0.1),
    condition_genres=("chorale", "folk"),
    genres=("chorale",),
    parts=tuple(int(p) for p in Part),
    traits={"chorale": CHORALE},
)
GENRE = {"genre": "chorale"}
DENSITY = slice(3, 12)
BAR = 96


def heard(notes: list[Note], matches: tuple[int, ...] = (0, 0, 0, 0)) -> History:
    """What is remembered of notes in common time."""
    memory, last = History(), 0
    for note in notes:
        memory = memory.after(note, note.tick - last, list(matches))
        last = note.tick
    return memory


def line(gap: int, bars: int, part: int = Part.MELODY) -> list[Note]:
    """Notes in C major, `gap` ticks apart."""
    return [Note(i * gap, 0, 60 + (0, 4, 7, 5, 2)[i % 5], 6, 80, part) for i in range(bars * BAR // gap)]


def test_the_band_is_the_genres_less_what_is_muted():
    def band(**asked):
        return Steering(MANIFEST, Ask(**asked)).band

    assert band() == frozenset()
    assert band(knobs=GENRE) == {0, 2, 4}
    assert band(knobs=GENRE, parts=frozenset({0, 3})) == {0}
    assert band(knobs=GENRE, parts=frozenset({3})) == {3}
    assert band(parts=frozenset({3})) == {3}


def test_after_a_switch_it_plays_cooler_for_some_bars_and_never_at_plain_style():
    switched = History(genre="chorale", start=20, start_tick=2 * BAR)
    styled, plain = (Steering(MANIFEST, Ask(knobs={**GENRE, "style": style})) for style in (2.5, 1.0))
    heats = [styled.temperature_scale(switched, (2 + bars) * BAR) for bars in (0, 2, 4, 6, 8, 20)]
    assert heats[0] == heats[1] == heats[2] == pytest.approx(1 / 1.375)
    assert heats[2] < heats[3] < heats[4] == heats[5] == 1
    assert plain.temperature_scale(switched, 2 * BAR) == 1
    assert styled.temperature_scale(History(genre="chorale"), 0) == 1  # the beginning


def test_a_free_density_is_the_genres_and_turning_it_up_starts_from_there():
    def told(**knobs):
        return Steering(MANIFEST, Ask(knobs=knobs)).condition(History())

    free = told(**GENRE)
    assert (free == told(**GENRE, density=density_knob(CHORALE.density))).all()
    assert np.abs(told(**GENRE, density=0.01) - free).max() < 0.1
    assert told(genre="folk")[DENSITY].tolist() == [1] + [0] * 8


def test_a_style_sets_what_it_chooses_in_a_genre_against_what_it_would_in_none():
    steer = Steering(MANIFEST, Ask(knobs={**GENRE, "style": 3.0}))
    told, plain = steer.conditions(heard(line(12, 2)), 3.0)
    assert told[:3].tolist() == [0, 1, 0]
    assert plain[:3].tolist() == [1, 0, 0]
    assert (told[3:] == plain[3:]).all()
    assert steer.guided(np.array([[1.0, 2.0], [1.0, 1.0]], np.float32), 3.0, 1.0).tolist() == [1.0, 4.0]


def test_a_genre_is_exaggerated_in_its_first_bars():
    steer = Steering(MANIFEST, Ask(knobs={**GENRE, "style": 3.0}))
    start_tick = heard(line(12, 2)).in_genre("chorale", 16, 2 * BAR)
    assert [steer.style(start_tick, bar * BAR) for bar in (2, 6, 8, 10, 20)] == [3.0, 3.0, 2.0, 1.0, 1.0]


@pytest.mark.parametrize("knobs", [{"style": 3.0}, GENRE, {**GENRE, "style": 1.0}])
def test_without_a_genre_or_a_style_it_is_told_once(knobs):
    steer = Steering(MANIFEST, Ask(knobs=knobs))
    style = steer.style(History(), 0)
    assert len(steer.conditions(History(), style)) == 1
    assert steer.guided(np.array([[1.0, 2.0]], np.float32), style, 1.0).tolist() == [1.0, 2.0]


def test_who_strayed_from_the_density_is_told_to_make_up_for_it():
    steer = Steering(MANIFEST, Ask(knobs={"density": 4.0}))
    places = np.arange(9)
    assert steer.condition(History())[DENSITY] @ places == pytest.approx(4)
    assert steer.condition(heard(line(4, 8)))[DENSITY] @ places < 3
    assert steer.condition(heard(line(48, 8)))[DENSITY] @ places > 5
    assert not steer.time_bias(heard(line(12, 8))).any()
    bias = steer.time_bias(heard(line(4, 8)))
    assert bias[0] == 0
    assert bias[24] == bias[300] > 1


def test_who_was_silent_for_long_comes_in_and_outsiders_are_held_back():
    steer = Steering(MANIFEST, Ask(knobs=GENRE))
    melody = heard(line(24, 12))
    bias = steer.part_bias(melody, 12 * BAR)
    assert bias[Part.MELODY] == 0 < bias[Part.BASS]
    assert bias[Part.DRUMS] < 0
    assert not steer.part_bias(melody, REST_BARS * BAR)[[0, 2, 4]].any()
    assert not Steering(MANIFEST, Ask()).part_bias(melody, 12 * BAR).any()


TUNEFUL = msgspec.structs.replace(
    MANIFEST,
    traits={
        "chorale": msgspec.structs.replace(
            CHORALE,
            intervals=(0.1, 0.6, 0.2, 0.1, 0.0),
            rates={"melody": 1.0, "chords": 3.0, "bass": 1.0, "other": 1.0},
        )
    },
)


def test_a_melody_that_leaps_too_much_is_led_to_steps():
    steer = Steering(TUNEFUL, Ask(knobs=GENRE))
    leaping = heard([Note(24 * i, 0, 60 + 12 * (i % 2), 6, 80, Part.MELODY) for i in range(24)])
    bias = steer.interval_bias(leaping, 24 * 24)
    low, same, step, octave = bias[60], bias[72], bias[73], bias[84]
    assert octave == low < same <= step
    assert step > 0 > octave
    assert not bias[128:].any()
    assert not steer.interval_bias(leaping, 23 * 24).any(), "a note struck together with the last one is free"
    assert not Steering(MANIFEST, Ask(knobs=GENRE)).interval_bias(leaping, 24 * 24).any()


def test_the_top_of_notes_struck_together_is_the_melody():
    chords = [Note(24 * i, 0, pitch + i, 6, 80, Part.MELODY) for i in range(4) for pitch in (50, 60)]
    assert heard(chords).melody == (72, 63, 62)
    assert heard(chords).intervals.argmax() == 1


def test_a_part_with_too_many_of_the_notes_is_held_back():
    steer = Steering(TUNEFUL, Ask(knobs=GENRE, on=frozenset({1})))
    assert steer.band == {0, 1, 2, 4}
    bias = steer.part_bias(heard(line(24, 8)), 8 * BAR)
    assert bias[Part.CHORDS] > 0 > bias[Part.MELODY]
    as_wanted = [
        Note(24 * beat + at, 0, 60 + part, 6, 80, part)
        for beat in range(32)
        for at, part in ((0, 0), (0, 1), (6, 1), (6, 2), (12, 1), (18, 4))
    ]
    assert abs(steer.part_bias(heard(as_wanted), 32 * 24)[[0, 1, 2, 4]]).max() < 0.2
    others = Ask(knobs=GENRE, on=frozenset({3}))
    assert not Steering(TUNEFUL, others).part_bias(History(), 0)[[0, 2]].any(), "the rate of the drums is not known"


def test_drums_lean_on_the_bar_before_where_the_genre_is_measured():
    bias = Steering(TUNEFUL, Ask(knobs=GENRE)).drum_bias(164)
    assert bias.argmax() == 164
    assert np.count_nonzero(bias) == 1
    assert not Steering(TUNEFUL, Ask(knobs=GENRE)).drum_bias(codec.NO_NOTE).any()
    assert not Steering(MANIFEST, Ask(knobs=GENRE)).drum_bias(164).any()


def test_the_melody_of_a_measured_genre_is_cooler():
    assert [Steering(TUNEFUL, Ask(knobs=GENRE)).cooling(part) for part in (0, 1)] == [MELODY_COOLING, 1.0]
    assert Steering(MANIFEST, Ask(knobs=GENRE)).cooling(0) == 1.0


def test_a_key_that_was_heard_is_leaned_towards_as_far_as_chromatic_lets_it():
    memory = heard(line(12, 8))
    strict, free = (Steering(MANIFEST, Ask(knobs=GENRE, chromatic=c)).pitch_bias(memory) for c in (0.0, 1.0))
    assert strict[60] > strict[61] + 0.3
    assert not free.any()
    locked = Steering(MANIFEST, Ask(scale="major", key=2)).pitch_bias(memory)
    assert locked[62] == 0 > locked[60]


def test_what_repeats_too_much_is_held_back_and_only_that():
    steer, echoes = Steering(MANIFEST, Ask()), [60, codec.NO_NOTE, 64, 60]
    assert not steer.echo_bias(heard(line(24, 4), (0, 1, 0, 0)), echoes).any(), "a few bars may be repeated"
    assert not steer.echo_bias(heard(line(24, 40)), echoes).any()
    always = heard(line(24, 40), (0, 1, 0, 0))
    bias = steer.echo_bias(always, echoes)
    assert always.echo_share > MAX_ECHO_SHARE
    assert set(np.flatnonzero(bias < -1)) == {60, 64}
    assert np.count_nonzero(bias) == 2


def test_another_genre_begins_anew_and_keeps_the_key():
    played = heard(line(12, 10), (1, 0, 0, 0)).in_genre("chorale", 0, 0)
    assert played.in_genre("chorale", 80, 960) == played
    anew = played.in_genre("folk", 80, 960)
    assert (anew.histogram == played.histogram).all()
    assert (anew.genre, anew.start, anew.echo_share, anew.played) == ("folk", 80, 0, 0)
    assert set(anew.last) == {960}
