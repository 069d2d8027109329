"""Whole notes, learning them, a bundle made of what was learnt, and the voice that plays it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.sound import gansynth
from instrument.models.sound.base import Tones, VoiceModel
from instrument.models.sound.gansynth import HEADROOM, GanSynth, open_voice, render_note
from instrument.music.pitch import to_hertz
from tests.models.sound.test_note_spectra import frequency_of
from tests.support.sound.analysis import SILENT, level_db, peak_db
from tests.support.sound.corpus import INSTRUMENTS, make_note_corpus
from training.core import checkpoint
from training.core.recipe import Recipe
from training.data.sound.corpus import Clip, CorpusWriter
from training.export import PARITY, export
from training.families.gansynth.bundle import NoteSpectraBundling, release
from training.families.gansynth.task import NoteSpectraTask, Train
from training.fit import Run, load_network
from training.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
RATE = 48000
FRAMES = 64

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def notes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    make_note_corpus(folder, seconds=1.2)
    return folder


def smaller(name: str, folder: Path, **train) -> Recipe:
    recipe = read_recipe(RECIPES / f"{name}.toml")
    settings = {
        "batches": 300,
        "batch_size": 8,
        "warmup_batches": 5,
        "ema_decay": 0.9,
        "save_seconds": 600.0,
        "learning_rate": 5e-3,
    }
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(folder)),
        sampling=dataclasses.replace(recipe.sampling, frames=24),
        model=dataclasses.replace(
            recipe.model, frames=FRAMES, width=48, layers=2, embedding=6, latent=4, positions=16, encoder=16
        ),
        train=dataclasses.replace(recipe.train, **settings | train),
    )


@pytest.fixture(scope="module")
def note_run(notes, tmp_path_factory, one_thread) -> Path:
    folder = tmp_path_factory.mktemp("run")
    Run(smaller("gansynth", notes), folder).fit()
    return folder


@pytest.fixture(scope="module")
def bundle(note_run, tmp_path_factory) -> Bundle:
    return open_bundle(export(note_run / "best.safetensors", tmp_path_factory.mktemp("bundles")), trusted=True)


@pytest.fixture(scope="module")
def voice(bundle) -> GanSynth:
    return open_voice(bundle)


# --- learning


def test_a_run_learns_and_its_bundle_computes_the_same(note_run, bundle, notes):
    network, recipe, facts = load_network(note_run / "best.safetensors")
    fresh = type(network)(recipe.model, len(INSTRUMENTS))
    task = NoteSpectraTask(recipe)
    assert task.validate(network).total < 0.5 * task.validate(fresh).total
    assert facts["genres"] == sorted(INSTRUMENTS)
    assert bundle.manifest.condition_genres == tuple(sorted(INSTRUMENTS))
    own = NoteSpectraBundling(network, recipe, tuple(facts["genres"]))
    golden = bundle.golden()
    again = own.golden(bundle)
    assert all(np.allclose(golden[name], again[name], atol=1e-5) for name in golden)
    assert bundle.manifest.provenance.metrics["parity"] <= PARITY
    assert bundle.manifest.provenance.datasets == {"made-up": "CC0-1.0"}


def test_with_an_adversary_it_goes_on_and_exports(notes, note_run, tmp_path):
    small = {"critic_batch_size": 2, "critic_frames": 12, "critic_warmup_batches": 0, "r1_every": 2}
    recipe = smaller("gansynth-adversarial", notes, batches=3, **small)
    run = Run(recipe, tmp_path / "run", start=str(note_run / "best.safetensors"))
    run.fit()
    assert run.step(0.5)["adversarial"] > 0
    folder = export(tmp_path / "run" / "best.safetensors", tmp_path)
    assert len(open_bundle(folder, trusted=True).manifest.provenance.ancestry) == 1


def test_a_critic_is_taken_up_where_it_was(notes, tmp_path):
    recipe = smaller(
        "gansynth-adversarial", notes, batches=4, critic_batch_size=2, critic_frames=12, critic_warmup_batches=0
    )
    whole = Run(recipe, tmp_path / "whole")
    first = Run(recipe, tmp_path / "parts")
    for run in (whole, first):
        for _ in range(2):
            run.step(0.0)
    first.save()
    second = Run(recipe, tmp_path / "parts")
    assert [whole.step(0.5) for _ in range(2)] == [pytest.approx(second.step(0.5), rel=1e-4) for _ in range(2)]


def test_rates_go_down_a_cosine_or_steps():
    stepped = Train(learning_rate=1.0, warmup_batches=1, learning_rate_halvings=3)
    assert [stepped.rate_at(9, p) for p in (0.0, 0.3, 0.6, 1.0)] == [1, 0.5, 0.25, 0.125]
    assert Train(learning_rate=1.0, warmup_batches=1).rate_at(9, 0.5) == pytest.approx(0.51)


def test_what_cannot_be_learnt_from_is_said_so(tmp_path, notes):
    make_note_corpus(tmp_path / "high", rate=22050, seconds=0.2)
    with pytest.raises(HocketError, match="22050"):
        NoteSpectraTask(smaller("gansynth", tmp_path / "high"))
    writer = CorpusWriter(tmp_path / "few", 16000)
    for i in range(20):  # unlabelled, silent, and of instruments with too few notes
        clip = Clip(f"{i}", "mine", "", "CC0-1.0", "train", pitch=-1 if i < 9 else 60, velocity=9, instrument=f"{i}")
        writer.add(clip, np.zeros(99 * i, np.float32))
    writer.finish()
    with pytest.raises(HocketError, match="has at most 1 notes of an instrument to learn from"):
        NoteSpectraTask(smaller("gansynth", tmp_path / "few"))
    with pytest.raises(HocketError, match="prepare-audio"):
        NoteSpectraTask(smaller("gansynth", tmp_path / "none"))


def test_silent_and_short_notes_are_learnt_from_too(tmp_path):
    writer = CorpusWriter(tmp_path, 16000)
    for i in range(12):
        clip = Clip(f"{i}", "mine", "", "CC0-1.0", "train", pitch=20 + 8 * i, velocity=64, instrument="thing")
        writer.add(clip, np.zeros(i, np.float32) if i % 2 else 0.1 * np.ones(400 * i, np.float32))
    writer.finish()
    run = Run(smaller("gansynth", tmp_path, batches=1), tmp_path / "run")
    assert np.isfinite(run.step(0.0)["total"])


def test_releases_are_measured(notes):
    from training.data.sound.corpus import Corpus

    corpus = Corpus.open(notes)
    assert 0.01 < release(corpus, corpus.select(instruments=["organ"])) < 0.3
    assert release(corpus, []) == pytest.approx(0.3)


# --- playing


def test_notes_have_their_pitch_and_level(voice):
    assert isinstance(voice, VoiceModel)
    assert isinstance(voice.start(RATE), Tones)
    loud = {}
    for rate in (44100, 48000):
        for pitch in (50, 60, 69):
            sound = render_note(voice, "flute", pitch, 100, 0.5, 0.5, rate)
            assert len(sound) == round(0.5 * rate)
            wanted = to_hertz(pitch)
            assert abs(1200 * np.log2(frequency_of(sound[rate // 10 :], rate, wanted) / wanted)) < 20
            loud[rate, pitch] = level_db(sound[rate // 20 :])
    assert all(abs(loud[44100, p] - loud[48000, p]) < 1 for p in (50, 60, 69))
    soft, hard = (level_db(render_note(voice, "organ", 60, v, 0.4, 0.4, RATE)) for v in (8, 110))
    assert soft < hard - 15


def test_a_released_note_fades_and_ends(voice):
    tones = voice.start(RATE)
    tones.strike(3, 60, 90)
    held = tones.render(RATE // 2)[:, 0]
    assert tones.sounding == {3}
    tones.release(3)
    fading = [tones.render(RATE // 20)[:, 0] for _ in range(20)]
    levels = [level_db(part) for part in fading]
    assert level_db(held) > -60
    assert all(a >= b for a, b in itertools.pairwise(levels[:5]))
    assert levels[-1] < SILENT
    assert not tones.sounding


def test_sound_does_not_depend_on_how_it_is_cut(voice):
    def play(cuts: tuple[int, ...]) -> np.ndarray:
        tones = voice.start(RATE)
        out = []
        for i in range(12):
            if i < 4:
                tones.strike(i, 48 + 7 * i, 60 + 10 * i)
            if i == 6:
                tones.release(1)
                for tone in range(4):
                    tones.bend(tone, 0.7)
                tones.turn({"instrument": "reed", "instrument_b": "flute", "morph": 0.3})
            out += [tones.render(n) for n in cuts]
        return np.concatenate(out)

    once = play((2400,))
    for cuts in ((1200, 1200), (1, 1000, 1399), (64,) * 37 + (32,)):
        assert np.abs(play(cuts) - once).max() < 1e-5


def test_long_notes_go_on_without_clicks(voice):
    sound = render_note(voice, "organ", 57, 100, 6.0, 6.0, RATE)
    seconds = sound.reshape(6, -1)
    assert -90 < level_db(seconds[5]) < level_db(seconds[1]) - 20  # it decays as it did
    jumps = np.abs(np.diff(seconds, axis=1)).max(1)
    assert jumps[2:].max() <= 1.2 * jumps[0]


def test_another_timbre_comes_smoothly_into_notes_held_long(voice):
    def play(turned: bool) -> np.ndarray:
        tones = voice.start(RATE)
        tones.turn({"instrument": "flute", "instrument_b": "reed", "morph": 0.0})
        tones.strike(0, 60, 100)
        out = [tones.render(RATE)]
        tones.turn({"instrument": "flute", "instrument_b": "reed", "morph": float(turned)})
        return np.concatenate([*out, tones.render(RATE)])[:, 0]

    plain, turned = play(False), play(True)
    assert np.array_equal(plain[:RATE], turned[:RATE])
    assert np.abs(plain[-4800:] - turned[-4800:]).max() > 0.1 * np.abs(plain[-4800:]).max()
    bends = (np.abs(np.diff(sound, 2))[RATE:-478].reshape(-1, 480) for sound in (plain, turned))
    crests = [(parts.max(1) / np.sqrt(np.mean(parts**2, 1))).max() for parts in bends]  # a click would stand out
    assert crests[1] <= 1.5 * crests[0]


def test_the_next_note_has_the_new_timbre(voice):
    tones = voice.start(RATE)
    tones.turn({"instrument": "flute", "instrument_b": "reed", "morph": 1.0})
    tones.strike(0, 60, 100)
    turned = tones.render(RATE // 2)[:, 0] / HEADROOM
    reed = render_note(voice, "reed", 60, 100, 0.5, 0.5, RATE)
    assert np.abs(turned - reed).max() < 1e-4


def test_a_bend_is_heard(voice):
    tones = voice.start(RATE)
    tones.strike(0, 60, 100)
    tones.bend(0, 2.0)
    sound = tones.render(RATE)[:, 0]
    assert abs(1200 * np.log2(frequency_of(sound[4800:], RATE, to_hertz(62)) / to_hertz(62))) < 25


def test_tones_stolen_and_released_at_random_leave_silence(voice):
    rng = np.random.default_rng(5)
    tones = voice.start(RATE)
    tones.turn({"instrument": "organ", "instrument_b": "reed", "morph": 0.5, "x": 0.4, "y": -1.0})
    held: list[int] = []
    peak = -200.0
    for number in range(60):
        if len(held) == 16:
            tones.cut(held.pop(int(rng.integers(len(held)))))
        tones.strike(number, int(rng.integers(0, 128)), int(rng.integers(1, 128)))
        held.append(number)
        if rng.random() < 0.4:
            tones.release(held.pop(int(rng.integers(len(held)))))
        tones.bend(number, float(rng.uniform(-2, 2)))
        sound = tones.render(int(rng.integers(1, 900)))
        assert np.isfinite(sound).all()
        peak = max(peak, peak_db(sound))
    assert -60 < peak < 6
    for number in held[::2]:
        tones.release(number)
    for number in held[1::2]:
        tones.cut(number)
    for _ in range(40):
        tones.render(4800)
    assert not tones.sounding
    assert peak_db(tones.render(4800)) < SILENT


def test_a_cut_tone_is_silent_within_five_milliseconds(voice):
    tones = voice.start(RATE)
    tones.strike(0, 60, 100)
    tones.render(RATE // 4)
    tones.cut(0)
    assert np.abs(tones.render(480)[245:]).max() == 0
    assert not tones.sounding
    tones.strike(1, 60, 100)
    tones.cut(1)
    assert not tones.sounding
    tones.release(99)
    tones.cut(99)


def test_bundles_that_are_not_whole_are_refused(bundle, voice, tmp_path):
    with pytest.raises(HocketError, match="kazoo"):
        render_note(voice, "kazoo", 60, 100, 1, 1, RATE)
    wrong = Bundle(bundle.folder, bundle.manifest, {})
    with pytest.raises(HocketError, match="generator"):
        GanSynth(wrong)
    import msgspec

    short = msgspec.structs.replace(bundle.manifest, codec={"frames": gansynth.STEADY})
    with pytest.raises(HocketError, match="too short"):
        GanSynth(Bundle(bundle.folder, short, bundle.sessions))
    other = msgspec.structs.replace(bundle.manifest, latent=9)
    with pytest.raises(HocketError, match="mean"):
        GanSynth(Bundle(bundle.folder, other, bundle.sessions))


def test_checkpoints_hold_the_network_alone(note_run):
    kept, facts = checkpoint.load(note_run / "best.safetensors")
    assert all(name.startswith("weights.") for name in kept)
    assert isinstance(kept["weights.out.weight"], torch.Tensor)
    assert facts["recipe"]["family"] == "gansynth"
