"""The mix thread on a null device that keeps what it is given, in a time that the tests let pass."""

import numpy as np
import pytest
import soundfile

from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.sound.mix_thread import MixThread
from instrument.errors import HocketError
from instrument.io.audio.output import NullAudio
from instrument.io.clocks import ManualClock
from instrument.music.notes import Note, Part
from instrument.music.timebase import TempoMap
from tests.support.feeding import let_play
from tests.support.players import open_scale

CLAVES = 75
MS = 1_000_000
LONG = 0, Note(0, 0, 60, 2000, 100, Part.CHORDS)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def sound(clock):
    sound = MixThread(NullAudio(clock, keep=True))
    sound.audio.start()
    sound.start()
    yield sound
    assert sound.audio.status().starved == 0
    sound.close()


@pytest.fixture
def heard(sound, clock):
    """Lets time pass: the next frames."""
    return lambda frames: let_play(sound, clock, frames)


def click(tick, duration=6):
    return 0, Note(tick, 0, CLAVES, duration, 120, Part.DRUMS)


def begin(sound, clock, bpm=240.0):
    """Start time; when tick 0 is heard (ns)."""
    start = clock.now() + 120 * MS
    sound.retime(TempoMap.start(bpm, 0, start))
    return start


def peak_db(sound, heard, frames):
    """Of the next frames, by the meter."""
    sound.levels()
    heard(frames)
    return max(sound.levels())


def onsets(recorded):
    """Frames at which sound begins after silence."""
    level = np.abs(recorded).max(axis=1)
    loud = np.flatnonzero(level > 0.05 * level.max())
    return loud[np.diff(loud, prepend=-100_000) > 2000]


def test_notes_sound_when_they_are_to_be_heard(sound, clock, heard):
    start = begin(sound, clock)
    ticks = [0, 24, 36, 60]
    sound.strike([click(tick) for tick in ticks])
    heard(48_000)
    at = np.array([sound.audio.heard_ns(int(frame)) for frame in onsets(sound.audio.recorded)])
    assert len(at) == len(ticks)
    late = (at - start) / MS - np.array(ticks) / 24 * 250
    assert np.abs(np.median(late)) < 6, late  # the attack, and the voice's grain
    assert np.ptp(late) < 2


def test_silence_ends_what_sounds_and_what_was_to_come(sound, clock, heard):
    begin(sound, clock)
    sound.strike([LONG, click(200)])
    assert peak_db(sound, heard, 10_000) > -60
    assert sound.agenda.sounding == 1
    sound.silence()
    assert sound.agenda.next() is None
    heard(96_000)  # the release fades
    assert peak_db(sound, heard, 48_000) < -70


def test_panic_is_silent_at_once(sound, clock, heard):
    begin(sound, clock)
    sound.strike([LONG])
    assert peak_db(sound, heard, 10_000) > -60
    sound.panic()
    heard(1500)  # a fade of 10 ms, and the limiter's delay
    assert peak_db(sound, heard, 24_000) < -100


def test_another_rate_gets_another_mixer(sound, clock, heard):
    begin(sound, clock)
    other = NullAudio(clock, rate=44_100, keep=True)
    other.start()
    sound.use(other)
    assert np.abs(heard(4000)).max() < 0.01
    sound.strike([click(tick) for tick in range(24, 2400, 12)])
    assert np.abs(heard(22_050)).max() > 0.01, "sound on the other device"


def test_what_sounds_is_recorded(sound, clock, heard, tmp_path):
    path = tmp_path / "a.wav"
    heard(1000)
    recorder, first = sound.record(path), sound.audio.status().written
    begin(sound, clock)
    sound.strike([click(0)])
    heard(24_000)
    recorder.close()
    written, rate = soundfile.read(path, dtype="float32")
    assert rate == 48_000
    assert np.abs(written).max() > 0.05
    of_device = sound.audio.recorded[first:][: len(written)]
    assert len(written) >= 24_000
    assert np.abs(written - of_device).max() < 1e-3
    with pytest.raises(HocketError, match="/nowhere"):
        sound.record(tmp_path / "/nowhere/a.wav")


def test_a_recording_keeps_its_rate_when_the_device_is_another(sound, clock, heard, tmp_path):
    heard(1000)
    recorder = sound.record(tmp_path / "a.wav")
    other = NullAudio(clock, rate=44_100, keep=True)
    other.start()
    sound.use(other)
    heard(44_100)
    recorder.close()
    written = soundfile.info(tmp_path / "a.wav")
    assert written.samplerate == 48_000
    assert abs(written.frames - other.status().written * 48_000 / 44_100) < 600  # two blocks on their way


def test_a_device_of_the_same_rate_goes_on_with_what_sounds(sound, clock, heard):
    begin(sound, clock)
    sound.strike([LONG])
    assert peak_db(sound, heard, 10_000) > -60
    mixer, other = sound._mixer, NullAudio(clock, keep=True)
    other.start()
    sound.use(other)
    assert np.abs(heard(4800)).max() > 0.001, "the note sounds on"
    assert sound._mixer is mixer
    sound.strike([click(tick) for tick in range(24, 2400, 24)])
    assert np.abs(heard(24_000)).max() > 0.05, "notes on the other device"


def test_the_band_and_the_level_follow_the_knobs(sound, clock, heard):
    performance = Performance(Patch(players=(PlayerPatch("scale"),)), open_scale)
    sound.arrange(performance)
    performance.set("level", -60)
    sound.arrange(performance)
    heard(4000)
    begin(sound, clock)
    sound.strike([click(0)])
    assert 0 < np.abs(heard(36_000)).max() < 0.002


def test_it_says_how_far_ahead_it_wants_notes(sound):
    assert 30 * MS < sound.lead_ns() < 60 * MS
    assert 0 <= sound.load <= 1


@pytest.mark.parametrize("counted", [0, 48])
@pytest.mark.parametrize("on", [False, True])
def test_beats_are_counted_in_and_clicked(sound, clock, heard, counted, on):
    patch = Patch(players=(PlayerPatch("scale"),), knobs={"metre": "2/4", "metronome": float(on), "click_level": 0.0})
    sound.arrange(Performance(patch, open_scale))
    start = clock.now() + 120 * MS
    sound.retime(TempoMap.start(240, -counted, start))
    heard(60_000)
    recorded = sound.audio.recorded
    at = onsets(recorded) if np.abs(recorded).max() > 0.01 else np.array([], int)
    beats = 5 if on else counted // 24
    late = (np.array([sound.audio.heard_ns(int(frame)) for frame in at]) - start) / MS - 250 * np.arange(len(at))
    assert len(at) == beats
    assert np.abs(late).max(initial=0) < 1.5, late
    crossings = [np.count_nonzero(np.diff(np.signbit(recorded[frame : frame + 480, 0]))) for frame in at]
    assert [count > 32 for count in crossings] == [True, False, True, False, True][:beats], (
        "the first of a bar is higher"
    )
