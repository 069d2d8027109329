"""The last bars are kept after they were heard: notes, sound and take agree."""

import numpy as np
import pytest
import soundfile

from instrument.engine.ipc.messages import Play, Press, Stop
from instrument.engine.offline.midi_file import write_notes
from instrument.engine.performance.takes import load_take
from instrument.engine.performance.transport import FOUR_FOUR
from instrument.music.midifile import read_midi
from instrument.music.timebase import TICKS_PER_BEAT
from instrument.paths import clips_dir
from tests.support.engine import ROOT, start_engine

__all__ = ["start_engine"]

BAR = 4 * TICKS_PER_BEAT


def kept(suffix):
    return sorted(clips_dir().glob(f"*{suffix}"))


def test_the_last_bars_are_kept_as_notes_sound_and_take(start_engine):
    engine = start_engine()
    engine.client.ask(Press("clip/2"))
    engine.until(lambda: any("no whole bar" in banner for banner in engine.telemetry.banners))
    engine.client.ask(Play())
    engine.until(lambda: engine.telemetry.bar > 4, 60, "four bars")
    bpm = engine.telemetry.bpm
    engine.client.ask(Press("clip/2"))
    engine.until(lambda: kept(".take.json"), 30, "the clip")
    engine.client.ask(Stop())
    (midi,), (wav,), (take,) = kept(".mid"), kept(".wav"), kept(".take.json")
    assert midi.stem == wav.stem
    assert midi.stem.endswith("2 bars")

    piece = read_midi(midi, aligned=False)
    clip = {(int(row[0]), int(row[2])) for row in piece.notes}
    assert clip
    assert all(0 <= tick < 2 * BAR for tick, _ in clip)
    assert piece.tempos[0][1] == pytest.approx(bpm, rel=1e-4)
    heard = {(note.tick, note.pitch) for _, note in load_take(take).heard()}
    starts = [start for start in range(0, 12 * BAR, BAR) if {(tick + start, pitch) for tick, pitch in clip} <= heard]
    assert starts, "the notes are those of two whole bars"

    sound, rate = soundfile.read(wav)
    assert len(sound) == pytest.approx(2 * 4 * 60 / bpm * rate, abs=2)
    assert np.abs(sound).max() > 0.001
    engine.client.ask(Press("clip/1"))  # also after the end
    engine.until(lambda: len(kept(".take.json")) == 2, 30, "the second clip")


def test_a_clip_has_what_holds_at_its_start(tmp_path):
    take = load_take(ROOT / "tests" / "fixtures" / "v0_1" / "takes" / "everything.take.json")
    whole, clip = tmp_path / "whole.mid", tmp_path / "clip.mid"
    write_notes(take.sounded(), take, FOUR_FOUR, 3 * BAR, whole)
    write_notes(take.sounded(), take, FOUR_FOUR, 3 * BAR, clip, BAR)
    everything, some = (read_midi(path, aligned=False) for path in (whole, clip))
    late = everything.notes[everything.notes[:, 0] >= BAR]
    late[:, 0] -= BAR
    assert len(some.notes)
    assert sorted(some.notes[:, [0, 2, 3]].tolist()) == sorted(late[:, [0, 2, 3]].tolist())
    assert some.metres[0].tick == some.tempos[0][0] == 0
    before = [bpm for tick, bpm in everything.tempos if tick <= BAR]
    assert some.tempos[0][1] == before[-1]
