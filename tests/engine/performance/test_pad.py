"""The latent pad: what lies between anchors, what a moved puck changes, and that takes play it again."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from instrument.engine.anchoring import just_played, make_anchor
from instrument.engine.ipc.messages import AddAnchor, Anchor
from instrument.engine.midi_reading import read_beginning
from instrument.engine.note_thread import NoteThread
from instrument.engine.offline.render import differences
from instrument.engine.performance import pad
from instrument.engine.performance.anchors import latent_at, on_pad, sphere_mean
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.patches import Patch, PlayerPatch, load_patch, save_patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import TakeRecorder, load_take
from instrument.engine.pool.model_pool import ModelPool
from instrument.errors import HocketError
from instrument.io.clocks import ManualClock
from instrument.models.latent import LatentPath, from_text, slerp, to_text
from instrument.models.notes.pacing import point_at
from instrument.music.midifile import write_midi
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import Metre, MetreMap
from instrument.processes import PROCESSES
from tests.support.live import perform, random_actions
from tests.support.phrases import SMALL, open_vae
from tests.support.players import open_scale

BAR = 96
SIZE = SMALL["latent"]
TUNE = [Note(12 * i, 0, 60 + (i * 7) % 12, 10, 90, Part.MELODY) for i in range(16)]


def anchor(name: str, x: float, y: float, seed: int | None = None, size: int = SIZE) -> Anchor:
    rng = np.random.default_rng(sum(map(ord, name)) if seed is None else seed)
    return Anchor(name, x, y, to_text(rng.standard_normal(size)))


THREE = (anchor("a", -0.5, -0.5), anchor("b", 0.5, -0.25), anchor("c", 0.0, 0.75))


def performance(*anchors: Anchor, **knobs: float | str) -> Performance:
    return Performance(Patch(players=(PlayerPatch("vae", {"wander": 0.0, **knobs}, anchors),)), open_vae)


def plan(playing: Performance, until: float) -> None:
    while playing.extend(until):
        pass


# Between anchors

places = st.floats(-1, 1)
some_anchors = st.lists(st.tuples(places, places, st.integers(0, 99)), min_size=1, max_size=6,
                        unique_by=lambda a: (round(a[0], 2), round(a[1], 2)))  # fmt: skip


def made(places: list[tuple[float, float, int]], size: int = SIZE) -> tuple[Anchor, ...]:
    return tuple(anchor(f"n{i}", x, y, seed, size) for i, (x, y, seed) in enumerate(places))


@given(some_anchors)
def test_each_anchor_is_exact_where_it_stands(places):
    anchors = made(places)
    for one in anchors:
        assert latent_at(anchors, one.x, one.y, SIZE) == one.latent


@given(some_anchors, places, places)
def test_shares_are_shares(given_places, x, y):
    counts = pad.anchor_weights(made(given_places), x, y)
    assert min(counts) >= 0
    assert sum(counts) == pytest.approx(1)


@settings(deadline=None)
@given(some_anchors, places, places)
def test_lengths_are_kept(given_places, x, y):
    anchors = made(given_places, 128)
    lengths = [float(np.linalg.norm(from_text(one.latent, 128))) for one in anchors]
    length = np.linalg.norm(from_text(latent_at(anchors, x, y, 128), 128))
    assert length == pytest.approx(float(np.dot(pad.anchor_weights(anchors, x, y), lengths)), rel=2e-3)
    assert min(lengths) * 0.99 <= length <= max(lengths) * 1.01


@settings(deadline=None)
@given(some_anchors, places, places, st.floats(0, 6.28))
def test_a_small_move_is_a_small_change(given_places, x, y, angle):
    """Also onto an anchor: half precision adds a little."""
    anchors = made(given_places, 128)
    before = from_text(latent_at(anchors, x, y, 128), 128)
    for reach in (1e-3, 1e-5):
        after = from_text(latent_at(anchors, x + reach * np.cos(angle), y + reach * np.sin(angle), 128), 128)
        closest = min((np.hypot(a.x - b.x, a.y - b.y) for a, b in combinations(anchors, 2)), default=np.inf)
        bound = 60 * reach / closest
        assert np.linalg.norm(after - before) <= bound + 0.02


def test_between_two_it_is_slerp_and_even():
    two = (anchor("from", -0.8, 0.4, size=128), anchor("to", 0.6, -0.9, size=128))
    a, b = (from_text(one.latent, 128) for one in two)
    path = []
    for t in np.linspace(0, 1, 17):
        x, y = (float((1 - t) * start + t * end) for start, end in ((two[0].x, two[1].x), (two[0].y, two[1].y)))
        point = from_text(latent_at(two, x, y, 128), 128)
        assert np.abs(point - slerp(a, b, float(t))).max() < 4e-3
        path.append(point)
    steps = [float(np.linalg.norm(after - before)) for before, after in pairwise(path)]
    assert max(steps) < 1.2 * np.mean(steps)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=12), st.floats(0.01, 0.99))
def test_two_anchors_go_by_their_way(changes, share):
    two = (anchor("from", -0.8, 0.4, size=128), anchor("to", 0.6, -0.9, size=128))
    a, b = (from_text(one.latent, 128) for one in two)
    come = np.concatenate([[0], np.cumsum(np.array(changes) + 1e-3)])
    bend = 0.03 * np.random.default_rng(1).standard_normal(128).astype(np.float32)
    way = LatentPath(come / come[-1], np.linspace(0, 1, len(come)), bend)
    x, y = (float((1 - share) * start + share * end) for start, end in ((-0.8, 0.6), (0.4, -0.9)))
    point = from_text(latent_at(two, x, y, 128, lambda *_: way), 128)
    assert np.abs(point - point_at(a, b, way, share)).max() < 4e-3


@settings(deadline=None, max_examples=30)
@given(some_anchors, places, places)
def test_an_even_pace_changes_nothing(given_places, x, y):
    anchors = made(given_places, 128)
    paced = latent_at(
        anchors, x, y, 128, lambda *_: LatentPath(np.array([0, 1]), np.array([0, 1]), np.zeros(128, np.float32))
    )
    assert np.abs(from_text(paced, 128) - from_text(latent_at(anchors, x, y, 128), 128)).max() < 4e-3


def test_a_measured_way_goes_from_end_to_end_and_back_again_the_same():
    _, player = open_vae("vae")
    a, b = np.random.default_rng(3).standard_normal((2, SIZE)).astype(np.float32)
    way = player.pace(a, b)
    for row in (way.progress, way.angles):
        assert row[0] == 0
        assert row[-1] == 1
        assert (np.diff(row) > 0).all()
    for share in np.linspace(0, 1, 9):
        np.testing.assert_allclose(point_at(b, a, player.pace(b, a), 1 - share), point_at(a, b, way, share), atol=1e-5)


def test_the_mean_on_the_sphere_where_there_is_none():
    opposite = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert np.isfinite(sphere_mean(opposite, np.array([0.5, 0.5]))).all()
    assert np.isfinite(sphere_mean(opposite, np.array([0.3, 0.7]))).all()
    assert sphere_mean(np.zeros((2, 3)), np.array([0.5, 0.5])).tolist() == [0, 0, 0]


def test_without_anchors_the_puck_moves_the_model_along_its_own_directions():
    _, player = open_vae("vae")
    told = on_pad(player, {"x": 0.5, "y": -1.0}, ())
    assert told == {"x": 0.5, "y": -1.0}
    assert on_pad(player, told, THREE)["x"] == 0
    assert on_pad(open_scale("scale")[1], told, THREE) == told


# The list of anchors


def test_anchors_get_names_and_places_of_their_own():
    anchors: tuple[Anchor, ...] = ()
    for _ in range(pad.MAX_ANCHORS):
        anchors = pad.added(anchors, anchor("Sample", 0.97, 0.97))
    assert (anchors[0].x, anchors[0].y) == (0.97, 0.97)
    assert [a.name for a in anchors[:3]] == ["Sample", "Sample 2", "Sample 3"]
    assert len({a.name for a in anchors}) == pad.MAX_ANCHORS
    apart = [np.hypot(a.x - b.x, a.y - b.y) for a in anchors for b in anchors if a is not b]
    assert min(apart) >= pad.MIN_DISTANCE
    assert all(-1 <= place <= 1 for a in anchors for place in (a.x, a.y))
    with pytest.raises(HocketError, match="16 anchors: remove one"):
        pad.added(anchors, anchor("one more", 0, 0))


def test_anchors_are_renamed_moved_and_removed():
    assert [a.name for a in pad.changed(THREE, "b", to="  the  bridge ")] == ["a", "the bridge", "c"]
    assert pad.changed(THREE, "b", to="a")[1].name == "a 2"
    moved = pad.changed(THREE, "b", x=0.0, y=0.0)[1]
    assert (moved.name, moved.x, moved.y, moved.latent) == ("b", 0.0, 0.0, THREE[1].latent)
    assert pad.removed(THREE, "b") == (THREE[0], THREE[2])
    with pytest.raises(HocketError, match="no anchor 'd' on the pad: choose one of a, b, c"):
        pad.removed(THREE, "d")


# What is heard


def test_a_moved_puck_changes_what_is_planned_and_nothing_committed():
    playing = performance(*THREE, x=THREE[0].x, y=THREE[0].y)
    plan(playing, 4 * BAR)
    heard = playing.advance(BAR)
    ghosts = playing.planned(3 * BAR)
    floor = playing.floor
    playing.set("x", THREE[2].x)
    playing.set("y", THREE[2].y)
    plan(playing, 4 * BAR)
    moved = playing.planned(3 * BAR)
    assert moved != ghosts
    assert min(note.tick for _, note in moved) >= floor
    assert [note for _, note in playing.take.heard()] == [note for _, note in heard]
    playing.set("x", THREE[0].x)
    playing.set("y", THREE[0].y)
    plan(playing, 4 * BAR)
    assert playing.planned(3 * BAR) == ghosts, "back again, the same ghosts"


def test_the_puck_on_an_anchor_plays_that_anchor():
    alone = performance(THREE[1])
    among = performance(*THREE, x=THREE[1].x, y=THREE[1].y)
    for playing in (alone, among):
        plan(playing, 4 * BAR)
    assert among.planned(4 * BAR) == alone.planned(4 * BAR)
    _, player = open_vae("vae")
    player.reset(0, 0, MetreMap(among.metres.metres))
    ask = among.lines[0].ask
    straight = player.decode(from_text(THREE[1].latent, SIZE), ask, 0)
    assert [note for _, note in among.planned(2 * BAR)] == straight


def test_a_take_with_moves_and_new_anchors_is_rendered_note_for_note(tmp_path):
    playing = performance(*THREE[:2], seed=3)
    rng = np.random.default_rng(5)
    for step in range(90):
        for _ in range(6):
            playing.extend(playing.floor + 192)
        playing.advance(12.0 * step, 12.0 * step - 1)
        if step % 3 == 0:
            playing.set("x", float(rng.uniform(-1, 1)))
            playing.set("y", float(rng.uniform(-1, 1)))
        if step == 20:
            playing.anchor(pad.added(playing.pad().anchors, THREE[2]))
        if step == 40:
            playing.anchor(pad.removed(playing.pad().anchors, "a"))
    playing.stop(1080)
    assert playing.take.heard_count > 20
    recorder = TakeRecorder(tmp_path / "moves.take.json", playing.take)
    recorder.close()
    take = load_take(tmp_path / "moves.take.json")
    assert [e.anchors for e in take.entries if getattr(e, "anchors", None) is not None] == [THREE, THREE[1:]]
    assert differences(take, open_vae) == []


def test_random_performances_on_the_pad_are_rendered_note_for_note():
    patch = Patch(players=(PlayerPatch("vae", {}, THREE), PlayerPatch("drums", {}, THREE)))
    playing = Performance(patch, open_vae)
    perform(playing, random_actions(8, 120, 0.25, live=0.06))
    assert playing.take.heard_count > 20
    assert differences(playing.take, open_vae) == []


# What is kept


def test_anchors_are_kept_in_the_patch(tmp_path):
    playing = performance(*THREE)
    save_patch(playing.current_patch(), str(tmp_path / "pad"))
    kept = load_patch(str(tmp_path / "pad.json"))
    assert kept.players[0].anchors == THREE
    assert Performance(kept, open_vae).pads == (THREE,)


def test_anchors_of_another_model_are_passed_over_and_never_taken():
    strange = anchor("strange", 0, 0, size=5)
    broken = replace(strange, latent="?")
    assert performance(strange, THREE[0], broken).pads == ((THREE[0],),)
    playing = performance(THREE[0])
    with pytest.raises(HocketError, match="not of player 0's model"):
        playing.anchor((strange,))
    assert playing.pads == ((THREE[0],),)
    playing.load("scale")
    assert playing.pads == (None,)
    with pytest.raises(HocketError, match="has no latent pad"):
        playing.pad()
    playing.load("vae")
    assert playing.pads == ((THREE[0],),), "a model that comes back has its anchors"


# Where they come from


def wanted(source: str, what: str = "") -> AddAnchor:
    return AddAnchor(source, 0.25, 0.5, what)


def test_a_file_becomes_the_anchor_that_its_notes_are(tmp_path):
    bass = [note._replace(pitch=note.pitch - 24, part=Part.BASS) for note in TUNE]
    piece = Piece(np.array(sorted(TUNE + bass, key=lambda n: n.order), np.int32), (Metre(0, 4, 4),))
    write_midi(piece, tmp_path / "tune.mid")
    playing = performance()
    plan(playing, 2 * BAR)
    ghosts = playing.planned(2 * BAR)
    found = make_anchor(wanted("file", str(tmp_path / "tune.mid")), [playing])
    assert (found.name, found.x, found.y) == ("tune", 0.25, 0.5)
    _, alone = open_vae("vae")
    assert found.latent == to_text(alone.encode(TUNE, MetreMap())), "the melody alone, as the band has one"
    assert playing.planned(2 * BAR) == ghosts, "who plays is not disturbed"


def test_files_that_cannot_be_anchors_are_refused_in_one_line(tmp_path):
    (tmp_path / "noise.mid").write_bytes(b"MThd nothing")
    drums = np.array([note._replace(pitch=38, part=Part.DRUMS) for note in TUNE], np.int32)
    write_midi(Piece(drums, (Metre(0, 4, 4),)), tmp_path / "drums.mid")
    write_midi(Piece(np.zeros((0, 6), np.int32)), tmp_path / "empty.mid")
    says = {"noise": "cannot be read", "drums": "no pitches in it", "empty": "no notes", "missing": "missing.mid"}
    for name, text in says.items():
        with pytest.raises(HocketError, match=text) as error:
            make_anchor(wanted("file", str(tmp_path / f"{name}.mid")), [performance()])
        assert "\n" not in str(error.value)
        assert f"{name}.mid" in str(error.value)


def test_only_the_beginning_of_a_file_is_taken_and_bad_ones_end_another_process(tmp_path, monkeypatch):
    far = [note._replace(tick=note.tick + 24 * 1000) for note in TUNE]
    late = [note._replace(tick=note.tick + 24 * 500, part=Part.BASS) for note in TUNE]
    write_midi(Piece(np.array(sorted([*TUNE, *far, *late], key=lambda n: n.order), np.int32)), tmp_path / "long.mid")
    piece = read_beginning(str(tmp_path / "long.mid"))
    assert [note for note in piece.as_notes() if note.part == Part.MELODY] == TUNE
    assert [note for note in piece.as_notes() if note.part == Part.BASS] == late
    monkeypatch.setitem(PROCESSES, "midi-file", "instrument.nothing")  # stands for one that crashes
    with pytest.raises(HocketError, match=r"long\.mid cannot be read: that takes more than 15 s, or ends its process"):
        read_beginning(str(tmp_path / "long.mid"))


def test_what_was_just_played_is_captured():
    playing = performance()
    with pytest.raises(HocketError, match="nothing has been played yet"):
        make_anchor(wanted("phrase"), [playing])
    plan(playing, 6 * BAR)
    playing.advance(4 * BAR + 10)
    own = [note for _, note in playing.take.heard() if note.tick >= 2 * BAR]
    assert just_played(playing, 0, 2) == own
    found = make_anchor(wanted("phrase"), [playing])
    _, alone = open_vae("vae")
    assert found.latent == to_text(alone.encode(own, MetreMap()))
    assert make_anchor(wanted("phrase"), [performance(), playing]).latent == found.latent, "of the last performance"


def test_what_a_person_played_is_captured_rather_than_the_player():
    playing = performance()
    plan(playing, 6 * BAR)
    playing.advance(4 * BAR)
    for tick, pitch in ((3 * BAR, 60), (3 * BAR + 24, 64), (3 * BAR + 48, 67)):
        playing.listen([LiveNote(0, Note(tick, 0, pitch, 12, 90, Part.MELODY))])
        playing.release(0, pitch, tick + 20)
    captured = just_played(playing, 0, 2)
    assert [(note.pitch, note.duration) for note in captured] == [(60, 20), (64, 20), (67, 20)]
    assert make_anchor(wanted("phrase"), [playing]).name == "Phrase"


def test_samples_and_genres():
    playing = performance()
    first, second = (make_anchor(wanted("sample"), [playing]) for _ in range(2))
    assert first.latent != second.latent
    space = open_vae("vae")[1].space
    for genre, name in (("waltz", "Waltz"), ("none", "All genres")):
        found = make_anchor(wanted("genre", genre), [playing])
        assert (found.name, found.latent) == (name, to_text(space.anchor(genre)))
    with pytest.raises(HocketError, match="unknown genre 'polka': choose one of none, march, waltz"):
        make_anchor(wanted("genre", "polka"), [playing])


def test_a_player_without_a_latent_space_has_no_pad():
    playing = Performance(Patch(players=(PlayerPatch("scale"),)), open_vae)
    for player in (0, 1):
        with pytest.raises(HocketError, match="has no latent pad"):
            make_anchor(replace(wanted("sample"), player=player), [playing])


def test_two_midi_controllers_move_the_puck():
    patch = Patch(players=(PlayerPatch("vae", {"wander": 0.0}, THREE),))
    notes = NoteThread(ManualClock(0), ModelPool(open_vae), patch, ())
    for number, axis in ((20, "x"), (21, "y")):
        notes.midi_learn.learn(axis, 0, True)
        notes.midi_learn.control([(0, bytes((0xB0, number, 64)))])
    notes.midi_learn.control([(0, bytes((0xB0, 20, 127))), (0, bytes((0xB0, 21, 0)))])
    assert (notes.view.snapshot.values["0/x"], notes.view.snapshot.values["0/y"]) == (1.0, -1.0)
    line = notes.performance.lines[0]
    assert line.ask.knobs["latent"] == latent_at(THREE, 1.0, -1.0, SIZE, line.player.pace)
    assert {each.number: each.name for each in notes.view.snapshot.patch.routing.bindings} == {20: "0/x", 21: "0/y"}
    notes.anchor(lambda anchors: pad.removed(anchors, "a"))
    assert notes.view.snapshot.pads == (THREE[1:],)
