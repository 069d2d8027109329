"""Undo and redo: what a step changed comes back, and nothing else; and it is rendered as it was heard."""

from __future__ import annotations

import random

import pytest

from instrument.engine.ipc.messages import Anchor
from instrument.engine.note_thread import NoteThread
from instrument.engine.offline.render import differences
from instrument.engine.performance.acts.asking import ask_for
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.restoring import go_to
from instrument.engine.surface.history import SAME_STEP_S
from instrument.errors import HocketError
from instrument.io.clocks import ManualClock
from tests.support.sound.players import open_any

BAND = Patch(name="Band", players=(PlayerPatch("scale"), PlayerPatch("sines")))


class Rig:
    """A band without threads and devices, and a clock for its history."""

    def __init__(self, patch: Patch = BAND) -> None:
        self.seconds = 0.0
        self.notes = NoteThread(ManualClock(0), ModelPool(open_any), patch, ())
        self.history._clock = lambda: self.seconds

    @property
    def history(self):
        return self.notes.view.history

    @property
    def patch(self) -> Patch:
        return self.notes.view.snapshot.patch

    def turn(self, name: str, value: object, after: float = 10.0) -> None:
        self.seconds += after
        self.notes.turn(self.notes.performance.table.find(name), value)

    def undo(self, redo: bool = False) -> None:
        go_to(self.notes, self.history.take(redo))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_knobs_come_back_one_after_the_other(rig):
    first = rig.patch
    rig.turn("0/temperature", 0.5)
    second = rig.patch
    rig.turn("band/tempo", 90)
    assert rig.history.undoes == "Tempo"
    rig.undo()
    assert (rig.patch, rig.history.undoes, rig.history.redoes) == (second, "temperature", "Tempo")
    rig.undo()
    assert (rig.patch, rig.history.undoes) == (first, "")
    with pytest.raises(HocketError, match="nothing to undo"):
        rig.undo()
    rig.undo(redo=True)
    rig.undo(redo=True)
    assert rig.patch.knobs["tempo"] == 90
    rig.undo()
    rig.turn("band/tempo", 100)
    with pytest.raises(HocketError, match="nothing to redo"):
        rig.undo(redo=True)


def test_a_drag_is_one_step_however_long_it_rests(rig):
    before = rig.patch
    rig.history.gesture = 7
    for value in (0.9, 0.8, 0.7):
        rig.turn("0/temperature", value, after=SAME_STEP_S * 3)
    rig.history.gesture = 8
    rig.turn("0/temperature", 0.5)
    rig.undo()
    assert rig.patch.players[0].knobs["temperature"] == 0.7
    rig.undo()
    assert rig.patch == before


def test_what_a_controller_turns_quickly_is_one_step(rig):
    before = rig.patch
    for value in (0.9, 0.8, 0.7):
        rig.turn("0/temperature", value, after=SAME_STEP_S / 2)
    rig.undo()
    assert rig.patch == before


def test_what_changed_since_by_other_means_stays(rig):
    rig.turn("0/temperature", 0.5)
    rig.notes.steer(77, 0.0)  # as a clock outside does
    rig.turn("1/level", -6)
    rig.undo()
    rig.undo()
    assert (rig.patch.knobs["tempo"], rig.patch.players[0].knobs["temperature"]) == (77, 1.0)


def test_players_come_back_and_leave_again(rig):
    before = rig.patch
    rig.turn("1/pitch", 60)
    turned = rig.patch
    rig.notes.remove(1)
    assert rig.history.undoes == "players"
    rig.undo()
    assert rig.patch == turned
    rig.undo(redo=True)
    assert len(rig.patch.players) == 1
    rig.undo()
    rig.undo()
    assert rig.patch == before
    rig.notes.load("scale-2", 0)
    rig.undo()
    assert rig.patch == before


def test_a_patch_comes_back_as_it_was_unsaved(rig):
    rig.turn("0/temperature", 0.5)
    before = rig.patch
    rig.notes.use(Patch(name="Other", knobs={"tempo": 60.0}, players=(PlayerPatch("scale-2"), PlayerPatch("scale"))))
    assert rig.history.undoes == "patch Other"
    rig.undo()
    assert rig.patch == before
    rig.undo(redo=True)
    assert (rig.patch.name, rig.patch.knobs["tempo"]) == ("Other", 60.0)


def test_anchors_and_mutes_come_back(rig):
    before = rig.patch
    rig.turn("band/drums", "off")
    rig.undo()
    assert rig.patch == before
    with pytest.raises(HocketError):
        rig.notes.anchor(lambda _: (Anchor("a", 0, 0),))
    assert rig.history.undoes == ""


def test_chords_that_were_written_come_back(rig):
    rig.turn("band/plan", "four-chords")
    for text in ("Dm7 G7", "Cmaj7"):
        rig.notes.act(lambda performance, text=text: performance.write_chords(5, text))
        rig.seconds += 10
    rig.undo()
    assert dict(rig.notes.performance.written_chords) == {5: "Dm7 G7"}
    rig.undo()
    assert not rig.notes.performance.written_chords
    rig.undo(redo=True)
    assert dict(rig.notes.performance.written_chords) == {5: "Dm7 G7"}
    assert rig.history.undoes == "chords"
    rig.notes.act(lambda performance: performance.play_typed("Am | F"))
    rig.undo()
    assert (rig.patch.progression, rig.patch.knobs["plan"]) == ("", "four-chords")


def test_what_waits_for_the_bar_is_taken_back(rig):
    rig.notes.performance.advance(30)
    before = rig.patch
    rig.turn("0/genre", "waltz")
    rig.undo()
    assert rig.patch == before
    assert rig.notes.performance.waiting.tick is None


def test_another_seed_at_the_start_is_no_step():
    rig = Rig(Patch(knobs={"new_seed": 1.0}, players=(PlayerPatch("scale"),)))
    seed = rig.patch.knobs["seed"]
    rig.notes._begin(None)
    assert rig.patch.knobs["seed"] != seed
    assert rig.history.undoes == ""


def test_random_steps_all_come_back_and_are_rendered_as_they_were_heard(rig):
    chance, performance, moments = random.Random(3), rig.notes.performance, []
    for number in range(60):
        while performance.extend(performance.floor + 96):
            pass
        performance.advance(performance.floor + chance.randrange(1, 40))
        rig.seconds += 10
        moments.append(rig.patch)
        match chance.randrange(4):
            case 0:
                rig.notes.performance.load(chance.choice(["scale", "scale-2"]), 0)
                rig.notes.set_fields()
            case 1:
                rig.turn(chance.choice(["band/drums", "band/melody"]), chance.choice(["off", "auto", "on"]))
            case _:
                ask_for(performance, performance.table.find("temperature"), chance.uniform(0.1, 2.0))
                rig.notes.set_fields()
        if number % 3 == 2 and rig.history.undoes:
            rig.undo()
    while rig.history.undoes:
        rig.undo()
    assert rig.patch == moments[0]
    performance.stop(performance.floor)
    assert not differences(performance.take, open_any)


def test_an_undone_knob_opens_no_model(rig):
    rig.turn("0/temperature", 0.5)
    opened = []
    give = rig.notes.models._open
    rig.notes.models._open = lambda slug: opened.append(slug) or give(slug)
    rig.undo()
    assert not opened
