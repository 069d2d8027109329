import threading

import pytest

from instrument import midi_spec
from instrument.engine.midi.ports import MidiPorts
from instrument.engine.midi.scheduler import LATE_NS, Agenda, Scheduler, Strike
from instrument.engine.performance.patches import Patch, PlayerPatch, Routing, VoicePatch
from instrument.engine.performance.performance import Performance
from instrument.io.clocks import ManualClock, SystemClock
from instrument.io.midi.jack_port import EARLY_NS
from instrument.io.midi.output import NullMidi
from instrument.music.notes import Note, Part
from instrument.music.timebase import TempoMap
from tests.support.players import open_scale

BEAT = 500_000_000  # at 120 beats a minute
MS = 1_000_000


def strike(tick, key=60, duration=24.0, channel=0):
    return Strike(tick, channel, key, 100, duration)


def ons(messages):
    return [(ns, m) for ns, m in messages if m[0] & 0xF0 == 0x90]


def sounding(messages):
    """Keys left on after a list of (ns, message), read in the order in which they are heard."""
    on = {}
    for _, message in sorted(messages, key=lambda pair: pair[0]):
        kind, channel = message[0] & 0xF0, message[0] & 15
        if kind in (0x80, 0x90):
            on[channel, message[1]] = kind == 0x90
    return {key for key, sounds in on.items() if sounds}


def scheduler_on(clock, port, start):
    scheduler = Scheduler(clock, port)
    scheduler.retime(TempoMap.start(120, 0, start))
    return scheduler


@pytest.fixture
def stage():
    """A scheduler wound by hand, whose tick 0 is at BEAT: (scheduler, clock, port)."""
    clock = ManualClock(0)
    return scheduler_on(clock, port := NullMidi(clock), BEAT), clock, port


def test_an_agenda_gives_starts_and_ends_in_order():
    agenda = Agenda()
    agenda.add([strike(24, 62), strike(0, 60)])
    assert agenda.next() == 0
    assert [(tick, m[0], m[1]) for tick, m in agenda.take(25)] == [
        (0, 0x90, 60), (24, 0x80, 60), (24, 0x90, 62),
    ]  # fmt: skip
    assert agenda.sounding == 1
    assert agenda.next() == 48


def test_messages_leave_at_their_deadline(stage):
    scheduler, clock, port = stage
    scheduler.agenda.add([strike(0), strike(12.5, 64)])
    assert scheduler.send_due() == BEAT
    assert not port.messages
    clock.advance(BEAT + 1)
    assert scheduler.send_due() == pytest.approx(BEAT + 12.5 / 24 * BEAT)
    assert [m for _, m in port.messages] == [bytes((0x90, 60, 100))]
    assert scheduler.late == 0


def test_a_port_that_takes_messages_early_gets_them_with_their_time():
    clock = ManualClock(0)
    port = NullMidi(clock, early_ns=EARLY_NS)
    scheduler = scheduler_on(clock, port, BEAT)
    scheduler.agenda.add([strike(0)])
    assert scheduler.send_due() == BEAT - EARLY_NS
    clock.advance(BEAT - EARLY_NS + 1)
    scheduler.send_due()
    assert list(port.messages) == [(BEAT, bytes((0x90, 60, 100)))]


def with_offset(ms):
    """A performance whose MIDI is sent so much later."""
    patch = Patch(players=(PlayerPatch("scale"),), routing=Routing(offset_ms=ms))
    return Performance(patch, open_scale)


@pytest.mark.parametrize("offset", [-120, 30])
@pytest.mark.parametrize("early_ns", [0, EARLY_NS])
def test_the_offset_of_the_port_is_added_to_its_deadlines(offset, early_ns):
    clock = ManualClock(0)
    port = NullMidi(clock, early_ns=early_ns)
    scheduler = scheduler_on(clock, port, BEAT)
    reach = scheduler.lead_ns()
    scheduler.arrange(with_offset(offset))
    assert scheduler.lead_ns() == max(0, reach - offset * MS)
    scheduler.agenda.add([strike(0)])
    due = scheduler.send_due()
    assert due == BEAT + offset * MS - reach
    assert not port.messages
    clock.advance(due + 1)
    scheduler.send_due()
    assert [ns for ns, _ in port.messages] == [pytest.approx(BEAT + offset * MS, abs=1)]
    assert scheduler.late == 0


