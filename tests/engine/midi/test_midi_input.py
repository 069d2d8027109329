"""A person plays along: heard at once, heard by the model, and in the take."""

import time

import pytest

from instrument.engine.ipc.messages import Play, Record, Stop
from instrument.engine.keyboard_receiver import KeyboardReceiver
from instrument.engine.midi.midi_input import Listener
from instrument.engine.note_thread import NoteThread
from instrument.engine.offline.render import Options, differences, render
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.takes import Input, Released, load_take
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.sound.mix_thread import MixThread
from instrument.engine.surface.midi_learn import LEARN_NS
from instrument.errors import HocketError
from instrument.io.audio.output import NullAudio
from instrument.io.clocks import ManualClock
from instrument.io.midi.input import NullMidiInput, RtMidiInput, list_inputs, open_midi_in
from instrument.io.midi.jack_port import JackMidiOutput
from instrument.io.ports import MidiStatus
from instrument.music.notes import Part
from tests.support.engine import start_engine
from tests.support.jack import JackProbe, wait_for
from tests.support.players import open_scale

__all__ = ["start_engine"]  # the fixture

MS = 1_000_000
BEAT = 500 * MS


def on(key, velocity=100, channel=0):
    return bytes((0x90 | channel, key, velocity))


def off(key, channel=0):
    return bytes((0x80 | channel, key, 0))


def controller(number, value, channel=0):
    return bytes((0xB0 | channel, number, value))


class Stage:
    """A listener, its voices and its players; time is wound by hand, but for the voices' own."""

    def __init__(self):
        self.clock = ManualClock(0)
        self.sound = MixThread(NullAudio(keep=True))
        self.sound.audio.start()
        patch = Patch(players=(PlayerPatch("scale"),))
        self.notes = NoteThread(self.clock, ModelPool(open_scale), patch, ())
        self.port = NullMidiInput()
        self.listener = Listener(self.port, self.sound.play, KeyboardReceiver(self.notes))
        self.sound.arrange(self.notes.performance)
        self.sound.start()
        self.listener.start()


@pytest.fixture
def stage():
    stage = Stage()
    yield stage
    stage.listener.close()
    stage.sound.close()


def test_a_key_sounds_while_it_is_held_also_when_time_stands(stage):
    stage.port.messages.append((1, on(60)))
    wait_for(lambda: max(stage.sound.levels()) > -40, 5, "the note")
    assert stage.listener.held == (60,)
    stage.port.messages.append((2, off(60)))
    wait_for(lambda: not stage.listener.held)
    wait_for(lambda: max(stage.sound.levels()) < -60, 5, "its end")


def test_what_is_held_when_its_port_is_lost_or_changed_is_released(stage):
    class Unplugged(NullMidiInput):
        def status(self):
            return MidiStatus("keys", "alsa", "lost", 0, 0)

    played = []
    stage.listener._play = played.append
    stage.port.messages.append((1, on(60)))
    wait_for(lambda: stage.listener.held == (60,))
    stage.listener.use(NullMidiInput)
    assert stage.listener.held == ()
    stage.listener.use(Unplugged)
    stage.listener.port.messages.extend([(1, on(60)), (1, on(64, channel=2)), (1, controller(64, 127, channel=5))])
    wait_for(lambda: stage.listener.held == (60, 64) and controller(64, 127, channel=5) in played)
    played.clear()
    stage.listener.poll()
    assert stage.listener.held == ()
    assert set(played) == {off(60), off(64, channel=2), *(controller(121, 0, channel) for channel in (0, 2, 5))}


def test_drums_and_controllers_go_where_they_belong(stage):
    wait_for(lambda: not stage.sound._settings, what="the mixer to have its settings")
    posted = []
    stage.sound._mixer.post = lambda frame, event: posted.append(event)
    ignored = [bytes((0xC0, 5)), bytes((0xF8,)), controller(20, 64), controller(122, 0)]
    played = [on(36, channel=9), controller(64, 127, channel=2), controller(7, 90), bytes((0xD3, 70))]
    stage.port.messages.extend((1, message) for message in (*ignored, *played, bytes((0xE1, 0, 96))))
    wait_for(lambda: len(posted) == 5)
    assert posted == [*((message, 0.0) for message in played), (bytes((0xE1, 0, 96)), 1.0)]


def test_all_notes_off_releases_the_channel(stage):
    """Some keyboards send controller 123 at each last key-up."""
    stage.port.messages.extend((1, message) for message in (on(60), on(64, channel=1)))
    wait_for(lambda: stage.listener.held == (60, 64))
    stage.port.messages.append((1, controller(123, 0, channel=1)))
    wait_for(lambda: stage.listener.held == (60,))
    stage.port.messages.append((1, controller(120, 0)))
    wait_for(lambda: not stage.listener.held)


