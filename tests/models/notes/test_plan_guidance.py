"""What a plan asks of the next note: chords, notes that end with them, bars that return."""

import numpy as np
import pytest

from instrument.models.notes.form_conditions import Learned
from instrument.models.notes.plan_guidance import COPIED, PITCH, RHYTHM, PlanGuidance
from instrument.music.notes import Note, Part
from instrument.music.plan import Plan, PlanBar, Recall
from instrument.music.progressions import parse_progression

BAR = 96
PLAN = parse_progression("C | F | G7 | C/E")


def tones(bias):
    """The pitch classes with the largest logits."""
    assert (bias[128:] == 0).all(), "drums are left alone"
    return {int(pitch % 12) for pitch in np.flatnonzero(bias == bias.max())}


@pytest.mark.parametrize("part", [Part.MELODY, Part.CHORDS, Part.OTHER])
def test_tones_of_the_chord_are_favoured_more_on_strong_beats(part):
    guide = PlanGuidance(PLAN, 0.5)
    strong, weak = (guide.pitch_bias(2 * BAR + at, part, 0) for at in (48, 24))
    assert tones(strong) == tones(weak) == {7, 11, 2, 5}
    assert strong.max() > weak.max() > 0
    assert strong.min() == 0


def test_the_bass_has_the_root_at_a_change_and_the_bass_of_a_slash_chord():
    guide = PlanGuidance(PLAN, 0.5)
    assert tones(guide.pitch_bias(BAR, Part.BASS, last_bass=BAR - 1)) == {5}
    assert tones(guide.pitch_bias(3 * BAR, Part.BASS, last_bass=0)) == {4}
    later = guide.pitch_bias(BAR + 48, Part.BASS, last_bass=BAR)
    assert tones(later) == {5, 9, 0}
    assert later.max() < guide.pitch_bias(BAR, Part.BASS, last_bass=0).max()


def test_harmony_makes_it_stronger_and_nothing_free():
    at = [PlanGuidance(PLAN, harmony).pitch_bias(0, Part.CHORDS, 0).max() for harmony in (0.25, 0.5, 1.0)]
    assert at == sorted(set(at))
    assert PlanGuidance(PLAN, 0.0).pitch_bias(0, Part.CHORDS, 0) is None
    assert PlanGuidance(PLAN, 0.0).allowed(0) is None
    assert PlanGuidance(PLAN, 1.0).pitch_bias(0, Part.DRUMS, 0) is None
    free = Plan((PlanBar(),))
    assert PlanGuidance(free, 1.0).pitch_bias(0, Part.CHORDS, 0) is None


def test_where_a_network_has_learnt_to_follow_the_melody_is_left_to_it_unless_harmony_is_strict():
    def most(harmony, part, learned):
        return PlanGuidance(PLAN, harmony, Learned(plan=learned, form=False)).pitch_bias(0, part, 0).max()

    assert most(0.5, Part.MELODY, learned=True) == 0
    assert 0 < most(1.0, Part.MELODY, learned=True) < most(1.0, Part.MELODY, learned=False)
    assert most(0.5, Part.CHORDS, learned=True) == most(0.5, Part.CHORDS, learned=False)


def test_chord_tones_may_sound_whatever_the_scale():
    allowed = PlanGuidance(parse_progression("Db7"), 0.5).allowed(10)
    assert set(np.flatnonzero(allowed)) == {1, 5, 8, 11}


def test_a_note_that_is_no_tone_of_the_next_chord_ends_with_this_one():
    guide = PlanGuidance(PLAN, 0.5)
    assert guide.duration(48, Part.CHORDS, 64, 96) == 48, "E is not in F"
    assert guide.duration(48, Part.CHORDS, 60, 96) == 96, "C is"
    assert guide.duration(48, Part.CHORDS, 64, 40) == 40
    assert guide.duration(48, Part.DRUMS, 64, 96) == 96
    assert PlanGuidance(PLAN, 0.0).duration(48, Part.CHORDS, 64, 96) == 96


def recalling(closeness, chords="C | F"):
    """Two bars, then the same again, recalled."""
    bars = parse_progression(chords).bars
    return Plan((*bars, *(bar._replace(recall=Recall(i, closeness)) for i, bar in enumerate(bars))))


def keys(*notes):
    return [Note(tick, 0, pitch, 12, 90, Part.MELODY).order for tick, pitch in notes]


def test_a_recalled_bar_expects_its_notes_one_after_another():
    guide = PlanGuidance(recalling(1.0), 0.5)
    played = keys((0, 60), (24, 64), (100, 65))
    seen = []
    last = played[-1]
    while (expected := guide.expected(played, last)) is not None:
        seen.append((expected.tick, expected.row))
        last = Note(expected.tick, 0, expected.row, 12, 90, Part.MELODY).order
        played.append(last)
    assert seen == [(192, 60), (216, 64), (292, 65)]


def test_chords_of_a_recalled_bar_come_from_the_lowest_note_up():
    guide = PlanGuidance(recalling(1.0), 0.5)
    played = keys((0, 60), (0, 64), (0, 67))
    assert guide.expected(played, played[-1]).row == 60
    played += keys((192, 60))
    assert (guide.expected(played, played[-1]).tick, guide.expected(played, played[-1]).row) == (192, 64)


def test_where_the_chord_is_another_its_tones_move_and_passing_notes_stay():
    first, second = parse_progression("C | Dm").bars
    guide = PlanGuidance(Plan((first, second._replace(recall=Recall(0, 0.7)))), 0.5)
    played = keys((0, 64), (24, 61), (48, 67))
    assert guide.expected(played, played[-1]).row in (65, 62), "E is not in Dm: the nearest tone is"
    moved = keys((96, 65))
    assert guide.expected(played + moved, moved[-1]).row == 61, "no chord tone then, so left alone"


def test_closeness_decides_how_strongly():
    exact, close = (PlanGuidance(recalling(c), 0.5).expected(keys((0, 60)), keys((100, 65))[0]) for c in (1.0, 0.5))
    assert (exact.rhythm, exact.pitch) == (COPIED, COPIED)
    assert (close.rhythm, close.pitch) == (RHYTHM / 2, PITCH / 4)
    assert PlanGuidance(recalling(0.0), 0.5).expected(keys((0, 60)), keys((100, 65))[0]) is None
    assert PlanGuidance(PLAN, 0.5).expected(keys((0, 60)), keys((100, 65))[0]) is None
