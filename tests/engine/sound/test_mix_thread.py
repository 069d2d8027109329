"""The mix thread on a null device that keeps what it is given."""

import time

import numpy as np
import pytest
import soundfile

from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.sound.mix_thread import MixThread
from instrument.errors import HocketError
from instrument.io.audio.output import NullAudio
from instrument.music.notes import Note, Part
from instrument.music.timebase import TempoMap
from tests.support.jack import wait_for
from tests.support.players import open_scale

CLAVES = 75
MS = 1_000_000


@pytest.fixture
def sound():
    sound = MixThread(NullAudio(keep=True))
    sound.audio.start()
    sound.start()
    yield sound
    sound.close()


def click(tick, duration=6):
    return 0, Note(tick, 0, CLAVES, duration, 120, Part.DRUMS)


def begin(sound, bpm=240.0):
    """Start time; when tick 0 is heard (ns)."""
    start = time.perf_counter_ns() + 120 * MS
    sound.retime(TempoMap.start(bpm, 0, start))
    return start


def onsets(recorded):
    """Frames at which sound begins after silence."""
    level = np.abs(recorded).max(axis=1)
    loud = np.flatnonzero(level > 0.05 * level.max())
    return loud[np.diff(loud, prepend=-100_000) > 2000]


def test_notes_sound_when_they_are_to_be_heard(sound):
    start = begin(sound)
    ticks = [0, 24, 36, 60]
    sound.strike([click(tick) for tick in ticks])
    wait_for(lambda: time.perf_counter_ns() > start + 900 * MS)
    heard = np.array([sound.audio.heard_ns(int(frame)) for frame in onsets(sound.audio.recorded)])
    assert len(heard) == len(ticks)
    late = (heard - start) / MS - np.array(ticks) / 24 * 250
    if not sound.audio.status().starved:  # else the machine stood still, and frames were heard when it went on
        assert np.abs(np.median(late)) < 6, late  # the attack, and the voice's grain
        assert np.ptp(late) < 2


def test_silence_ends_what_sounds_and_what_was_to_come(sound):
    begin(sound)
    sound.strike([(0, Note(0, 0, 60, 2000, 100, Part.MELODY)), click(200)])
    wait_for(lambda: sound.agenda.sounding)
    wait_for(lambda: max(sound.levels()) > -60)
    sound.silence()
    assert sound.agenda.next() is None
    wait_for(lambda: max(sound.levels()) < -70, 5, "the release to fade")


def test_panic_is_silent_at_once(sound):
    begin(sound)
    sound.strike([(0, Note(0, 0, 60, 2000, 100, Part.CHORDS))])
    wait_for(lambda: max(sound.levels()) > -60)
    sound.panic()
    wait_for(lambda: max(sound.levels()) < -100, 1)


def test_another_rate_gets_another_mixer(sound):
    begin(sound)
    other = NullAudio(rate=44_100, keep=True)
    other.start()
    sound.use(other)
    wait_for(lambda: len(other.recorded) > 2000)
    sound.strike([click(sound_tick) for sound_tick in range(0, 2400, 12)])
    wait_for(lambda: np.abs(other.recorded).max() > 0.01, what="sound on the other device")


def test_what_sounds_is_recorded(sound, tmp_path):
    path = tmp_path / "a.wav"
    recorder = sound.record(path)
    begin(sound)
    sound.strike([click(0)])
    wait_for(lambda: recorder.update() or soundfile.info(path).duration > 0.5 or len(sound.audio.recorded) > 48_000)
    recorder.close()
    written, rate = soundfile.read(path, dtype="float32")
    assert rate == 48_000
    assert np.abs(written).max() > 0.05
    with pytest.raises(HocketError, match="/nowhere"):
        sound.record(tmp_path / "/nowhere/a.wav")


def test_a_recording_keeps_its_rate_when_the_device_is_another(sound, tmp_path):
    recorder = sound.record(tmp_path / "a.wav")
    other = NullAudio(rate=44_100, keep=True)
    other.start()
    sound.use(other)
    wait_for(lambda: len(other.recorded) > 1000)
    before, first = recorder._file.frames, len(other.recorded)
    wait_for(lambda: len(other.recorded) > first + 44_100)
    recorder.close()
    lasted = len(other.recorded) - first
    assert abs((recorder._file.frames - before) - lasted * 48_000 / 44_100) < 4000
    assert soundfile.info(tmp_path / "a.wav").samplerate == 48_000


def test_a_device_of_the_same_rate_goes_on_with_what_sounds(sound):
    begin(sound)
    sound.strike([(0, Note(0, 0, 60, 2000, 100, Part.CHORDS))])
    wait_for(lambda: max(sound.levels()) > -60)
    mixer, other = sound._mixer, NullAudio(keep=True)
    other.start()
    sound.use(other)
    wait_for(lambda: len(other.recorded) > 9600)
    assert sound._mixer is mixer
    assert np.abs(other.recorded[:4800]).max() > 0.001, "the note sounds on"
    sound.strike([click(tick) for tick in range(0, 2400, 24)])
    wait_for(lambda: np.abs(other.recorded[-4800:]).max() > 0.05, what="notes on the other device")


def test_the_band_and_the_level_follow_the_knobs(sound):
    performance = Performance(Patch(players=(PlayerPatch("scale"),)), open_scale)
    sound.arrange(performance)
    performance.set("level", -60)
    sound.arrange(performance)
    wait_for(lambda: len(sound.audio.recorded) > 4000)
    begin(sound)
    sound.strike([click(0)])
    wait_for(lambda: len(sound.audio.recorded) > 36_000)
    assert 0 < np.abs(sound.audio.recorded).max() < 0.002


def test_it_says_how_far_ahead_it_wants_notes(sound):
    assert 30 * MS < sound.lead_ns() < 60 * MS
    assert 0 <= sound.load <= 1
