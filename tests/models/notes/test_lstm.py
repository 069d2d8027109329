"""The player of the shipped bundle: deterministic, rewindable, obedient."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from instrument.models.bundle import open_bundle
from instrument.models.notes.event_player import LONGEST_REST
from instrument.models.notes.lstm import LstmPlayer
from instrument.models.notes.player import Ask
from instrument.music.harmony import scale_mask
from instrument.music.notes import Note, Part
from instrument.music.timebase import Metre, MetreMap

METRES = MetreMap((Metre(0, 4, 4),))


@pytest.fixture(scope="module")
def player() -> LstmPlayer:
    """A player on the shipped bundle."""
    return LstmPlayer(open_bundle(Path(__file__).parents[3] / "models_onnx" / "lstm-band", trusted=True))


def play(player: LstmPlayer, ask: Ask, notes: int, seed: int = 1) -> list[Note]:
    """The first notes of a performance."""
    player.reset(seed, 0, METRES)
    return more(player, ask, notes)


def more(player: LstmPlayer, ask: Ask, notes: int) -> list[Note]:
    """The next notes."""
    out = []
    for _ in range(notes):
        note = player.propose(ask)
        player.feed(note)
        out.append(note)
    return out


def test_the_same_seed_plays_the_same_and_another_does_not(player):
    one = play(player, Ask(), 60)
    assert play(player, Ask(), 60) == one
    assert play(player, Ask(), 60, seed=2) != one
    keys = [n.order for n in one]
    assert keys == sorted(set(keys))


def test_rewinding_and_asking_again_changes_nothing(player):
    one = play(player, Ask(), 60)
    player.rewind(20)
    player.propose(Ask(knobs={"temperature": 2.0, "genre": "pop"}))
    assert more(player, Ask(), 40) == one[20:]
    player.forget_before(30)
    player.rewind(30)
    assert more(player, Ask(), 30) == one[30:]
    with pytest.raises(ValueError, match="was dropped"):
        player.rewind(29)


def test_a_later_floor_keeps_what_lies_after_it(player):
    one = play(player, Ask(), 60)
    at = next(i for i in range(20, 60) if one[i].tick > one[i - 1].tick)
    player.rewind(at)
    assert more(player, Ask(floor=one[at].tick), 60 - at) == one[at:]


def test_nothing_starts_before_the_floor_or_after_the_latest(player):
    one = play(player, Ask(), 20)
    far = one[-1].tick + 1000
    assert player.propose(Ask(floor=far)).tick == far
    assert player.propose(Ask(floor=one[-1].tick + 30)).tick >= one[-1].tick + 30
    assert player.propose(Ask(latest=one[-1].tick + 2)).tick <= one[-1].tick + 2


@pytest.mark.parametrize(("key", "scale"), [(0, "major"), (3, "minor pentatonic"), (7, "blues")])
def test_the_key_is_obeyed(player, key, scale):
    inside = scale_mask(key, scale)
    pitched = [n for n in play(player, Ask(key=key, scale=scale), 80) if n.part != Part.DRUMS]
    assert pitched
    assert all(inside[n.pitch % 12] for n in pitched)
    loose = play(player, Ask(key=key, scale=scale, chromatic=1.0), 80)
    on_beats = [n.pitch for n in loose if n.part != Part.DRUMS and n.tick % 24 == 0]
    assert on_beats
    assert inside[np.array(on_beats) % 12].all()


def test_the_range_is_obeyed_even_where_no_step_of_the_scale_lies_in_it(player):
    notes = play(player, Ask(low=60, high=72, knobs={"genre": "classical"}), 60)
    pitches = [n.pitch for n in notes if n.part != Part.DRUMS]
    assert pitches
    assert 60 <= min(pitches) <= max(pitches) <= 72
    odd = play(player, Ask(low=61, high=61, scale="major", knobs={"genre": "classical"}), 30)
    pitches = {n.pitch for n in odd if n.part != Part.DRUMS}
    assert pitches
    assert pitches <= {60, 62}


def test_only_the_parts_that_may_play_do(player):
    for parts in ({Part.DRUMS}, {Part.MELODY, Part.BASS}):
        notes = play(player, Ask(parts=frozenset(int(p) for p in parts)), 40)
        assert {n.part for n in notes} <= parts


def test_no_long_silence_at_any_temperature(player):
    for temperature in (0.1, 2.0):
        notes = play(player, Ask(knobs={"temperature": temperature}), 60)
        assert max(b.tick - a.tick for a, b in itertools.pairwise(notes)) <= LONGEST_REST


def test_a_switch_of_genre_is_as_if_a_piece_began_and_can_be_taken_back(player):
    pop, folk = (Ask(knobs={"genre": genre}) for genre in ("pop", "folk"))
    one = play(player, pop, 60)
    player.rewind(30)
    other = more(player, folk, 30)
    assert other != one[30:]
    player.rewind(30)
    assert more(player, folk, 30) == other
    player.rewind(30)
    assert more(player, pop, 30) == one[30:]
    player.rewind(30)
    player.propose(folk)
    assert player.count == 30
    primer = player._notes[30:]
    assert primer
    assert all(note.tick <= one[29].tick for note in primer)
    player.propose(Ask(knobs={"genre": "jazz"}))  # at once
    assert player._notes[:30] == one[:30]
    assert player._notes[30:] != primer
    player.propose(folk)
    assert player._notes[30:] == primer


def test_a_switch_keeps_the_key(player):
    asked = {"key": 3, "scale": "minor", "chromatic": 0.0}
    play(player, Ask(knobs={"genre": "pop"}, **asked), 40)
    for genre in ("classical", "rock", "folk"):
        player.rewind(40)
        player.propose(Ask(knobs={"genre": genre}, **asked))
        pitched = [note.pitch % 12 for note in player._notes[40:] if note.part != Part.DRUMS]
        assert np.mean(scale_mask(3, "minor")[pitched]) > 0.6
