"""MIDI controllers turn knobs and press buttons."""

import msgspec
import pytest

from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.note_thread import NoteThread
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS, KnobTable, split_name, value_at
from instrument.engine.performance.patches import (
    Patch,
    PlayerPatch,
    Routing,
    list_patches,
    patch_of_program,
    save_patch,
)
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.surface.bindings import Grip, place_of
from instrument.engine.surface.buttons import BUTTONS
from instrument.engine.surface.controllers import ControllerInput
from instrument.engine.surface.midi_learn import LEARN_NS
from instrument.engine.surface.midi_maps import list_maps, load_map, map_for, save_map
from instrument.errors import HocketError
from instrument.io.clocks import ManualClock
from instrument.models.catalog import list_models
from tests.support.players import KNOBS, open_scale

MS = 1_000_000


def cc(number, value, channel=0):
    return bytes((0xB0 | channel, number, value))


def key(number, velocity=100, channel=0):
    return bytes((0x90 | channel, number, velocity))


@pytest.mark.parametrize("info", [info for info in INSTRUMENT_KNOBS if not info.step], ids=lambda info: info.id)
def test_the_place_of_a_value_is_the_inverse_of_the_value_at_a_place(info):
    for place in (0.0, 0.25, 1.0):
        assert value_at(info, place_of(info, value_at(info, place))) == pytest.approx(value_at(info, place))


LEVEL = KnobInfo("amount", "Amount", low=0.0, high=1.0)


def turn(grip, info, value, *messages):
    """The value of a knob after messages."""
    for message in messages:
        taken = grip.turned(message, info, value)
        if taken is not None:
            value = taken
            grip.keep(value)
    return value


def test_a_knob_is_caught_and_not_thrown():
    grip = Grip(Binding("band/amount", 7))
    assert turn(grip, LEVEL, 0.5, cc(7, 0), cc(7, 20), cc(7, 40)) == 0.5
    assert turn(grip, LEVEL, 0.5, cc(7, 80)) == pytest.approx(80 / 127), "it passed the place"
    assert turn(grip, LEVEL, 80 / 127, cc(7, 127)) == 1.0, "and holds it now, also in leaps"
    assert turn(grip, LEVEL, 0.2, cc(7, 120), cc(7, 60)) == 0.2, "another has turned it: it must be caught again"
    assert turn(grip, LEVEL, 0.2, cc(7, 27), cc(7, 30)) == pytest.approx(30 / 127), "near is enough"


def test_a_controller_of_14_bits_is_fine():
    grip = Grip(Binding("band/amount", 7, mode="fine"))
    value = turn(grip, LEVEL, 0.5, cc(7, 63), cc(39, 127), cc(7, 64), cc(39, 3))
    assert value == pytest.approx((64 * 128 + 3) / 16383, abs=1e-9)


@pytest.mark.parametrize(
    ("mode", "up", "down"), [("relative", 1, 127), ("offset", 65, 63), ("sign", 1, 65)], ids=lambda value: str(value)
)
def test_relative_encoders_turn_from_where_the_knob_is(mode, up, down):
    grip = Grip(Binding("band/amount", 7, mode=mode))
    assert turn(grip, LEVEL, 0.5, cc(7, up), cc(7, up)) == pytest.approx(0.5 + 2 / 127)
    assert turn(grip, LEVEL, 0.25, cc(7, down)) == pytest.approx(0.25 - 1 / 127)
    assert turn(grip, LEVEL, 0.0, cc(7, down)) == 0.0
    low = next(info for info in INSTRUMENT_KNOBS if info.id == "low")
    assert turn(grip, low, 40.0, cc(7, up)) == 41.0
    seed = next(info for info in INSTRUMENT_KNOBS if info.id == "seed")
    assert turn(grip, seed, 0.0, cc(7, up)) == pytest.approx(999_999 / 127, abs=1)
    metre = next(info for info in INSTRUMENT_KNOBS if info.id == "metre")
    assert turn(grip, metre, "4/4", cc(7, up)) == "3/4"
    assert turn(grip, metre, "4/4", cc(7, down)) == "4/4"


class Stage:
    """MIDI learn in a notes thread that is not started."""

    def __init__(self, *bindings):
        self.clock = ManualClock(0)
        patch = Patch(players=(PlayerPatch("scale"),), routing=Routing(bindings=bindings))
        self.notes = NoteThread(self.clock, ModelPool(open_scale), patch, ())
        self.learn = self.notes.midi_learn

    def move(self, *messages, apart=MS):
        for message in messages:
            self.clock.advance(apart)
            self.learn.control([(self.clock.now(), message)])

    def value(self, name):
        return self.notes.performance.values[name]


def test_controllers_and_keys_are_learnt_and_learning_is_aborted():
    stage = Stage()
    stage.learn.learn("band/harmony", 0, True)
    stage.move(key(60))
    assert stage.learn.learning == "band/harmony", "a key turns no number"
    stage.learn.learn("", 0, True)
    assert stage.learn.learning == "", "aborted"
    stage.move(cc(20, 5))
    assert stage.learn.bindings == ()
    stage.learn.learn("harmony", 0, True)
    stage.move(cc(20, 5, channel=2))
    stage.learn.learn("transport/toggle", 0, True)
    stage.move(key(36, channel=9))
    assert stage.learn.bindings == (
        Binding("band/harmony", 20, channel=3), Binding("transport/toggle", 36, "note", 10),
    )  # fmt: skip
    assert stage.notes.transport.playing, "what was pressed acts at once"
    stage.move(key(36, 0, 9), key(36, channel=8))
    assert stage.notes.transport.playing
    stage.move(key(36, channel=9))
    assert not stage.notes.transport.playing
    stage.learn.learn("transport/toggle", 0, False)
    assert [each.name for each in stage.learn.bindings] == ["band/harmony"]
    stage.learn.learn("tempo", 0, True)
    stage.clock.advance(LEARN_NS)
    assert stage.learn.learning == ""
    for wrong in ("loudness", "plan/hold!", "band/nothing"):
        with pytest.raises(HocketError):
            stage.learn.learn(wrong, 0, True)