def test_notes_that_come_back_are_left_out_and_said(stage):
    loops = stage.listener._loops
    played = []
    stage.listener._play = played.append
    for i in range(6):
        now = time.perf_counter_ns()
        loops.sent(now, 60 + i, 100)
        stage.port.messages.extend([(now + 5 * MS, on(60 + i)), (now + 6 * MS, off(60 + i))])
        wait_for(lambda: not stage.port.messages)
    wait_for(lambda: stage.listener.loop)
    stage.port.messages.append((time.perf_counter_ns(), on(40)))
    wait_for(lambda: on(40) in played)
    assert [message for message in played if message[0] == 0x90] == [on(60), on(61), on(40)]
    assert stage.listener.held == (40,)


def test_settings_of_the_keyboard_are_knobs(stage):
    for knob, value in (("keys_transpose", 7), ("keys_velocity", 1.0), ("keys_channel", "2")):
        stage.notes.performance.set(knob, value)
    stage.notes.view.update(stage.notes.performance)
    stage.port.messages.extend([(1, on(60)), (1, on(60, 64, channel=1))])
    wait_for(lambda: stage.listener.held == (67,), what="the key that is heard")


def test_the_player_hears_it_where_it_was_played(stage):
    notes, clock = stage.notes, stage.clock
    notes.live_input.listen([(5, controller(64, 127))])
    assert notes.performance.take.heard_count == 0, "time stands"
    notes.play()
    start = notes.transport.tempo.ns(0)
    while clock.now() < start + 4 * BEAT:
        clock.advance(100 * MS)
        notes._plan(300)
        notes._commit_due()
    struck = round(start + 3.51 * BEAT)
    notes.live_input.listen([(struck, on(60, 90)), (struck + 2 * MS, on(64, 80))])
    notes.live_input.listen([(struck + BEAT, off(60))])
    take = notes.performance.take
    (event,) = [entry for entry in take.entries if isinstance(entry, Input)]
    assert [(note.tick, note.micro, note.pitch, note.velocity) for note in event.live] == [
        (84, 2, 60, 90), (84, 3, 64, 80),
    ]  # fmt: skip
    assert event.floor == notes.performance.floor
    (released,) = [entry for entry in take.entries if isinstance(entry, Released)]
    assert (released.pitch, released.duration) == (60, 24)
    notes.live_input.listen([(struck, on(67, 90)), (struck + MS, off(67))])
    assert take.entries[-1] == Released(0, 84, 67, Part.MELODY, 1), "struck and released at once"
    notes.stop()
    (_, _, second) = [entry for entry in take.entries if isinstance(entry, Released)]
    assert second.pitch == 64, "what is still held ends with the take"
    assert differences(take, open_scale) == []
    assert take.keyboard == [
        (0.0, controller(64, 127)), (pytest.approx(84.24), on(60, 90)), (pytest.approx(84.336), on(64, 80)),
        (pytest.approx(108.24), off(60)), (pytest.approx(84.24), on(67, 90)), (pytest.approx(84.288), off(67)),
    ], "all that was played, and what was set before"  # fmt: skip
    shown = [note for note in notes.view.committed if note.pitch == 60 and note.tick == 84]
    assert [note.duration for note in shown] == [1, 24]


def test_two_controllers_learn_two_knobs_and_turn_them(stage):
    notes, messages = stage.notes, stage.port.messages

    def move(*what):
        messages.extend((1, controller(*one)) for one in what)
        wait_for(lambda: not messages, 5)
        time.sleep(0.1)  # longer than a controller waits for the next value

    notes.start()
    values = lambda: notes.view.snapshot.values  # noqa: E731
    move((74, 127))
    assert values()["0/temperature"] == 1.0, "nothing learned yet"
    for knob, number in (("temperature", 74), ("genre", 1)):
        notes.call(lambda knob=knob: notes.midi_learn.learn(knob, 0, True)).result(5)
        move((number, 0))
        wait_for(lambda: not notes.midi_learn.learning)
    bound = lambda: {each.number: each.name for each in notes.view.snapshot.patch.routing.bindings}  # noqa: E731
    assert bound() == {74: "0/temperature", 1: "0/genre"}
    move(*((74, value) for value in range(128)), (1, 127))
    wait_for(lambda: (values()["0/temperature"], values()["0/genre"]) == (2.0, "march"), 5)

    notes.call(lambda: notes.midi_learn.learn("density", 0, True)).result(5)
    stage.clock.advance(LEARN_NS)
    assert not notes.midi_learn.learning, "it does not wait for ever"
    notes.call(lambda: notes.midi_learn.learn("tempo", -1, True)).result(5)
    move((74, 127))
    assert values()["band/tempo"] == 120, "it is caught where the controller passes its place"
    move(*((74, value) for value in (127, 0)))
    move((74, 127))
    wait_for(lambda: values()["band/tempo"] == 400, 5)
    notes.call(lambda: notes.midi_learn.learn("genre", 0, False)).result(5)
    assert bound() == {74: "band/tempo"}
    move((1, 0))
    assert values()["0/genre"] == "march"
    notes.close()


