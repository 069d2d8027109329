"""A MIDI clock is followed and sent: the parts that need no time."""

import random
from types import SimpleNamespace

import pytest

from instrument.engine.midi.clock_in import ClockFollower
from instrument.engine.midi.clock_out import ClockSender
from instrument.engine.midi.following import Following
from instrument.engine.midi.jack_transport import TransportFollower
from instrument.engine.note_thread import NoteThread
from instrument.engine.offline.render import differences, replay, tempo_map
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.takes import Stopped, Turn
from instrument.engine.pool.model_pool import ModelPool
from instrument.errors import HocketError
from instrument.io.clocks import ManualClock
from instrument.io.midi.transport import BarCounter, position_message, tempo_message
from instrument.midi_spec import CLOCK, CONTINUE, START, STOP, song_position
from instrument.music.timebase import TempoMap
from tests.support.players import open_scale

MS = 1_000_000
BEAT = 500 * MS
PULSE = BEAT / 24


def byte(status):
    return bytes((status,))


def pulses(bpms, jitter_ms=0.0, start=1_000 * MS, seed=0):
    """(true time, time of arrival) of a pulse for each tempo, in ns."""
    draw, at, found = random.Random(seed), float(start), []
    for bpm in bpms:
        found.append((at, round(at + draw.uniform(-jitter_ms, jitter_ms) * MS)))
        at += 60_000 * MS / bpm / 24
    return found


def errors(bpms, jitter_ms=0.0, lost=()):
    """By how many ms the estimated time of each pulse is off, from the fourth on, with the number of the pulse."""
    follower = ClockFollower()
    follower.feed(0, byte(START))
    found = {}
    for number, (true, arrives) in enumerate(pulses(bpms, jitter_ms)):
        if number in lost:
            continue
        follower.feed(arrives, byte(CLOCK))
        if follower.pulses.known >= 4:
            found[number] = (follower.ns_of(number) - true) / MS
    return found


def worst(found, first, last=1 << 30):
    return max(abs(error) for number, error in found.items() if first <= number < last)


@pytest.mark.parametrize("bpm", [30, 60, 120, 250])
def test_a_clock_is_locked_within_a_bar_and_held_to_its_own_error(bpm):
    jitter = 3.0  # ms; the control: a pulse itself is off by up to as much
    assert worst(errors([bpm] * 96, jitter), 90) < jitter
    assert worst(errors([bpm] * (bpm * 24 * 10), jitter), 96) < jitter + 1, "ten minutes"


def test_a_ramp_is_followed_within_a_beat():
    ramp = [120.0] * 96 + [120 + 60 * i / 192 for i in range(192)] + [180.0] * 96
    found = errors(ramp)
    beat = 60_000 / 180
    assert worst(found, 96) < 0.02 * beat
    assert worst(found, 96 + 192 + 24) < 1


@pytest.mark.parametrize(("before", "after"), [(120, 60), (120, 240), (60, 120), (200, 100), (120, 70), (120, 150)])
@pytest.mark.parametrize("jitter", [0.0, 3.0])
def test_another_rate_is_taken_within_three_pulses(before, after, jitter):
    found = errors([before] * 200 + [after] * 200, jitter)
    assert worst(found, 203) <= jitter + 0.5


def test_lost_pulses_are_counted():
    found = errors([120] * 400, 3.0, lost={150, 200, 201, 300})
    assert worst(found, 152, 200) < 3
    assert worst(found, 204, 300) < 3
    assert worst(found, 303) < 3


def test_a_clock_starts_stops_continues_and_jumps():
    follower = ClockFollower()

    def run(count, at):
        events = [follower.feed(round(at + i * PULSE), byte(CLOCK)) for i in range(count)]
        return events, at + count * PULSE

    events, at = run(10, 0)
    assert events == [""] * 10
    assert follower.seen(round(at))
    assert not follower.running
    follower.feed(round(at), byte(START))
    events, at = run(30, at)
    assert (events[0], set(events[1:])) == ("start", {""})
    assert follower.tick_at(at) == pytest.approx(30, abs=0.01)
    assert follower.feed(round(at), byte(STOP)) == "stop"
    events, at = run(5, at)
    assert set(events) == {""}
    follower.feed(round(at), byte(CONTINUE))
    events, at = run(5, at)
    assert events[0] == "start"
    assert follower.tick_at(at) == pytest.approx(35, abs=0.01), "it goes on where it was stopped"
    assert follower.feed(round(at), song_position(96)) == ""
    events, at = run(1, at)
    assert events == ["jump"]
    assert follower.tick_at(at) == pytest.approx(97, abs=0.01)
    assert not follower.seen(round(at + 3 * BEAT)), "it is gone after a second"


