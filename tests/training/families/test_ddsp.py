"""Notes taken apart, and a voice learnt from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from instrument.errors import HocketError
from instrument.models.bundle import bundle_bytes, open_bundle
from instrument.models.sound.additive import BANDS, CENTRES, FRAME_RATE, PARTIALS, noise_frames, phasors
from tests.support.sound.corpus import RNG, hertz, make_note_corpus
from tests.support.sound.voices import small_recipe
from training.data.sound.corpus import Clip, Corpus, CorpusWriter
from training.data.sound.partials import analyse
from training.data.sound.tones import SPAN, describe, open_tones
from training.export import PARITY, export
from training.families.ddsp.bundle import BundleTones, ToneBundling
from training.fit import Run

pytestmark = pytest.mark.usefixtures("one_thread")
RATE = 16000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make_note_corpus(tmp_path_factory.mktemp("notes"))


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory, one_thread):
    folder = tmp_path_factory.mktemp("run")
    Run(small_recipe(corpus.folder), folder).fit()
    return folder


# --- analysis


@pytest.mark.parametrize("cents", [-40, 0, 25])
@pytest.mark.parametrize("pitch", [36, 60, 84])
def test_partials_of_a_note_are_found_off_pitch_too(pitch, cents):
    time = np.arange(RATE) / RATE
    f0 = hertz(pitch + cents / 100)
    levels = [-10, -30, -20, -40]
    sound = sum(10 ** (db / 20) * np.sin(2 * np.pi * f0 * k * time + k) for k, db in enumerate(levels, 1))
    found = analyse(sound, RATE, pitch)
    middle = found.levels[30:-30]
    assert np.abs(middle[:, :4] - levels).max() < 0.5
    assert np.abs(found.cents[30:-30] - cents).max() < 3
    assert middle[:, 4:PARTIALS].max() < -75
    assert not found.tuning.any()


def test_stiff_strings_are_taken_for_such():
    time = np.arange(2 * RATE) / RATE
    order = np.arange(1, 16)
    places = order * np.sqrt(1 + 4e-4 * order**2)
    sound = sum(np.exp(-3 * time) * np.sin(2 * np.pi * hertz(57) * p * time) / 20 for p in places)
    found = analyse(sound, RATE, 57)
    wanted = 1200 * np.log2(places / order)
    assert np.abs(found.tuning[:15] - (wanted - wanted[0])).max() < 3
    assert np.abs(found.levels[40, :15] - (-26 - 3 * 8.686 * 40 / FRAME_RATE)).max() < 1


def test_noise_is_found_beneath_partials():
    time = np.arange(RATE) / RATE
    frames = noise_frames(np.full((130, BANDS), -80.0), phasors(RNG(3).random((130, 129))), RATE)
    sound = np.zeros(131 * 128)
    for i, frame in enumerate(frames):
        sound[i * 128 : i * 128 + 256] += frame
    sound = sound[:RATE] + 0.3 * np.sin(2 * np.pi * 440 * time)
    found = analyse(sound, RATE, 69).levels[20:-20, PARTIALS:]
    inside = (CENTRES > 200) & (CENTRES < 7000)
    # around the partials' places, noise is taken for partials
    assert np.median(found[:, inside]) == pytest.approx(-80, abs=4)


def test_how_a_note_goes_on_and_ends_is_described(corpus):
    clip = next(c for c in corpus.clips if c.instrument == "organ")
    tone = describe(corpus.read(clip), corpus.rate, clip.pitch, clip.held)
    assert tone.levels.shape == (SPAN, PARTIALS + BANDS)
    assert tone.usable == pytest.approx(clip.held * FRAME_RATE / corpus.rate, abs=4)
    assert np.abs(tone.loss[:5].astype(float) - 8.686).max() < 1.5  # exp(-t)
    assert tone.levels[SPAN - 1, 0] == pytest.approx(tone.levels[60, 0] - 8.7 * (SPAN - 61) / FRAME_RATE, abs=2)
    assert tone.release > 150
    assert np.isnan(describe(corpus.read(clip)[: clip.held], corpus.rate, clip.pitch).release)


def test_bad_notes_are_left_out_with_their_reason(tmp_path, capsys):
    writer = CorpusWriter(tmp_path, RATE)
    good = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE) * 0.5
    for name, pitch, sound in (
        ("silent", 69, np.zeros(RATE)),
        ("short", 69, good[:500]),
        ("unlabelled", -1, good),
        ("good", 69, good),
    ):
        clip = Clip(name, "x", "", "CC0-1.0", "train", instrument="a", pitch=pitch, velocity=90)
        writer.add(clip, sound)
    tones = open_tones(writer.finish())
    assert [c.path for c in tones.clips] == ["good"]
    said = capsys.readouterr().out
    assert "silent is left out" in said
    assert "short is left out" in said
    assert len(open_tones(Corpus.open(tmp_path))) == 1
    assert not capsys.readouterr().out  # taken apart once


def test_bands_that_a_low_rate_hides_come_from_a_higher_one(tmp_path):
    corpora = {}
    for name, rate, seconds in (("low", 16000, 1.0), ("high", 44100, 1.0)):
        writer = CorpusWriter(tmp_path / name, rate)
        time = np.arange(int(rate * seconds)) / rate
        sound = 0.5 * sum(np.sin(2 * np.pi * 523.25 * k * time) / k for k in range(1, 40) if 523 * k < 0.45 * rate)
        sound = (sound + RNG(2).standard_normal(len(time)) * 1e-3) * (0.5 if name == "high" else 1)
        writer.add(Clip("a", "x", "", "CC0-1.0", "train", instrument="a", pitch=72, velocity=90), sound)
        corpora[name] = writer.finish()
    alone = open_tones(corpora["low"])
    assert not alone.known[0, 20]
    assert alone.known[0, 10]
    wide = open_tones(corpora["low"], corpora["high"])
    assert wide.known[0, 20]
    assert wide.known[0].sum() > alone.known[0].sum()
    assert np.array_equal(wide.levels[[0]][..., :10], alone.levels[[0]][..., :10])


# --- learning


def test_it_learns(corpus, trained):
    run = Run(small_recipe(corpus.folder), trained)
    assert run.batch == 150
    score = run.validate()
    untrained = run.task.validate(run.family.network.Network(run.recipe.model, 3))
    assert score.weighted < 0.5 * untrained.weighted
    assert score.cents < 10


def test_a_resumed_run_repeats_an_unbroken_one(corpus, tmp_path):
    recipe = small_recipe(corpus.folder, batches=8, ema_decay=0.5)
    whole = Run(recipe, tmp_path / "whole")
    whole.fit()
    first = Run(dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, batches=8)), tmp_path / "parts")
    for _ in range(3):
        first.step(first.batch / 8)
    first.folder.mkdir(exist_ok=True)
    first.save()
    rest = Run(recipe, tmp_path / "parts")
    rest.fit()
    for name, weight in whole.network.state_dict().items():
        assert torch.equal(weight, rest.network.state_dict()[name]), name


def test_the_bundle_computes_what_the_network_does(corpus, trained, tmp_path):
    folder = export(trained / "best.safetensors", tmp_path)
    bundle = open_bundle(folder)
    golden = bundle.golden()
    found = bundle.session("note").run({n: golden[n] for n in ("instrument", "note", "z")})
    assert np.abs(found[0] - golden["state"]).max() < bundle.manifest.golden.tolerance
    run = Run(small_recipe(corpus.folder), trained)
    own = ToneBundling(run.averaged(), run.recipe, run.genres)
    assert own.parity(bundle) < 0.05  # weights of 8 bits
    assert bundle.manifest.provenance.metrics["parity"] < PARITY
    assert own.measure(bundle) == pytest.approx(own.measure(None), abs=0.3)
    assert bundle.manifest.condition_genres == ("flute", "organ", "reed")
    assert {k.id for k in bundle.manifest.knobs} >= {"instrument", "instrument_b", "morph", "x", "y", "vibrato"}
    assert bundle.latents()["directions"].shape == (2, 4)
    assert bundle_bytes(folder) < 1 << 19
    assert isinstance(BundleTones(bundle), torch.nn.Module)


def test_without_notes_nothing_is_learnt(tmp_path):
    with pytest.raises(HocketError, match="prepare-audio"):
        Run(small_recipe(tmp_path / "nowhere"), tmp_path / "run")
    writer = CorpusWriter(tmp_path / "empty", RATE)
    writer.add(Clip("a", "x", "rock", "CC0-1.0", "train"), np.zeros(RATE))
    writer.finish()
    with pytest.raises(HocketError, match="no notes"):
        Run(small_recipe(tmp_path / "empty"), tmp_path / "run")
