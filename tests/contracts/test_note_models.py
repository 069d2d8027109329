"""What every note model keeps to, whatever its family: the stand-in of the tests, and each bundle that ships."""

from __future__ import annotations

from itertools import pairwise

import pytest

from instrument.engine.anchoring import make_anchor
from instrument.engine.ipc.messages import AddAnchor, KnobInfo
from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.knobs import checked
from instrument.engine.performance.pad import added
from instrument.engine.performance.patches import Patch, PlayerPatch, list_patches, load_patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.roster import OpenPlayer
from instrument.models.catalog import list_models, open_note_player, open_player
from instrument.music.harmony import KEYS, scale_mask
from instrument.music.notes import Note, Part
from tests.support.live import perform, random_actions
from tests.support.players import open_scale

NOTE_FAMILIES = ("lstm", "transformer", "musicvae")
BAR = 96

SHIPPED = [entry.manifest.slug for entry in list_models() if entry.manifest and entry.manifest.family in NOTE_FAMILIES]


@pytest.fixture(scope="module", params=["scale", *SHIPPED])
def model(request) -> tuple[str, OpenPlayer]:
    return request.param, open_scale if request.param == "scale" else open_note_player


def performance(model: tuple[str, OpenPlayer], players: int = 1, **knobs) -> Performance:
    slug, open_player = model
    return Performance(Patch(knobs=knobs, players=(PlayerPatch(slug),) * players), open_player)


def plan(playing: Performance, until: int) -> None:
    while playing.extend(until):
        pass


def notes(model: tuple[str, OpenPlayer], bars: int, seed: int = 1, *sets: str) -> list[Note]:
    slug, open_player = model
    return [note for _, note in render(Options(slug, bars=bars, seed=seed, sets=sets), open_player).played]


def test_what_is_played_live_is_rendered_bit_for_bit(model):
    playing = performance(model, 2, seed=11)
    perform(playing, random_actions(5, 280, 0.12, live=0.06))
    assert playing.take.heard_count > 50
    assert differences(playing.take, model[1]) == []


def test_what_is_played_on_a_latent_pad_is_rendered_bit_for_bit(model):
    playing = performance(model, 2, seed=12)
    if playing.pads[0] is None:
        pytest.skip("it has no latent space")
    for place in ((-0.5, 0.5), (0.75, 0.1), (0.0, -0.75)):
        playing.anchor(added(playing.pad().anchors, make_anchor(AddAnchor("sample", *place), [playing])))
    (x, y), alone = (playing.pad().anchors[1].x, playing.pad().anchors[1].y), performance(model, 2, seed=12)
    alone.anchor(playing.pad().anchors[1:2])
    for knob, value in {"wander": 0.0, "x": x, "y": y}.items():
        for one in (playing, alone):
            one.set(knob, value)
    for one in (playing, alone):
        plan(one, 4 * BAR)
    assert playing.planned(4 * BAR) == alone.planned(4 * BAR), "the puck on an anchor plays that anchor"
    perform(playing, random_actions(6, 150, 0.2, live=0.05))
    assert differences(playing.take, model[1]) == []


def test_two_renders_with_a_seed_are_the_same_and_seeds_differ(model):
    first = notes(model, 4, 1)
    assert first == notes(model, 4, 1)
    assert first != notes(model, 4, 2)