def test_a_clock_is_sent_from_the_start_and_from_within():
    sender = ClockSender()
    assert sender.next() is None
    sender.on = True
    assert sender.retime(TempoMap.start(120, 0, 0)) == []
    assert sender.take(2.5) == [(-0.5, byte(START)), (0, byte(CLOCK)), (1, byte(CLOCK)), (2, byte(CLOCK))]
    sender.retime(TempoMap.start(120, 0, 0).changed(2, 90))
    assert sender.take(3.5) == [(3, byte(CLOCK))], "another tempo is no start"
    assert sender.retime(None) == [byte(STOP)]
    assert sender.next() is None
    sender.retime(TempoMap.start(120, 15, 0))
    assert sender.take(19) == [(14.5, song_position(18)), (14.5, byte(CONTINUE)), (18, byte(CLOCK))]
    sender.retime(None)
    sender.on = False
    sender.retime(TempoMap.start(120, 0, 0))
    assert sender.take(100) == []
    sender.on = True
    assert sender.take(103)[0][1] == song_position(108), "switched on while the music plays"


def test_the_transport_of_jack_is_followed_with_and_without_a_tempo():
    follower = TransportFollower()
    follower.bpm = 60
    assert follower.feed(0, tempo_message(0)) == ""
    assert follower.feed(0, position_message(False, False, 0)) == ""
    assert follower.feed(100, position_message(True, False, 2_000_000)) == "start"
    assert follower.tick_at(100 + 1000 * MS) == pytest.approx(72)
    assert follower.feed(100 + 500 * MS, position_message(True, False, 2_500_000)) == ""
    assert follower.feed(100 + 600 * MS, position_message(True, False, 9_000_000)) == "jump"
    assert follower.feed(100 + 700 * MS, position_message(False, False, 9_000_000)) == "stop"
    assert follower.feed(200 + 700 * MS, tempo_message(133.25)) == ""
    assert follower.feed(200 + 700 * MS, position_message(True, True, 48.5)) == "start"
    assert (follower.timed, follower.bpm) == (True, 133.25)
    assert follower.tick_at(200 + 700 * MS) == pytest.approx(48.5, abs=1e-3)


class Stage:
    """A performance on a clock that is wound by hand."""

    def __init__(self, **knobs):
        self.clock = ManualClock(0)
        patch = Patch(players=(PlayerPatch("scale"),), knobs={"tempo": 90, **knobs})
        self.notes = NoteThread(self.clock, ModelPool(open_scale), patch, ())
        self.played = []

    def wind(self, ns):
        """Let time pass up to `ns`."""
        if ns > self.clock.now():
            self.clock.advance(round(ns) - self.clock.now())
        if self.notes.transport.playing:
            self.notes._plan(self.notes.performance.floor + 200)
            self.notes._commit_due()

    def feed(self, messages):
        for ns, message in messages:
            self.wind(ns)
            self.notes.following.feed([(round(ns), message)])

    def off(self, true_ns_of):
        """By how many ms the tick heard now is not that of the clock."""
        tempo = self.notes.transport.tempo
        tick = round(tempo.tick(self.clock.now()))
        return (tempo.ns(tick) - true_ns_of(tick)) / MS


def test_a_tempo_that_is_told_but_not_kept_is_measured():
    follower = TransportFollower()
    tick = 0.0
    for step in range(60):  # a report each 50 ms, at 120 and then 96 beats a minute
        tick += 0 if not step else 2.4 if step < 20 else 1.92
        follower.feed(step * 50 * MS, tempo_message(120))
        follower.feed(step * 50 * MS, position_message(True, True, tick))
        if step == 19:
            assert follower.bpm == 120
    assert follower.bpm == pytest.approx(96, rel=0.001)
    assert follower.tick_at(59 * 50 * MS + 500 * MS) == pytest.approx(tick + 19.2, abs=0.02)
    follower.feed(60 * 50 * MS, tempo_message(150))
    assert follower.bpm == 150, "what is told newly holds at once"