def test_a_coarse_controller_whose_fine_half_follows_is_learnt_as_one_of_14_bits():
    stage = Stage()
    stage.learn.learn("harmony", 0, True)
    stage.move(cc(3, 10), cc(35, 1))
    assert stage.learn.bindings == (Binding("band/harmony", 3, channel=1, mode="fine"),)
    stage.learn.learn("vary", 0, True)
    stage.move(cc(4, 10), cc(36, 1), apart=100 * MS)
    assert stage.learn.bindings[1] == Binding("band/vary", 4, channel=1)


def test_a_button_of_a_controller_presses_once_a_key_press_each():
    stage = Stage(Binding("transport/toggle", 41), Binding("band/drums", 40, "note"))
    stage.move(cc(41, 127), cc(41, 127))
    assert stage.notes.transport.playing
    stage.move(cc(41, 0), cc(41, 127))
    assert not stage.notes.transport.playing
    stage.move(key(40), key(40, 0))
    assert stage.value("band/drums") == "on"
    stage.move(key(40), key(40))
    assert stage.value("band/drums") == "auto"


def test_programs_choose_patches():
    chosen = []
    stage = Stage()
    stage.learn.choose_patch = lambda bank, program: chosen.append((bank, program))
    stage.move(bytes((0xC0, 5)), cc(0, 1), cc(32, 2), bytes((0xC0, 7)), bytes((0xC1, 9)))
    assert chosen == [(0, 5), (1 << 7 | 2, 7), (0, 9)]
    assert patch_of_program(0, 0) in list_patches()
    save_patch(Patch(), "Mine")
    assert patch_of_program(1, 0) == "Mine"
    with pytest.raises(HocketError, match="program 2 of bank 1 selects no patch: it has 1"):
        patch_of_program(1, 1)
    with pytest.raises(HocketError, match="program 1 of bank 300 selects no patch: it has 0"):
        patch_of_program(300, 0)


def test_what_is_bound_is_not_played_and_a_fast_knob_is_thinned():
    passed, bindings, learning = [], (Binding("band/harmony", 20), Binding("transport/tap", 36, "note", 10)), [False]
    sorter = ControllerInput(lambda: bindings, lambda: learning[0], lambda moved: passed.extend(m for _, m in moved))
    played = [key(36), key(36, channel=8), cc(64, 127), cc(21, 5)]
    taken = [key(36, channel=9), key(36, 0, 9), bytes((0xC3, 1)), cc(0, 1)]
    assert sorter.sort([(0, message) for message in (*played, *taken)]) == [(0, message) for message in played]
    assert passed == taken
    del passed[:]
    sorter._turned = float("inf")
    assert sorter.sort([(0, cc(20, value)) for value in range(100)]) == []
    assert passed == []
    sorter._turned = 0.0
    assert sorter.sort([]) == []
    assert passed == [cc(20, 99)], "the last counts"
    learning[0] = True
    assert sorter.sort([(0, cc(50, 1)), (0, key(60)), (0, cc(64, 127))]) == [(0, key(60)), (0, cc(64, 127))]
    assert passed[1:] == [cc(50, 1), key(60)]


def test_maps_are_saved_by_name_and_found_by_controller():
    bindings = (Binding("band/tempo", 3), Binding("transport/tap", 36, "note", 10))
    save_map("Mine", bindings, "Keystation 49")
    assert load_map("Mine").bindings == bindings
    assert "Mine" in list_maps()
    assert map_for("Keystation 49 MK3:Keystation 49 MK3 MIDI 1 24:0") == "Mine"
    assert map_for("a2j:nanoKONTROL2 [20] (capture): nanoKONTROL2 MIDI 1") == "Korg nanoKONTROL2"
    assert map_for("Some synth") == ""
    with pytest.raises(HocketError, match="there is no MIDI map 'None': choose one of Akai"):
        load_map("None")
    with pytest.raises(HocketError, match="cannot be called"):
        save_map("a/b", (), "")


@pytest.mark.parametrize("name", ["Akai MPK mini mk3", "Korg nanoKONTROL2", "Novation Launchkey Mini MK3"])
def test_shipped_maps_name_what_there_is(name):
    shipped = load_map(name)
    assert shipped.device
    table = KnobTable([KNOBS])
    of_players = {knob.id for entry in list_models() if entry.manifest for knob in entry.manifest.knobs} | {"level"}
    for binding in shipped.bindings:
        if binding.name in {button.name for button in BUTTONS}:
            continue
        player, knob = split_name(binding.name)
        assert binding.name in table.infos if player < 0 else knob in of_players, binding.name
    places = [(each.kind, each.number, each.channel) for each in shipped.bindings]
    assert len(set(places)) == len(places)
    assert msgspec.json.decode(msgspec.json.encode(shipped), type=type(shipped)) == shipped
