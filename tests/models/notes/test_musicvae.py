"""Playing from a latent space: deterministic, rewindable, obedient, and where the space says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from instrument.errors import HocketError
from instrument.models.latent import from_text, slerp, to_text
from instrument.models.notes.key_sense import pitch_folding
from instrument.models.notes.musicvae import LONGEST_REST, MusicVaePlayer
from instrument.models.notes.player import Ask
from instrument.models.sampling import normal
from instrument.music.harmony import scale_mask
from instrument.music.notes import Note, Part
from instrument.music.phrases import HOLD, OFF, STEP_TICKS, tokens
from instrument.music.progressions import parse_progression
from instrument.music.timebase import Metre, MetreMap
from tests.support.phrases import TorchBundle, small_network

METRES = MetreMap((Metre(0, 4, 4),))
KINDS = {
    "conducted melody": {"segment": 8},
    "flat melody": {"conductor": 0},
    "two layers": {"layers": 2, "segment": 16},
    "drums": {"kind": "drums", "segment": 8},
}
GREEDY = Ask(knobs={"temperature": 0.001})


@pytest.fixture(scope="module", params=KINDS)
def player(request) -> MusicVaePlayer:
    torch.set_num_threads(1)
    return MusicVaePlayer(TorchBundle(small_network(**KINDS[request.param])))


@pytest.fixture(scope="module")
def melody() -> MusicVaePlayer:
    return MusicVaePlayer(TorchBundle(small_network(segment=8)))


def play(player: MusicVaePlayer, ask: Ask, count: int, seed: int = 1, metres: MetreMap = METRES) -> list[Note]:
    player.reset(seed, 0, metres)
    return more(player, ask, count)


def more(player: MusicVaePlayer, ask: Ask, count: int) -> list[Note]:
    out = []
    for _ in range(count):
        out.append(player.propose(ask))
        player.feed(out[-1])
    return out


def test_the_same_seed_plays_the_same_and_another_does_not(player):
    one = play(player, Ask(), 60)
    assert play(player, Ask(), 60) == one != play(player, Ask(), 60, seed=2)
    assert all(a.order < b.order for a, b in pairwise(one))
    assert {note.part for note in one} == {player.part}
    assert all(note.tick % STEP_TICKS == 0 and note.duration % STEP_TICKS == 0 for note in one)


def test_rewinding_and_asking_again_changes_nothing(player):
    one = play(player, Ask(), 60)
    player.rewind(20)
    player.propose(Ask(knobs={"temperature": 2.0, "genre": "waltz", "x": 1.0}))
    assert more(player, Ask(), 40) == one[20:]
    player.forget_before(30)
    player.rewind(30)
    assert more(player, Ask(), 30) == one[30:]


def test_whoever_is_told_the_last_notes_of_two_phrases_goes_on_alike(player):
    ask = Ask(knobs={"follow": 1.0})
    one = play(player, ask, 600)
    begin, at = (next(i for i, note in enumerate(one) if note.tick >= bars * 96) for bars in (2, 5))
    player.reset(1, 0, METRES)
    for note in one[begin:at]:
        player.feed(note)
    assert more(player, ask, 600 - at) == one[at:]


def test_a_moved_point_changes_what_is_not_committed_and_nothing_else(player):
    ask = Ask(knobs={"wander": 0.0})
    one = play(player, ask, 40)
    player.rewind(10)
    moved = more(player, Ask(knobs={"wander": 0.0, "x": 1.0, "y": -1.0}), 30)
    assert moved != one[10:]
    assert all(a.order < b.order for a, b in pairwise([*one[:10], *moved]))
    player.rewind(10)
    assert more(player, ask, 30) == one[10:]


def test_nothing_starts_before_the_floor_or_after_the_latest(player):
    one = play(player, Ask(), 20)
    last = one[-1].tick
    assert last + 30 <= player.propose(Ask(floor=last + 30)).tick <= last + 30 + LONGEST_REST
    assert player.propose(Ask(floor=last + 6000)).tick <= last + 6000 + STEP_TICKS
    assert player.propose(Ask(floor=last + 12, latest=last + 24)).tick <= last + 24


def test_a_phrase_is_decoded_as_the_network_would():
    network = small_network(**KINDS["drums"])
    network.out.bias.data[0] = 2.0
    player = MusicVaePlayer(TorchBundle(network))
    z = normal(3, 0, (0, 0, 0), player.space.size)
    made = tokens(np.array(player.decode(z, GREEDY), np.int32), 0, 32, True)
    assert (made > 0).sum() > 4
    assert (made == network.sample(torch.from_numpy(z)[None], torch.Generator(), 1e-3)[0].numpy()).all()


def test_what_is_encoded_is_what_the_encoder_says(melody):
    melody.reset(0, 0, METRES)
    z = normal(3, 0, (0, 0, 0), melody.space.size)
    made = melody.decode(z, GREEDY)
    row = tokens(np.array(made, np.int32), made[0].tick // 96 * 96, 32, False)
    told = small_network(segment=8).encode(torch.from_numpy(row.astype(np.int64))[None])[0]
    np.testing.assert_allclose(melody.encode(made, METRES), told[0].detach().numpy(), atol=1e-5)
    with pytest.raises(HocketError, match="no pitches"):
        melody.encode([Note(0, 0, 36, 6, 80, Part.DRUMS)], METRES)


def test_a_point_that_is_told_is_where_it_stands(melody):
    melody.reset(4, 0, METRES)
    z = from_text(to_text(normal(9, 0, (0, 0, 0), 8)), 8)
    np.testing.assert_allclose(melody.point(3, Ask(knobs={"latent": to_text(z)})), z, atol=1e-6)
    wandering = [melody.point(i, Ask(knobs={"latent": to_text(z), "wander": w})) for i in range(4) for w in (0.2, 1.0)]
    assert len({p.tobytes() for p in wandering}) == 8
    for text in ("no point", to_text(np.ones(9, np.float32)), to_text(np.full(8, np.nan, np.float32))):
        with pytest.raises(HocketError, match="point"):
            from_text(text, 8)


def test_homes_are_drawn_among_landmarks_and_the_first_of_a_section_returns():
    bundle = TorchBundle(small_network(segment=8))
    rng = np.random.default_rng(3)
    bundle.map |= {"landmarks": rng.normal(size=(40, 8)).astype(np.float16), "landmark_genres": np.arange(40) % 2}
    player = MusicVaePlayer(bundle)
    player.reset(4, 0, METRES)
    homes = [player.point(i, Ask(knobs={"genre": "waltz", "wander": 1e-9})) for i in range(32)]
    waltzes = bundle.map["landmarks"][1::2]
    assert all(np.abs(waltzes - home).max(1).min() < 1e-5 for home in homes)
    alike = [[np.allclose(a, b, atol=1e-5) for a in homes] for b in homes]
    assert all(alike[section][section + 4 * i] for section in (0, 16) for i in range(4))  # every eight bars
    assert sum(alike[0]) < 12
    assert all(
        np.array_equal(player.point(i, Ask(knobs={"genre": "waltz"})), player.point(0, Ask(knobs={"genre": "waltz"})))
        for i in range(20)
    )  # it stays where it does not wander
    assert len({player.space.sample("march", seed).tobytes() for seed in range(40)}) > 5
    bundle.map["landmark_genres"] = np.arange(39)
    with pytest.raises(HocketError, match="landmarks do not fit"):
        MusicVaePlayer(bundle)


def test_arcs_keep_their_length_and_are_walked_evenly():
    a, b = normal(1, 0, (0, 0, 0), 64), normal(2, 0, (0, 0, 0), 64)
    way = [slerp(a, b, t) for t in np.linspace(0, 1, 17)]
    lengths = [np.linalg.norm(p) for p in way]
    steps = [np.linalg.norm(q - p) for p, q in pairwise(way)]
    assert (way[0] == a).all()
    assert (way[-1] == b).all()
    np.testing.assert_allclose(lengths, np.linspace(lengths[0], lengths[-1], 17), rtol=1e-5)
    assert max(steps) < 1.1 * min(steps)


@pytest.mark.parametrize(
    ("key", "scale", "low", "high"),
    [
        (0, "major", 0, 127),
        (7, "blues", 60, 72),
        (2, "major", 30, 50),
    ],
)
def test_key_and_range_are_kept(melody, key, scale, low, high):
    inside = scale_mask(key, scale)
    strict = play(melody, Ask(key=key, scale=scale, low=low, high=high), 60)
    assert all(inside[n.pitch % 12] and low <= n.pitch <= high for n in strict)
    loose = play(melody, Ask(key=key, scale=scale, low=low, high=high, chromatic=1.0), 60)
    on_beats = [n.pitch for n in loose if n.tick % 24 == 0]
    assert on_beats
    assert inside[np.array(on_beats) % 12].all()
    odd = play(melody, Ask(low=61, high=61, scale="major"), 20)
    assert all(n.pitch in (60, 62) for n in odd)


def test_the_chords_of_a_plan_are_kept_to_as_harmony_says(melody):
    plan = parse_progression("C | F#", key=(0, "major")).repeated(64)
    shares = []
    for harmony in (0.0, 1.0):
        notes = play(melody, Ask(harmony=harmony, plan=plan), 100)
        strong = [note for note in notes if note.tick % 24 == 0]
        assert len(strong) >= 20
        shares.append(np.mean([note.pitch % 12 in plan.chord_at(note.tick).tones for note in strong]))
    assert shares[1] > shares[0] + 0.1
    for note in notes:
        change = plan.next_change(note.tick)
        assert note.duration <= change.ticks or note.pitch % 12 in change.chord.tones


def test_under_a_plan_notes_asked_for_again_are_the_same(melody):
    ask = Ask(plan=parse_progression("Dm7 | G7", key=(0, "major")).repeated(64))
    notes = play(melody, ask, 40)
    melody.rewind(15)
    assert more(melody, ask, 25) == notes[15:]


def test_what_may_not_sound_goes_to_the_same_tone_in_another_octave():
    may, to = pitch_folding(0, "major", 48, 59, True)
    assert np.flatnonzero(may).tolist() == [48, 50, 52, 53, 55, 57, 59]
    assert to[[60, 74, 36, 61]].tolist() == [48, 50, 48, 48]


def test_live_notes_are_told_to_the_decoder(player):
    drums = player.shape.drums
    player.reset(1, 0, METRES)
    live = (
        [Note(0, 1, 38, 9, 90, Part.DRUMS), Note(20, -2, 41, 9, 90, Part.DRUMS)]
        if drums
        else [
            Note(0, 1, 60, 30, 90, Part.MELODY),
            Note(0, 1, 64, 40, 90, Part.MELODY),
            Note(50, -2, 67, 9, 90, Part.MELODY),
        ]
    )
    for note in live:
        player.feed(note)
    rest = more(player, Ask(), 30)
    told = [2, 0, 0, 8] if drums else [64, HOLD, HOLD, HOLD, HOLD, HOLD, HOLD, OFF, 67]
    player.rewind(len(live))
    assert player._played_tokens(0).tokens[: len(told)] == told
    assert all(a.order < b.order for a, b in pairwise([*live, *rest]))
    player.rewind(len(live))
    player.feed(Note(500, 0, 30, 9, 90, Part.BASS))  # of no part that it plays, and off its grid
    assert player.propose(Ask()).tick > 494


@pytest.mark.parametrize(("numerator", "denominator"), [(3, 4), (5, 4), (7, 8), (12, 8), (1, 4)])
def test_other_metres_are_filled_too(player, numerator, denominator):
    metres = MetreMap((Metre(0, numerator, denominator),))
    notes = play(player, Ask(), 40, metres=metres)
    assert all(a.order < b.order for a, b in pairwise(notes))
    assert max(b.tick - a.tick for a, b in pairwise(notes)) <= LONGEST_REST + STEP_TICKS


def test_a_bundle_that_does_not_fit_together_is_named():
    bundle = TorchBundle(small_network())
    del bundle.map["touch"]
    with pytest.raises(HocketError, match="touch"):
        MusicVaePlayer(bundle)
    bundle = TorchBundle(small_network())
    bundle.map["directions"] = bundle.map["directions"][:2]
    with pytest.raises(HocketError, match="directions"):
        MusicVaePlayer(bundle)
    bundle.manifest.codec["segments"] = 3
    with pytest.raises(HocketError, match="segments"):
        MusicVaePlayer(bundle)