@pytest.fixture
def probe(jack):
    with JackProbe() as probe:
        yield probe


def test_a_performance_with_live_notes_is_rendered_to_the_same_notes(probe, start_engine, tmp_path):
    """Through a real port, from a keyboard on JACK."""
    engine = start_engine(**{"midi-in": "virtual"})
    engine.until(lambda: engine.telemetry.midi_in == "Hocket in:in (jack)")
    take = tmp_path / "live.take.json"
    keys = JackMidiOutput("keys")
    try:
        probe.connect("keys:out", "Hocket in:in")
        engine.client.ask(Record(str(take)))
        engine.client.ask(Play())
        for key in (61, 66, 68, 73):
            engine.hear(4)
            keys.send(on(key), 0)
            engine.until(lambda key=key: key in [note.pitch for note in engine.committed], what=f"key {key}")
            keys.send(off(key), 0)
        pedal, bend = controller(64, 127, channel=3), bytes((0xE3, 0, 96))
        for message in (pedal, bend):
            keys.send(message, 0)
        engine.hear(4)
        engine.client.ask(Stop())
    finally:
        keys.close()
    played = load_take(take)
    live = [note.pitch for entry in played.entries if isinstance(entry, Input) for note in entry.live]
    assert live == [61, 66, 68, 73]
    assert sum(isinstance(entry, Released) for entry in played.entries) == 4
    assert [message for _, message in played.keyboard] == [
        *(message for key in live for message in (on(key), off(key))), pedal, bend,
    ]  # fmt: skip
    assert differences(played, open_scale) == []
    rendered = [note.pitch for _, note in render(Options(take=str(take)), open_scale).played]
    assert {61, 66, 68, 73} <= set(rendered)


def test_what_is_held_while_it_stands_still_is_the_prompt_of_the_next_start(stage):
    notes, clock = stage.notes, stage.clock
    notes.live_input.listen([(1, on(60)), (2, off(60)), (3, on(67)), (4, on(71)), (5, off(67))])
    assert notes.performance.take.heard_count == 0, "time stands"
    notes.play()
    take, start = notes.performance.take, notes.transport.tempo.ns(0)
    assert take.keyboard == [(0.0, on(71))], "the key that is still down"
    live, gone = [entry for entry in take.entries if isinstance(entry, Input)]
    assert [(note.tick, note.pitch) for note in live.live] == [(0, 71)]
    assert [(note.tick, note.pitch) for note in gone.overheard] == [(0, 67)], (
        "held with it; the one before is forgotten"
    )
    clock.advance(BEAT)
    notes._plan(300)
    notes._commit_due()
    notes.live_input.listen([(round(start + BEAT), off(71))])
    notes.stop()
    (released,) = [entry for entry in take.entries if isinstance(entry, Released)]
    assert (released.tick, released.pitch, released.duration) == (0, 71, 24)
    assert differences(take, open_scale) == []
    notes.play()
    assert not [entry for entry in notes.performance.take.entries if isinstance(entry, Input)], "it is used once"
    notes.stop()


def test_inputs_are_found_by_name(probe):
    keys = JackMidiOutput("keys")
    port = open_midi_in("keys")
    try:
        assert "keys:out" in list_inputs()
        wait_for(lambda: probe.connections("keys:out") == ["Hocket in:in"], what="the connection")
        sent = time.perf_counter_ns()
        keys.send(on(60), 0)
        got = []
        wait_for(lambda: got.extend(port.read()) or got)
        assert got[0][1] == on(60)
        assert sent - 10 * MS < got[0][0] < time.perf_counter_ns() + 10 * MS, "by the frame on which it came"
        assert port.status().state == "open"
    finally:
        keys.close()
        port.close()


def test_rtmidi_listens_at_a_virtual_port_too(probe):
    port = RtMidiInput(backend="jack")
    keys = JackMidiOutput("keys")
    try:
        wait_for(lambda: "Hocket in:Hocket in" in probe.ports())
        probe.connect("keys:out", "Hocket in:Hocket in")
        keys.send(on(60), 0)
        got = []
        wait_for(lambda: got.extend(port.read()) or got)
        assert got[0][1] == on(60)
        assert not port.poll()
    finally:
        keys.close()
        port.close()
    assert port.status().state == "closed"


def test_keys_of_the_window_sound_and_are_released(stage):
    played = []
    stage.listener._play = played.append
    stage.listener.play([on(60), on(64), controller(64, 127)])
    assert stage.listener.held == (60, 64)
    stage.listener.play([off(60)])
    assert played == [on(60), on(64), controller(64, 127), off(60)]
    for wrong in (b"\xf8\x00", b"\x90\x3c\x80", b"\x40\x40"):
        with pytest.raises(HocketError, match="no MIDI message of a channel"):
            stage.listener.play([wrong])
    stage.listener.release_keys()
    assert stage.listener.held == ()
    assert off(64) in played