def test_a_knob_turned_back_before_its_notes_are_committed_restores_the_ghosts(model):
    for seed in range(3):
        playing = performance(model, seed=seed)
        plan(playing, 4 * BAR)
        playing.advance(2 * BAR)
        ghosts = playing.planned(playing.floor + BAR)
        default = playing.values["0/temperature"]
        playing.set("temperature", 0.5)
        plan(playing, playing.floor + BAR // 2)
        playing.set("temperature", default)
        plan(playing, playing.floor + BAR)
        assert playing.planned(playing.floor + BAR) == ghosts


def share_changed(model: tuple[str, OpenPlayer], info: KnobInfo, seeds: int) -> float:
    """Share of the next bar's notes that change in any way when a knob is turned as little as it can be, by a step, or
    by a hundredth of its range where a step is less, from all over it, over seeds."""
    changed = total = 0
    turn = max(info.step, (info.high - info.low) / 100)
    for seed in range(seeds):
        value = info.low + (seed * 0.618034 % 1) * (info.high - turn - info.low)
        assert checked(info, value) != checked(info, value + turn)
        playing = performance(model, seed=seed)
        playing.set(info.id, value)
        plan(playing, 2 * BAR + 2)
        playing.advance(BAR)
        before = {note for _, note in playing.planned(playing.floor + BAR)}
        playing.set(info.id, value + turn)
        plan(playing, 2 * BAR + 2)
        changed += len(before - {note for _, note in playing.planned(playing.floor + BAR)})
        total += len(before)
    assert total > 2 * seeds
    return changed / total


def check_that_few_notes_change(model: tuple[str, OpenPlayer], seeds: int) -> None:
    knobs = [info for info in performance(model).table.of(0) if info.kind == "number"]
    assert knobs
    for info in knobs:
        coarse = info.step > (info.high - info.low) / 100
        assert share_changed(model, info, seeds) <= (0.30 if coarse else 0.10), info.id


def test_a_knob_turned_a_little_changes_few_notes_of_the_next_bar():
    check_that_few_notes_change(("scale", open_scale), 40)


@pytest.mark.trial
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("slug", SHIPPED)
def test_a_knob_turned_a_little_changes_few_notes_of_a_model_that_ships(slug):
    check_that_few_notes_change((slug, open_note_player), 100)


@pytest.mark.parametrize(
    ("key", "scale", "low", "high"),
    [
        ("C", "major", 0, 127),
        ("Eb", "minor pentatonic", 40, 90),
        ("F", "blues", 60, 72),
        ("B", "whole tone", 30, 50),
    ],
)
def test_key_and_range_are_kept(model, key, scale, low, high):
    if set(performance(model).bundles[0].parts) == {Part.DRUMS}:
        pytest.skip("it plays drums alone")
    played = notes(model, 6, 3, f"key={key}", f"scale={scale}", f"low={low}", f"high={high}")
    inside = scale_mask(KEYS.index(key), scale)
    pitches = [note.pitch for note in played if note.part != Part.DRUMS]
    assert pitches
    assert all(inside[pitch % 12] and low <= pitch <= high for pitch in pitches)


def test_notes_are_possible_in_order_and_do_not_cease(model):
    for seed in range(2):
        played = notes(model, 16, seed)
        assert all(a.order < b.order for a, b in pairwise(played))
        assert all(
            0 <= n.pitch <= 127
            and 1 <= n.velocity <= 127
            and n.duration >= 1
            and -4 <= n.micro <= 3
            and n.part in tuple(Part)
            for n in played
        )
        onsets = [0, *(note.tick for note in played), 16 * BAR]
        assert max(b - a for a, b in pairwise(onsets)) <= 2 * BAR


def test_muted_parts_are_silent(model):
    parts = {int(part) for part in performance(model).bundles[0].parts} or set(Part)
    if len(parts) < 2:
        pytest.skip("it plays one part")
    muted = min(parts)
    assert muted not in {note.part for note in notes(model, 4, 1, f"{Part(muted).name.lower()}=0")}
    assert {note.part for note in notes(model, 4, 1)} <= parts


@pytest.mark.parametrize("name", list_patches())
def test_every_patch_that_ships_can_be_played_by_what_ships(name):
    patch = load_patch(name)
    if not {seat.model for seat in patch.players} <= {entry.slug for entry in list_models() if not entry.problem}:
        pytest.skip("its model is not there")
    playing = Performance(patch, open_player)
    plan(playing, 4 * BAR)
    assert (len(playing.advance(4 * BAR)) >= 8) == bool(playing.lines)
    assert playing.current_patch().knobs | patch.knobs == playing.current_patch().knobs
