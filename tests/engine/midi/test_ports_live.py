"""A port for each player, with a second process on JACK that receives from each."""

from instrument import midi_spec
from instrument.engine.ipc.messages import LoadPatch, Play, SetKnob
from instrument.engine.performance.patches import Patch, PlayerPatch, save_patch
from tests.support.engine import OPTIONS, start_engine
from tests.support.jack import JackProbe, wait_for

__all__ = ["start_engine"]  # the fixture


def channels(probe):
    return {m[0] & 15 for _, m in probe.events() if m[0] & 0xF0 == 0x90}


def test_each_player_has_its_port(jack, start_engine, tmp_path):
    patch = tmp_path / "two.json"
    players = (PlayerPatch("scale"), PlayerPatch("scale", {"chords_channel": "12"}))
    save_patch(Patch(players=players, knobs={"tempo": 300, "ports": "players"}), str(patch))
    engine = start_engine(midi="virtual", patch=str(patch))
    with JackProbe("one") as one, JackProbe("two") as two:
        wait_for(lambda: {"Hocket:out", "Hocket 2:out"} <= set(one.ports()), what="both ports")
        one.connect("Hocket:out", "one:midi_in")
        two.connect("Hocket 2:out", "two:midi_in")
        engine.client.ask(SetKnob("band/bass_program", "sent"))
        engine.client.ask(Play())
        wait_for(lambda: channels(one) == {0, 1, 2, 9} and channels(two) == {0, 11, 2, 9}, 30, "all parts")
        program = next(m for _, m in two.events() if m[0] == midi_spec.PROGRAM | 2)
        assert program in [m for _, m in one.events()]

        engine.client.ask(SetKnob("band/ports", "one"))
        wait_for(lambda: "Hocket 2:out" not in one.ports(), what="the end of the port")
        held = {}
        for _, message in two.events():
            parsed = midi_spec.parse(message)
            if parsed.starts or parsed.ends:
                held[parsed.channel, parsed.first] = parsed.starts
        assert not any(held.values()), "nothing sounds on"
        wait_for(lambda: 11 in channels(one), 30, "the second player at the first port")

        engine.client.ask(SetKnob("1/port", "3"))
        wait_for(lambda: {"Hocket 2:out", "Hocket 3:out"} <= set(one.ports()), what="the port that was asked for")
        two.connect("Hocket 3:out", "two:midi_in")
        before = len(two.events())
        wait_for(lambda: any(m[0] & 0xF0 == 0x90 for _, m in two.events()[before:]), 30, "notes at the third port")

        engine.client.ask(SetKnob("band/metronome", 1))
        engine.client.ask(LoadPatch(OPTIONS["patch"]))
        wait_for(lambda: not {"Hocket 2:out", "Hocket 3:out"} & set(one.ports()), what="the one port of that patch")
        engine.until(lambda: engine.description.patch == "Fast" and engine.description.values["band/ports"] == "one")
        assert engine.description.values["band/metronome"] == 1, "a patch leaves the settings of the room"
        assert not engine.description.patch_changed
