"""Streams: from chunks to a source of the mixer, without seams, gaps or clicks."""

from __future__ import annotations

import numpy as np
import pytest

from instrument.engine.performance.harmony.band_chords import Chords
from instrument.engine.sound.mixer import BLOCK
from instrument.engine.sound.streams import LEAD_S, LiveStream, StreamSettings, StreamSource, TunedStream
from instrument.music.notes import Note, Part
from tests.support.jack import wait_for
from tests.support.sound.analysis import cents_off, chroma, level_db, roughness
from tests.support.sound.players import AMPLITUDE, FaintingStream, NoiseStream, SineStream, SlowStream

RATE = 48_000
STILL = float("inf")


def turned(pitch: float = 69.0, tune: float = 0.0, duck: float = 0.0, seed: int = 0) -> StreamSettings:
    return StreamSettings({"pitch": pitch}, (0, 2, 4, 5, 7, 9, 11), tune, True, duck, seed, 1)


class Stage:
    """A source, and the frame that a mixer would have reached."""

    def __init__(self, model, rate: int = RATE, live: bool = False, ticks: float = 0.001) -> None:
        self.at = 0
        self.chords = Chords()
        self.tuned = TunedStream(model, rate, lambda frame: frame * ticks, self.chords)
        self.tuned.update(0.0, turned())
        self.source = (LiveStream if live else StreamSource)(self.tuned, lambda: self.at)

    def render(self, frames: int = BLOCK) -> np.ndarray:
        out = self.source.render(frames)
        self.at += frames
        assert out.shape == (frames, 2)
        assert out.dtype == np.float32
        return out

    def many(self, count: int) -> np.ndarray:
        return np.concatenate([self.render() for _ in range(count)])


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_the_pitch_is_kept_at_every_rate_without_a_seam(rate):
    stage = Stage(SineStream(), rate)
    stage.source.begin(0)
    sound = stage.many(400)
    assert abs(cents_off(sound[rate // 4 :], rate, 69)) < 3
    assert np.abs(sound[4000:-4000]).max() == pytest.approx(AMPLITUDE, rel=0.01)
    step = 2 * np.pi * 440 / rate
    assert roughness(sound[2000:]).max() < 1.05 * AMPLITUDE * step**3 + 2e-5  # no more than the sine itself
    assert stage.source.underruns == 0


def test_it_begins_on_its_frame_and_depends_on_no_cut():
    heard = []
    for cut in (BLOCK, 100, 777):
        stage = Stage(NoiseStream())
        stage.source.begin(5000)
        heard.append(np.concatenate([stage.render(cut) for _ in range(30_000 // cut)])[:29_000])
    assert not heard[0][:5000].any()
    assert heard[0][5000:5300].any()
    assert all(np.array_equal(heard[0], other) for other in heard[1:])


def test_turns_hold_from_the_chunk_that_begins_at_their_tick():
    size = 12_800
    stage = Stage(SineStream(RATE, size))  # a frame is a thousandth of a tick
    stage.source.begin(0)
    first = stage.render()
    stage.tuned.update((size - 1) / 1000, turned(81.0))
    stage.tuned.update((2 * size + 1) / 1000, turned(57.0))
    sound = np.concatenate((first, stage.many(6 * size // BLOCK)))
    for i, key in ((0, 69), (2, 81), (4, 57)):  # within chunks 1 and 3 it glides
        assert abs(cents_off(sound[i * size + 500 : (i + 1) * size], RATE, key)) < 20
    assert roughness(sound).max() < 0.02  # a jump would show as 0.1 and more


def test_another_seed_begins_anew_without_a_click():
    model = SineStream(RATE)
    stage = Stage(model)
    stage.source.begin(0)
    stage.many(16)
    stage.tuned.update(0.0, turned(seed=2))
    sound = stage.many(32)
    assert model.started == (2, 1)
    assert roughness(sound).max() < 0.005


def test_begin_stop_and_panic():
    stage = Stage(SineStream())
    assert not stage.many(4).any()
    stage.source.begin(stage.at)
    playing = stage.many(40)
    stage.source.stop()
    fading = stage.many(8)
    assert level_db(playing[2000:]) > -20
    assert roughness(np.concatenate((playing[1000:], fading))).max() < 0.005
    assert not fading[1024:].any()  # 20 ms
    stage.source.begin(stage.at)
    again = stage.many(40)
    assert np.allclose(again, playing, atol=1e-6)  # from chunk 0
    stage.source.all_off()
    assert not stage.many(4).any()


def test_the_beat_ducks_it():
    stage = Stage(SineStream(), ticks=24 / 24_000)  # a beat is half a second
    stage.tuned.update(0.0, turned(duck=1.0))
    stage.source.begin(0)
    sound = np.abs(stage.many(375)[:, 0])
    beats = [24_000 * i for i in range(1, 4)]
    assert all(sound[beat - 30 : beat + 30].max() < 0.01 for beat in beats)
    assert all(sound[beat - 6000 : beat - 2000].max() > 0.95 * AMPLITUDE for beat in beats)


def test_it_is_tuned_to_the_chord_where_one_is_known():
    rate = 44_100
    stage = Stage(NoiseStream(), rate=rate, ticks=48 / rate)  # two beats a second
    stage.tuned.update(0.0, turned(tune=1.0))
    stage.chords.add_notes([Note(96, 0, 48 + tone, 96, 80, Part.CHORDS) for tone in (0, 5, 9)])
    stage.source.begin(0)
    sound = stage.many(7 * rate // BLOCK)[:, 0]
    spans = ((0.5, 2), (3, 4), (5.5, 7))
    before, during, after = (chroma(sound[round(s * rate) : round(e * rate)], rate) for s, e in spans)
    assert during[[0, 5, 9]].sum() > 0.8
    for key in (before, after):
        assert key[[0, 2, 4, 5, 7, 9, 11]].sum() > 0.8 > 1.5 * key[[0, 5, 9]].sum()


def test_a_model_that_fails_is_silent_and_told_of():
    stage = Stage(FaintingStream())
    stage.source.begin(0)
    sound = stage.many(80)
    assert "the network gives no number" in stage.source.problem
    assert not sound[-2000:].any()
    assert roughness(sound[1000:]).max() < 0.005  # it faded out


# With a thread


def paced(stage: Stage, count: int) -> np.ndarray:
    """Blocks, each taken when there is something for it (in a mixer they are 5 ms apart)."""
    blocks = []
    for _ in range(count):
        wait_for(lambda: stage.source._run.ready >= BLOCK + 200, 5, "sound of the thread")
        blocks.append(stage.render())
    return np.concatenate(blocks)


def test_live_sound_is_the_rendered_one():
    live, pulled = Stage(SineStream(), live=True), Stage(SineStream())
    try:
        for stage in (live, pulled):
            stage.source.begin(1000)
        sound = paced(live, 100)
        assert np.array_equal(sound, pulled.many(100))
        assert live.source.underruns == 0
        assert live.source._run.ready < (LEAD_S + 0.2) * RATE  # and never far ahead
    finally:
        live.source.join()


def test_a_slow_model_fades_instead_of_clicking_and_is_counted():
    stage = Stage(SlowStream(), live=True)
    try:
        stage.source.begin(0)
        wait_for(lambda: stage.source._run.ready, 5, "the first chunk")
        sound = stage.many(20)  # faster than it comes
        wait_for(lambda: stage.source._run.ready > 1000, 5, "more")
        sound = np.concatenate((sound, stage.many(20)))
        assert stage.source.underruns >= 2
        assert roughness(sound[1:]).max() < 0.02
        assert level_db(sound) > -60
    finally:
        stage.source.join()


def test_what_comes_late_knows_when_it_is_heard():
    stage = Stage(SineStream(RATE))
    stage.source.begin(0)
    run = stage.source._run
    stage.source._fill = lambda run, frames: None
    stage.many(10)
    assert run.underruns == 1
    assert run.position == 10 * BLOCK


def test_it_goes_on_where_it_is_after_a_change_of_rate():
    model = SineStream(RATE)
    stage = Stage(model)
    stage.source.begin(0)
    stage.many(16)
    chunks = model.rendered
    again = Stage(model, 44_100)
    again.source.resume()
    sound = again.many(40)
    assert model.rendered > chunks + 3
    assert abs(cents_off(sound[4000:], 44_100, 69)) < 10
