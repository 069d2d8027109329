"""A band under a plan: what is played live is rendered note for note, and its chords are kept to."""

import random

import pytest

from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.errors import HocketError
from instrument.models.catalog import open_player
from instrument.music.chords.names import chord_name
from instrument.music.notes import Part
from tests.support.live import play_on

BAR = 96
BAND = Patch(
    knobs={"plan": "typed", "vary": 0.3, "seed": 4, "melody": "on", "bass": "on"},
    players=(
        PlayerPatch("lstm-band", {"genre": "pop", "density": 4.0}, parts=("melody", "chords")),
        PlayerPatch("lstm-band", {"genre": "rock"}, parts=("bass", "drums")),
    ),
    progression="C | Am | F | G7",
)


def play(performance, bars):
    """Play on for some bars. The notes, by player."""
    return [played for _ in range(bars) for played in play_on(performance, BAR)]


@pytest.fixture(scope="module")
def played():
    """Twelve bars of the band."""
    return play(Performance(BAND, open_player), 12)


def test_each_player_plays_its_own_parts(played):
    parts = [{note.part for player, note in played if player == number} for number in (0, 1)]
    assert parts == [{Part.MELODY, Part.CHORDS}, {Part.BASS, Part.DRUMS}]


def test_the_chords_of_the_plan_are_kept_to(played):
    plan = Performance(BAND, open_player).plan
    inside = {part: [] for part in (Part.CHORDS, Part.BASS)}
    for _, note in played:
        if note.part in inside:
            inside[note.part].append(note.pitch % 12 in plan.chord_at(note.tick).tones)
    for part, agreed in inside.items():
        assert len(agreed) >= 16
        assert sum(agreed) / len(agreed) > 0.75, part


def test_the_bass_plays_one_note_at_a_time(played):
    onsets = [note.tick for _, note in played if note.part == Part.BASS]
    assert len(onsets) > 12
    assert len(onsets) == len(set(onsets))


def test_what_was_played_returns():
    patch = Patch(BAND.version, "", BAND.knobs | {"vary": 0.0}, BAND.players[:1], progression=BAND.progression)
    notes = play(Performance(patch, open_player), 9)
    bars = [{(n.tick % BAR, n.pitch, n.duration) for _, n in notes if n.tick // BAR == bar} for bar in range(8)]
    assert sum(map(len, bars[:4])) > 12
    shared = sum(len(first & again) for first, again in zip(bars[:4], bars[4:], strict=True))
    assert shared / sum(map(len, bars[:4])) > 0.9, "it comes back as it was"


def test_typed_chords_hold_from_the_next_bar_and_are_in_the_take():
    performance = Performance(BAND, open_player)
    play(performance, 2)
    performance.set_progression("Eb | Ab")
    assert performance.current_patch().progression == "Eb | Ab"
    floor = performance.floor
    bar = -(-floor // BAR)
    assert performance.plan.chord_at(bar * BAR).root == 3
    assert performance.plan.chord_at(0).root == 0
    with pytest.raises(HocketError, match="Hm"):
        performance.set_progression("Hm")
    performance.stop(play(performance, 3)[-1][1].tick)
    assert differences(performance.take, open_player) == []


@pytest.mark.parametrize("seed", range(3))
def test_plan_knobs_turned_while_it_plays_are_rendered_note_for_note(seed):
    chance = random.Random(seed)
    performance = Performance(BAND, open_player)
    turns = {
        "plan": ("free", "twelve-bar", "typed", "model pop", "rhythm-changes"),
        "harmony": (0.0, 0.5, 1.0),
        "vary": (0.0, 0.4, 1.0),
        "guidance": (1.0, 2.0),
        "key": ("C", "Eb", "A"),
        "metre": ("4/4", "3/4"),
        "drums": ("off", "auto", "on"),
    }
    for _ in range(24):
        horizon = performance.floor + chance.uniform(5, 60)
        for _ in range(chance.randrange(30)):
            performance.extend(horizon + 150)
        performance.advance(horizon, horizon - 2)
        knob = chance.choice(list(turns))
        performance.set(knob, chance.choice(turns[knob]))
    performance.stop(performance.floor)
    assert performance.take.heard_count > 40
    assert differences(performance.take, open_player) == []


def test_chords_are_written_into_bars_and_are_in_the_take():
    performance = Performance(BAND, open_player)
    play(performance, 2)
    with pytest.raises(HocketError, match="bar 2 has begun: write chords into bar 4 or later"):
        performance.write_chords(1, "Dm9")
    with pytest.raises(HocketError, match="Hm"):
        performance.write_chords(5, "Dm9 | Hm")
    performance.write_chords(5, "Eb  Ab7 | % | ?")
    performance.write_chords(9, "iv")
    plan = performance.plan
    assert [chord_name(chord) for _, chord in plan.bars[5].chords] == ["Eb", "Ab7"]
    assert [chord_name(chord) for _, chord in plan.bars[6].chords] == ["Ab7"]
    assert plan.bars[7].chords == ()
    assert chord_name(plan.bars[9].chords[0].chord) == "Fm"
    assert plan.bars[5].recall is None
    assert sorted(performance.written_chords) == [5, 6, 7, 9]
    performance.write_chords(7, "")
    assert chord_name(performance.plan.bars[7].chords[0].chord) == "G7", "the plan's own again"
    performance.act("intro")
    performance.stop(play(performance, 8)[-1][1].tick)
    assert differences(performance.take, open_player) == []


def test_chords_can_be_written_where_the_players_are_free():
    performance = Performance(Patch(players=BAND.players, knobs={"plan": "free", "seed": 4}), open_player)
    play(performance, 1)
    assert performance.plan is None
    performance.write_chords(4, "Dm9 | G13")
    assert [len(bar.chords) for bar in performance.plan.bars[3:7]] == [0, 1, 1, 0]
    performance.write_chords(4, "|")
    assert performance.plan is None
