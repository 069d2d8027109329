"""Swing, accents and dynamics: what they do to notes, and that a take with them is rendered note for note."""

import random

import numpy as np
import pytest
from msgspec.structs import replace

from instrument.engine.offline.render import differences, play_again
from instrument.engine.performance.expression.expression import Expression
from instrument.engine.performance.expression.genres import genre_values, read_bands
from instrument.engine.performance.expression.grooves import groove_of, groove_row, read_grooves
from instrument.engine.performance.patches import FORMAT, Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.errors import HocketError
from instrument.models.catalog import open_player
from instrument.music.grooves import MOST_SWING, ROWS, swung
from instrument.music.notes import Note, Part
from instrument.music.plan import Plan, PlanBar
from instrument.music.timebase import Metre, MetreMap
from tests.support.players import open_scale

FOUR = MetreMap((Metre(0, 4, 4),))
NOTHING = {"swing": 0.5, "feel": 0.0, "dynamics": 0.0, "seed": 1}


def eighths(bars=16, part=Part.MELODY, velocities=(80,), pitch=60):
    return [Note(12 * i, 0, pitch, 12, velocities[i % len(velocities)], part) for i in range(8 * bars)]


def shape(notes, metres=FOUR, plan=None, genre="rock", **knobs):
    expression = Expression(0)
    expression.change(NOTHING | knobs, genre)
    return [expression.shaped(note, metres, plan) for note in notes]


def steps(note):
    return note.tick + note.micro / 8


def test_without_expression_notes_are_left_alone():
    assert shape(eighths()) == eighths()


@pytest.mark.parametrize("swing", [0.55, 0.6, 0.67, 0.75])
@pytest.mark.parametrize("played", [12, 16], ids=["straight", "swung"])
def test_off_beats_fall_where_the_knob_says(swing, played):
    notes = [Note(24 * beat + place, 0, 60, 6, 80, 0) for beat in range(16) for place in (0, played)]
    places = [steps(note) % 24 / 24 for note in shape(notes, swing=swing)]
    assert places[::2] == [0.0] * 16
    wanted = max(swing, played / 24)  # nothing is brought forward
    assert places[1::2] == pytest.approx([wanted] * 16, abs=0.006)


@pytest.mark.parametrize("swing", np.linspace(0.5, MOST_SWING, 6).tolist())
def test_swing_keeps_the_order_and_brings_nothing_forward(swing):
    notes = [swung(Note(tick, 0, 60, 1, 80, 0), tick % 24, swing) for tick in range(96)]
    assert all(steps(note) >= tick for tick, note in enumerate(notes))
    assert [steps(note) for note in notes] == sorted(steps(note) for note in notes)


def test_a_swung_note_ends_with_its_beat():
    note = swung(Note(12, 0, 60, 12, 80, 0), 12, 2 / 3)
    assert (note.tick, note.duration) == (16, 8)


def test_compound_metres_do_not_swing():
    assert shape(eighths(), MetreMap((Metre(0, 6, 8),)), swing=0.67) == eighths()


def test_feel_accents_what_is_flat_as_drummers_do():
    drums = eighths(64, Part.DRUMS, pitch=42)
    felt = np.array([note.velocity for note in shape(drums, feel=1.0)], float).reshape(-1, 8)
    row = groove_row("rock", Part.DRUMS, 42)
    assert np.corrcoef(felt.mean(0), row.accents[::2])[0, 1] > 0.9
    assert felt.std() == pytest.approx(np.hypot(row.spread, np.std(row.accents[::2])), rel=0.25)


def test_feel_leaves_a_player_its_own_dynamics():
    velocities = np.random.default_rng(1).normal(80, 17, 512).clip(20, 120).round().astype(int).tolist()
    notes = eighths(64, Part.DRUMS, velocities, pitch=42)
    felt = np.array([note.velocity for note in shape(notes, feel=1.0)], float)
    assert np.corrcoef(felt[64:], velocities[64:])[0, 1] > 0.97


def test_feel_delays_by_no_more_than_half_a_tick_forward():
    for part, pitch in ((Part.DRUMS, 36), (Part.DRUMS, 38), (Part.DRUMS, 42), (Part.BASS, 40)):
        notes = [Note(6 * i, 0, pitch, 6, 80, part) for i in range(64)]
        felt = shape(notes, feel=1.0, genre="funk")
        assert felt[0].tick == 0
        assert felt[0].micro == 0
        assert all(steps(now) >= note.tick - 0.5 for note, now in zip(notes, felt, strict=True))
        assert {note.tick * 8 + note.micro - 8 * before.tick for before, note in zip(notes, felt, strict=True)} != {0}


