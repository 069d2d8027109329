"""The knob Guidance: the plan against the same without it, by the players that ship."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.models.catalog import open_note_player
from instrument.models.manifest import Manifest
from instrument.models.notes.player import Ask
from instrument.models.notes.steering import Steering
from instrument.music.notes import Note, Part
from instrument.music.progressions import parse_progression
from instrument.music.timebase import MetreMap

PLAN = parse_progression("C | F | G7 | Am").repeated(24, 0.0)
BAR = 96


def ask(manifest: Manifest, guidance: float, plan=PLAN, harmony: float = 0.5) -> Ask:
    own = {knob.id: knob.default for knob in manifest.knobs}
    own |= {"genre": "pop", "style": 1.0, "guidance": guidance}
    return Ask(knobs=own, plan=plan, harmony=harmony)


@pytest.fixture(scope="module", params=["lstm-band", "transformer-band"])
def opened(request):
    return open_note_player(request.param)


def primed(player, asked: Ask, count: int = 24):
    """The player after some notes of its own at guidance 1, and these notes."""
    player.reset(3, 0, MetreMap())
    notes = []
    for _ in range(count):
        notes.append(player.propose(asked))
        player.feed(notes[-1])
    return notes


def test_lanes_are_weighed_by_their_scales():
    weigh = Steering.guided
    told, plain, free = np.eye(3, dtype=np.float32)
    assert weigh(told[None], 1.0, 1.0).tolist() == [1, 0, 0]
    assert weigh(np.stack([told, plain]), 3.0, 1.0).tolist() == [3, -2, 0]
    assert weigh(np.stack([told, free]), 1.0, 2.5).tolist() == [2.5, 0, -1.5]
    assert weigh(np.stack([told, plain, free]), 3.0, 2.5).tolist() == [4.5, -2, -1.5]
    assert weigh(told[None], 3.0, 2.5).tolist() == [1, 0, 0], "a field without lanes"


def test_tones_of_the_chord_become_likelier_and_others_less_so(opened):
    manifest, player = opened
    plain, strong = ask(manifest, 1.0, harmony=0.01), ask(manifest, 2.5, harmony=0.01)  # next to no mask
    tick = primed(player, plain)[-1].tick
    chord = PLAN.chord_at(tick + 12)
    assert chord is not None
    gains: dict[bool, list[float]] = {True: [], False: []}
    for pitch in range(60, 72):
        note = Note(tick + 12, 0, pitch, 24, 90, Part.CHORDS)
        gain = player.log_likelihood(note, strong) - player.log_likelihood(note, plain)
        gains[pitch % 12 in chord.tones].append(gain)
    assert np.mean(gains[True]) > np.mean(gains[False]) + 1


def test_at_one_and_without_a_plan_it_is_off(opened):
    manifest, player = opened
    without = {name: value for name, value in ask(manifest, 1.0).knobs.items() if name != "guidance"}
    usual = primed(player, Ask(knobs=without, plan=PLAN))
    assert primed(player, ask(manifest, 1.0)) == usual
    assert primed(player, ask(manifest, 2.5)) != usual
    assert primed(player, ask(manifest, 2.5, plan=None)) == primed(player, ask(manifest, 1.0, plan=None))
    assert primed(player, ask(manifest, 2.5, harmony=0.0)) == primed(player, ask(manifest, 1.0, harmony=0.0))


def test_it_is_turned_while_playing_and_back(opened):
    manifest, player = opened
    plain, strong = ask(manifest, 1.0), ask(manifest, 2.0)
    notes = primed(player, plain)
    here = player.propose(plain)
    other = player.propose(strong)
    assert player.propose(plain) == here
    assert player.propose(strong) == other
    player.rewind(10)
    for note in notes[10:]:
        player.feed(note)
    assert player.propose(strong) == other, "what it does follows from the notes and the knobs alone"