def test_the_position_of_jack_s_transport_goes_on_where_the_metre_changes():
    bars = BarCounter()

    def at(bar, beat, tick=0, per_bar=4, beat_type=4):
        return bars.position(SimpleNamespace(
            bar=bar, beat=beat, tick=tick, beats_per_bar=per_bar, beat_type=beat_type, ticks_per_beat=1920,
            bar_start_tick=1e9,  # not read
        ))  # fmt: skip

    assert (at(1, 1), at(1, 4, 960), at(2, 1), at(3, 2)) == (0, 84, 96, 216)
    assert (at(4, 1, per_bar=6, beat_type=8), at(4, 6, per_bar=6, beat_type=8), at(5, 1)) == (288, 348, 360)
    assert (at(9, 1), at(2, 3)) == (768, 144), "elsewhere"


def test_the_music_keeps_the_time_of_a_clock_and_the_take_has_it():
    stage = Stage(follow="clock")
    bpms = [120.0] * 480 + [120 + 40 * i / 192 for i in range(192)] + [160.0] * 480
    times = pulses(bpms, 3.0)
    stage.feed([(times[0][1] - MS, byte(START))])
    off = []
    for number, (_, arrives) in enumerate(times):
        stage.feed([(arrives, byte(CLOCK))])
        off.append(abs(stage.off(lambda tick: times[min(tick, len(times) - 1)][0])))
        if number == 200:
            with pytest.raises(HocketError, match="the tempo is that of the clock outside"):
                stage.notes.turn(stage.notes.performance.table.find("tempo", -1), 77)
    assert max(off[96:480]) < 3, "the control: each pulse is off by up to 3 ms"
    assert max(off[480:672]) < 12, "in a ramp of 40 beats a minute in 8 beats"
    assert max(off[696:1150]) < 3
    assert stage.notes.transport.bpm == pytest.approx(160, abs=2)
    assert stage.notes.following.text.startswith("clock: running, 1")
    live = stage.notes.transport.tempo
    take = stage.notes.performance.take
    stage.feed([(times[-1][1] + MS, byte(STOP))])
    assert not stage.notes.transport.playing
    assert isinstance(take.entries[-1], Stopped)
    assert differences(take, open_scale) == []
    again = tempo_map(replay(take, open_scale).take)
    for tick in range(0, 1100, 7):
        assert again.ns(tick) - again.ns(0) == pytest.approx(live.ns(tick) - live.ns(0), abs=1000) or tick < 900
    assert again.ns(1100) - again.ns(0) == pytest.approx(live.ns(1100) - live.ns(0), abs=1000)


def test_a_jump_begins_a_new_performance_at_its_place_in_the_bar():
    stage = Stage(follow="clock")
    times = [1000 * MS + i * PULSE for i in range(400)]
    stage.feed([(times[0] - MS, byte(START)), *((ns, byte(CLOCK)) for ns in times[:100])])
    first = stage.notes.performance
    assert first.floor > 0
    stage.feed([(times[100] - MS, song_position(96 * 7 + 48)), *((ns, byte(CLOCK)) for ns in times[100:200])])
    second = stage.notes.performance
    assert second is not first
    assert second.take.stopped is None
    assert first.take.stopped is not None
    assert stage.notes.transport.bar_and_beat(stage.notes.transport.position(times[199])) == (9, 3)
    assert min(note.tick for _, note in second.take.heard()) >= 48
    assert differences(second.take, open_scale) == []


def test_the_patch_s_tempo_does_not_hold_where_a_clock_does():
    stage = Stage(follow="clock")
    times = [1000 * MS + i * PULSE for i in range(400)]
    stage.feed([(times[0] - MS, byte(START)), *((ns, byte(CLOCK)) for ns in times[:150])])
    stage.notes.use(Patch(players=(PlayerPatch("scale"),), knobs={"tempo": 55, "follow": "clock"}))
    assert stage.notes.transport.bpm == pytest.approx(120, abs=0.1)
    stage.feed([(ns, byte(CLOCK)) for ns in times[150:300]])
    tempo = stage.notes.transport.tempo
    outside = (stage.clock.now() - times[0]) / PULSE
    assert (tempo.tick(stage.clock.now()) - outside + 48) % 96 == pytest.approx(48, abs=0.1), (
        "and it is in the bar of the clock"
    )
    turns = [entry for entry in stage.notes.performance.take.entries if isinstance(entry, Turn)]
    assert turns[0].value == pytest.approx(120, abs=0.1)