def test_dynamics_swell_over_phrases_and_sections():
    plan = Plan(tuple(PlanBar((4, 4), "AB"[bar // 8], bar % 8 == 0) for bar in range(16)))
    loud = np.array([note.velocity for note in shape(eighths(), plan=plan, dynamics=1.0)]).reshape(16, 8).mean(1)
    assert loud[8:].mean() > loud[:8].mean() + 4, "the second section is louder"
    assert min(loud[1], loud[2]) > max(loud[0], loud[3]) + 3, "a phrase swells and fades"


def test_the_genres_have_grooves_from_data():
    assert groove_of("jazz").swing > 0.6
    assert groove_of("rock").swing == groove_of("none").swing == 0.5
    assert groove_of("pop").tempo < groove_of("jazz").tempo
    assert groove_of("no such genre") == groove_of("none")
    assert all(len(groove_row("chorale", part, 60).accents) == 16 for part in Part)


def test_damaged_tables_are_refused(tmp_path):
    path = tmp_path / "grooves.toml"
    with pytest.raises(HocketError, match="cannot read"):
        read_grooves(path)
    path.write_text("[none]\ntempo = 120\nswing = 0.2\n")
    with pytest.raises(HocketError, match="no table of grooves"):
        read_grooves(path)
    path.write_text("[none]\ntempo = 120\nswing = 0.5\n")
    with pytest.raises(HocketError, match=ROWS[0]):
        read_grooves(path)


def test_tempo_and_swing_are_the_genre_s_unless_set():
    jazz, rock = genre_values("jazz"), genre_values("rock")
    own = Performance(Patch(knobs={"tempo": 90.0}, players=(PlayerPatch("lstm-band", {"genre": "jazz"}),)), open_player)
    assert (own.values["band/tempo"], own.values["band/swing"]) == (90.0, jazz["swing"])
    free = Performance(Patch(players=(PlayerPatch("lstm-band"),)), open_player)
    assert (free.values["band/tempo"], free.values["band/feel"]) == (120.0, 0.0)
    free.set("genre", "jazz")
    assert {knob: free.values[f"band/{knob}"] for knob in jazz} == jazz
    free.set("tempo", 100)
    free.set("genre", "rock")
    assert {knob: free.values[f"band/{knob}"] for knob in rock} == rock | {"tempo": 100.0}
    free.extend(96)
    free.advance(96)
    free.set("genre", "jazz")
    assert free.values["band/swing"] == rock["swing"], "not while it plays"


def test_patches_of_version_1_play_as_they_did():
    old = FORMAT.restored(b'{"version":1,"players":[{"model":"lstm-band","knobs":{"genre":"jazz"}}]}', Patch, "it")
    values = Performance(old, open_player).values
    assert [values[f"band/{knob}"] for knob in ("tempo", "swing", "feel", "dynamics")] == [120.0, 0.5, 0.0, 0.0]
    assert [values[f"band/{knob}"] for knob in ("plan", "melody", "drums")] == ["free", "auto", "auto"]


def test_a_genre_has_its_band_and_its_plan_unless_they_are_set():
    jazz = Performance(Patch(players=(PlayerPatch("lstm-band", {"genre": "jazz"}),)), open_player).values
    assert [jazz[f"band/{knob}"] for knob in ("plan", "bass", "drums", "other")] == ["model jazz", "on", "on", "auto"]
    chorale = Patch(knobs={"bass": "off"}, players=(PlayerPatch("lstm-band", {"genre": "chorale"}),))
    values = Performance(chorale, open_player).values
    assert [values[f"band/{knob}"] for knob in ("melody", "bass", "drums")] == ["on", "off", "auto"]
    assert values["band/vary"] > jazz["band/vary"] == 0.3


def test_damaged_tables_of_bands_are_refused(tmp_path):
    path = tmp_path / "genres.toml"
    with pytest.raises(HocketError, match="cannot read"):
        read_bands(path)
    path.write_text('[pop]\nplan = "free"\nparts = ["flute"]\n')
    with pytest.raises(HocketError, match="no table of bands"):
        read_bands(path)
    path.write_text('[pop]\nplan = "none such"\nparts = []\n')
    with pytest.raises(HocketError, match="the plan 'none such' of pop is unknown"):
        read_bands(path)


DUO = Patch(
    knobs={"seed": 3, "swing": 0.62, "feel": 0.8, "dynamics": 0.5, "plan": "four-chords"},
    players=(PlayerPatch("scale", {"genre": "waltz"}), PlayerPatch("scale-2", {"density": 5})),
)


def improvise(seed):
    """The take of a duo whose expression is turned as it plays."""
    chance = random.Random(seed)
    performance = Performance(DUO, open_scale)
    for _ in range(60):
        horizon = performance.floor + chance.uniform(3, 40)
        for _ in range(chance.randrange(40)):
            performance.extend(horizon + 150)
        performance.advance(horizon, horizon - 2)
        knob = chance.choice(("swing", "feel", "dynamics", "genre", "seed", "metre"))
        values = {"swing": (0.5, 0.6, 0.7), "genre": ("waltz", "march"), "seed": (1, 2), "metre": ("4/4", "6/8")}
        performance.set(knob, chance.choice(values.get(knob, (0.0, 0.5, 1.0))), chance.randrange(2))
    performance.stop(performance.floor)
    return performance.take


@pytest.mark.parametrize("seed", range(4))
def test_what_is_heard_live_is_rendered(seed):
    take = improvise(seed)
    assert take.heard_count > 100
    assert differences(take, open_scale) == []


def test_notes_of_a_take_without_its_bundle_are_not_shaped_again():
    take = improvise(1)
    others = tuple(replace(bundle, hash="0" * 64) for bundle in take.header.bundles)
    take.header = replace(take.header, bundles=others)
    again, notices = play_again(take, open_scale)
    assert len(notices) == 2
    assert sorted(again.take.heard()) == sorted(take.heard())