def test_a_smaller_offset_lets_no_note_end_before_it_starts():
    clock = ManualClock(0)
    port = NullMidi(clock, early_ns=EARLY_NS)
    scheduler = scheduler_on(clock, port, BEAT)
    scheduler.arrange(with_offset(300))
    scheduler.agenda.add([strike(0, duration=1)])
    clock.advance(BEAT + 300 * MS - EARLY_NS + 1)
    scheduler.send_due()
    scheduler.arrange(with_offset(-300))
    scheduler.send_due()
    assert [m[0] for _, m in port.messages] == [0x90, 0x80]
    assert not sounding(port.messages)


def test_silence_comes_after_what_a_port_already_holds():
    clock = ManualClock(0)
    port = NullMidi(clock, early_ns=EARLY_NS)
    scheduler = scheduler_on(clock, port, EARLY_NS // 2)
    scheduler.agenda.add([strike(0)])
    scheduler.send_due()
    scheduler.silence()
    assert not sounding(port.messages)
    assert port.messages[1][0] >= port.messages[0][0]


def test_late_notes_are_counted(stage):
    scheduler, clock, _ = stage
    scheduler.agenda.add([strike(0), strike(24, 62)])
    clock.advance(BEAT + LATE_NS + 1)
    scheduler.send_due()
    assert scheduler.late == 1
    clock.advance(BEAT - LATE_NS)
    scheduler.send_due()
    assert scheduler.late == 1


def test_a_change_of_tempo_moves_starts_and_ends(stage):
    scheduler, clock, port = stage
    scheduler.agenda.add([strike(0, duration=48), strike(36, 64)])
    clock.advance(BEAT + 1)
    scheduler.send_due()
    scheduler.retime(TempoMap.start(120, 0, BEAT).changed(24, 240))
    assert scheduler.send_due() == BEAT + BEAT + BEAT // 4
    clock.advance(BEAT + BEAT // 2)
    scheduler.send_due()
    assert [m[0] for _, m in port.messages] == [0x90, 0x90, 0x80]


def test_nothing_leaves_while_time_stands(stage):
    scheduler, clock, port = stage
    scheduler.agenda.add([strike(0)])
    scheduler.retime(None)
    clock.advance(10 * BEAT)
    assert scheduler.send_due() is None
    assert not port.messages


def test_silence_ends_exactly_what_sounds(stage):
    scheduler, clock, port = stage
    scheduler.agenda.add([strike(0, 60), strike(0, 64), strike(0, 67, duration=1), strike(240, 72)])
    clock.advance(BEAT + BEAT // 4)
    scheduler.send_due()
    before = len(port.messages)
    scheduler.silence()
    after = [m for _, m in list(port.messages)[before:]]
    assert {m[1] for m in after if m[0] == 0x80} == {60, 64}
    assert after[2:] == [bytes((0xB0 | channel, 123, 0)) for channel in (0, 1, 2, 3, 9)], "for a note-off that was lost"
    assert not sounding(port.messages)
    assert scheduler.agenda.next() is None


def test_panic_reaches_every_channel(stage):
    scheduler, _, port = stage
    scheduler.panic()
    assert {(m[0] & 15, m[1]) for _, m in port.messages} == {(c, cc) for c in range(16) for cc in (120, 123)}


def test_another_port_takes_over_and_the_last_is_left_silent(stage):
    scheduler, clock, port = stage
    scheduler.agenda.add([strike(0, duration=96), strike(48, 64)])
    clock.advance(BEAT + 1)
    scheduler.send_due()
    other = NullMidi(clock)
    scheduler.use(lambda: other)
    assert not sounding(port.messages)
    assert port.status().state == "closed"
    clock.advance(2 * BEAT)
    scheduler.send_due()
    assert [m for _, m in other.messages] == [bytes((0x90, 64, 100))]


def test_the_thread_keeps_deadlines_and_ends_clean():
    clock = SystemClock()
    port = NullMidi(clock)
    start = clock.now() + 30 * MS
    scheduler = scheduler_on(clock, port, start)
    scheduler.start()
    scheduler.agenda.add([strike(i * 2.0, 60 + i, duration=1) for i in range(8)])
    done = threading.Event()
    for _ in range(300):
        if len(ons(port.messages)) == 8 and not scheduler.agenda.sounding:
            break
        done.wait(0.01)
    scheduler.agenda.add([strike(2, 40, duration=500)])
    for _ in range(300):
        if scheduler.agenda.sounding:
            break
        done.wait(0.01)
    scheduler.close()
    assert not sounding(port.messages)
    early = [ns - (start + i * 2 / 24 * BEAT) for i, (ns, _) in enumerate(ons(port.messages)[:8])]
    assert min(early) > -1 * MS
    assert "scheduler" not in {thread.name for thread in threading.enumerate()}


def programs(messages):
    return [m for _, m in messages if m[0] & 0xF0 == 0xC0]


def test_each_port_gets_what_the_players_send_there():
    clock, ports = ManualClock(0), {}
    sends = MidiPorts(clock, ports.setdefault("first", NullMidi(clock)))
    players = (PlayerPatch("scale"), PlayerPatch("scale", {"melody_channel": "7"}))
    knobs = {"ports": "players", "melody_program": "sent"}
    performance = Performance(Patch(players=players, knobs=knobs, voices={"melody": VoicePatch(40)}), open_scale)
    sends.arrange(performance)
    sends.fit(lambda name: ports.setdefault(name, NullMidi(clock)))
    assert list(ports) == ["first", "Hocket 2"]
    assert programs(ports["first"].messages) == [midi_spec.program(0, 40)]
    assert programs(ports["Hocket 2"].messages) == [midi_spec.program(6, 40)]
    sends.retime(TempoMap.start(120, 0, BEAT))
    assert len(programs(ports["Hocket 2"].messages)) == 2, "again at the start, for who came later"
    note = Note(0, 0, 60, 24, 100, Part.MELODY)
    sends.strike([(0, note), (1, note._replace(pitch=64)), (1, note._replace(pitch=40, part=Part.DRUMS))])
    clock.advance(BEAT + 1)
    for each in sends.all:
        each.send_due()
    assert [m for _, m in ons(ports["first"].messages)] == [midi_spec.note_on(0, 60, 100)]
    assert [m for _, m in ons(ports["Hocket 2"].messages)] == [
        midi_spec.note_on(6, 64, 100),
        midi_spec.note_on(9, 40, 100),
    ]
    performance.set("melody_channel", "8", 1)
    performance.set("ports", "one", -1)
    sends.arrange(performance)
    assert sends.wanted == 1
    sends.fit(lambda name: NullMidi(clock))
    assert not sounding(ports["Hocket 2"].messages)
    assert ports["Hocket 2"].status().state == "closed"
    assert programs(ports["first"].messages)[-1] == midi_spec.program(7, 40)
    sends.close()


def test_keys_of_a_person_are_sent_where_the_patch_says_so(stage):
    scheduler, _, port = stage
    performance = Performance(Patch(knobs={"keys_out": "6"}), lambda slug: None)
    scheduler.arrange(performance)
    scheduler.play(midi_spec.note_on(0, 60, 90))
    assert [m for _, m in port.messages] == [midi_spec.note_on(5, 60, 90)]
    assert [scheduler.loops.is_echo(10 * MS, 60, 90) for _ in range(3)] == [False, False, True]
    other = NullMidi()
    scheduler.use(lambda: other)
    assert midi_spec.note_off(5, 60) in [m for _, m in port.messages], "its end, before the port is closed"
    performance.set("keys_out", "off")
    scheduler.arrange(performance)
    scheduler.play(midi_spec.note_on(0, 60, 90))
    assert not other.messages
