"""What clients are told when knobs turn: what changed, and no more."""

from types import SimpleNamespace

import pytest

from instrument.engine.describing import Describer
from instrument.engine.devices import AUDIO, MIDI, MIDI_IN
from instrument.engine.ipc.encoding import encode
from instrument.engine.ipc.messages import Anchor, Description, Values
from instrument.engine.note_thread import NoteThread
from instrument.engine.performance.knobs import knob_name
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.pool.model_pool import ModelPool
from instrument.errors import HocketError
from instrument.io.clocks import ManualClock
from instrument.models.latent import to_text
from tests.support.phrases import SMALL, open_vae
from tests.support.sound.players import open_any

BAND = Patch(players=(PlayerPatch("scale"), PlayerPatch("sines"), PlayerPatch("whistle")))
LARGEST = 100  # bytes that one turned knob costs


class Rig:
    """A describer of a band, without threads and devices. `client` has what a client knows by what it was told."""

    def __init__(self, patch=BAND, open_player=open_any):
        self.notes = NoteThread(ManualClock(0), ModelPool(open_player), patch, ())
        devices = SimpleNamespace(available={AUDIO: ("speaker",), MIDI: (), MIDI_IN: ()})
        self.describer = Describer(self.notes.view, devices)
        self.describer.look_at_models()
        self.client = self.describer.description()

    def turn(self, knob, value, player=0):
        """As a client does."""
        info = self.notes.performance.table.find(knob, player)
        self.notes.turn(info, value)
        self.describer.turned(knob_name(info.player, info.id))

    def news(self):
        """What is said. Taken together, it is the whole at any time."""
        news = self.describer.changes()
        if news is not None:
            self.client = news.applied(self.client) if isinstance(news, Values) else news
        assert self.client == self.describer.description()
        return news


@pytest.fixture
def rig():
    return Rig()


def test_nothing_is_said_twice(rig):
    assert rig.news() is None
    rig.turn("temperature", 0.5)
    assert rig.news() is not None
    assert rig.news() is None


def test_a_turned_knob_costs_a_few_bytes(rig):
    whole = len(encode(rig.client))
    assert whole > 40 * LARGEST, "so much was sent for every knob before"
    for knob, value, player in (("temperature", 0.5, 0), ("tempo", 90, -1), ("part", "keys", 2), ("level", -6.0, 1)):
        rig.turn(knob, value, player)
        news = rig.news()
        assert isinstance(news, Values)
        assert len(news.values) == 1
        assert len(encode(news)) < LARGEST


def test_knobs_that_turn_together_are_told_together(rig):
    for value in range(40, 60):
        rig.turn("low", value)
        rig.turn("high", value + 20)
    assert rig.news() == Values({"band/low": 59.0, "band/high": 79.0}, patch_changed=True)


def test_a_patch_that_is_as_it_was_is_not_changed(rig):
    rig.turn("temperature", 0.5)
    assert rig.news() == Values({"0/temperature": 0.5}, patch_changed=True)
    rig.turn("temperature", 1.0)
    assert rig.news() == Values({"0/temperature": 1.0}, patch_changed=False)


def test_a_client_hears_the_value_as_it_was_taken_also_where_that_is_the_one_before(rig):
    rig.turn("low", 48)
    rig.news()
    rig.turn("low", 48.3)
    assert rig.news() == Values({"band/low": 48.0}, patch_changed=True)


def test_what_a_midi_controller_turns_is_told_too(rig):
    rig.notes.midi_learn.learn("temperature", 0, True)
    rig.notes.midi_learn.control([(0, bytes((0xB0, 74, 0)))])
    assert isinstance(rig.news(), Description), "another controller is bound"
    rig.notes.midi_learn.control([(0, bytes((0xB0, 74, 127)))])
    assert rig.news() == Values({"0/temperature": 2.0}, patch_changed=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda notes: notes.load("scale-2"),
        lambda notes: notes.load("noise", 3),
        lambda notes: notes.remove(1),
        lambda notes: notes.set_fields(name="Another"),
        lambda notes: notes.use(Patch(players=(PlayerPatch("scale"),))),
    ],
)
def test_what_is_more_than_knobs_is_described_anew(rig, change):
    change(rig.notes)
    rig.turn("tempo", 90)
    assert isinstance(rig.news(), Description)
    rig.turn("tempo", 91)
    assert isinstance(rig.news(), Values)


def test_what_the_engine_says_is_out_of_date_is_described_anew(rig):
    rig.turn("tempo", 90)
    rig.describer.expire()
    assert isinstance(rig.news(), Description)
    assert rig.news() is None


def test_a_knob_whose_player_has_left_is_not_told(rig):
    rig.turn("level", -6.0, 2)
    rig.notes.remove(2)
    assert isinstance(rig.news(), Description)
    rig.describer.turned("2/level")
    assert rig.news() is None


def test_anchors_are_more_than_knobs_and_the_puck_is_not():
    rig = Rig(Patch(players=(PlayerPatch("vae"),)), open_vae)
    anchor = Anchor("here", 0.5, 0.5, to_text([0.5] * SMALL["latent"]))
    rig.notes.anchor(lambda anchors: (*anchors, anchor))
    assert isinstance(rig.news(), Description)
    rig.turn("x", 0.25)
    assert rig.news() == Values({"0/x": 0.25}, patch_changed=True)


def test_a_knob_that_is_refused_changes_nothing(rig):
    with pytest.raises(HocketError, match="20 to 400"):
        rig.turn("tempo", 1000)
    assert rig.news() is None