@pytest.mark.parametrize("start", ["now", "bar"])
def test_play_by_hand_joins_a_clock_that_runs(start):
    stage = Stage(follow="clock", start=start)
    times = [1000 * MS + i * PULSE for i in range(400)]
    stage.feed([(times[0] - MS, byte(START)), *((ns, byte(CLOCK)) for ns in times[:130])])
    stage.notes.stop()
    stage.feed([(ns, byte(CLOCK)) for ns in times[130:140]])
    stage.notes.play()
    first, ns, _ = stage.notes.transport.tempo.segments[0]
    outside = (ns - times[0]) / PULSE
    assert outside == pytest.approx(round(outside), abs=0.05)
    assert (outside - first + 48) % 96 == pytest.approx(48, abs=0.05)
    assert (first == 0) is (start == "bar")


def test_without_a_clock_nothing_is_followed():
    stage = Stage()
    stage.feed([(MS, byte(START)), (2 * MS, byte(CLOCK))])
    assert not stage.notes.transport.playing
    assert isinstance(stage.notes.following, Following)
    assert stage.notes.following.text == ""
    other = Stage(follow="clock")
    assert other.notes.following.text == "clock: nothing arrives"
    other.notes.play()
    assert other.notes.transport.playing, "in its own time, as none is heard"


def test_bars_are_counted_before_the_music_in_its_own_time_alone():
    stage = Stage(count_in=2, metre="3/4")
    stage.notes.play()
    transport = stage.notes.transport
    assert transport.tempo.segments[0][0] == -2 * 72
    assert transport.tempo.ns(0) - transport.tempo.segments[0][1] == pytest.approx(6 * 60e9 / 90)
    assert transport.position(transport.tempo.ns(-30)) == 0
    assert [transport.shown(transport.tempo.ns(tick) + 1) for tick in (-200, -144, -73, -72, -1, 0, 24)] == [
        (-1, 1), (-1, 1), (-1, 3), (0, 1), (0, 3), (1, 1), (1, 2),
    ]  # fmt: skip
    for tick in range(-143, 100, 6):
        stage.wind(transport.tempo.ns(tick))
        assert (stage.notes.performance.floor > 12) is (tick > 11), "no note is committed while bars are counted"
    assert stage.notes.performance.take.heard_count
    stage.notes.use(stage.notes.performance.current_patch())
    assert stage.notes.transport.tempo.segments[0][0] == 0, "another patch while it plays is not counted in"
    clocked = Stage(count_in=2, follow="clock")
    clocked.feed([(i * PULSE, byte(CLOCK)) for i in range(1, 9)])
    clocked.notes.play()
    assert clocked.notes.transport.tempo.segments[0][0] == 0


def test_a_clock_that_is_switched_stops_and_continues_at_a_place_that_has_a_name():
    sender = ClockSender()
    sender.on = True
    sender.retime(TempoMap.start(120, -96, 0))
    assert sender.take(-1) == [], "nothing is sent while bars are counted"
    assert [message for _, message in sender.take(3)] == [byte(START), *[byte(CLOCK)] * 3]
    assert sender.switch(False) == [byte(STOP)]
    assert sender.switch(False) == []
    assert sender.take(1000) == []
    assert sender.switch(True) == []
    assert [message for _, message in sender.take(1000)] == [song_position(1002), byte(CONTINUE)], "and no burst"
    assert [tick for tick, _ in sender.take(1010)] == list(range(1002, 1010))
    assert sender.retime(None) == [byte(STOP)]


def test_a_clock_and_a_transport_that_both_arrive_do_not_disturb_each_other():
    stage = Stage(follow="jack")
    rolls = [(2 * MS, tempo_message(133)), (2 * MS + 1, position_message(True, True, 0))]
    clock = [(MS, byte(START)), *((i * PULSE, byte(CLOCK)) for i in range(1, 9))]
    stage.feed(sorted([*rolls, *clock]))
    assert stage.notes.following.text == "jack: running, 133.0 bpm"
    assert stage.notes.transport.playing
    assert stage.notes.following.sees_clock
    stage.notes.turn(stage.notes.performance.table.find("follow", -1), "clock")
    stage.feed([(10 * PULSE, position_message(False, True, 48))])
    assert stage.notes.transport.playing, "the transport is not followed any more"
