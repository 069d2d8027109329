"""Learning to vocode: one short run, its bundle, and that streamed sound is the whole sound."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.sound.peaks import Peaks
from instrument.models.sound.spectral import MelFormat, hann, log_mel, stft
from instrument.models.sound.vocoder import Synthesis, Vocoder
from tests.support.sound_corpus import make_note_corpus, make_stream_corpus
from training.core.recipe import Recipe
from training.export import export
from training.families.vocoder import task as vocoding
from training.families.vocoder.network import Config, Network, envelope
from training.families.vocoder.task import VocodingTask
from training.families.vocoder.tone_synth import mixture
from training.fit import Run
from training.measures.distances import multi_resolution
from training.recipe import read_recipe

RECIPES = Path(__file__).parents[3] / "training" / "recipes"
FORMAT = MelFormat()

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Recipe:
    folder = tmp_path_factory.mktemp("sound")
    make_stream_corpus(folder / "music", seconds=1.2, clips=5)
    make_note_corpus(folder / "notes", rate=44100, seconds=0.5)
    recipe = read_recipe(RECIPES / "vocoder.toml")
    train = {
        "batches": 3,
        "lanes": 2,
        "frames": 24,
        "context": 4,
        "warmup": 2,
        "valid_clips": 2,
        "valid_seconds": 0.5,
    }
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(folder / "music")),
        model=dataclasses.replace(recipe.model, width=16, layers=2, hidden=24, tonal=128),
        train=dataclasses.replace(recipe.train, **train, notes=0.3, made=0.3, notes_folder=str(folder / "notes")),
    )


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory, one_thread) -> Path:
    folder = tmp_path_factory.mktemp("run")
    Run(small, folder).fit()
    return folder


@pytest.fixture(scope="module")
def bundle(trained, tmp_path_factory) -> Bundle:
    return open_bundle(export(trained / "best.safetensors", tmp_path_factory.mktemp("bundles")), trusted=True)


@pytest.fixture(scope="module")
def music(small) -> np.ndarray:
    return VocodingTask(small).held[0]


# --- the bundle


def test_the_bundle_is_small_and_tells_its_format(bundle):
    manifest = bundle.manifest
    assert manifest.family == "vocoder"
    assert MelFormat.of(manifest.codec) == FORMAT
    assert manifest.provenance.metrics["weights"] in ("stored8", "fp16")
    assert manifest.provenance.metrics["parity"] < 1e-4
    assert manifest.provenance.datasets == {"made-up": "CC0-1.0"}


def test_the_golden_sound_is_met(bundle):
    golden = bundle.golden()
    sound = Vocoder(bundle).render(golden["mels"])
    np.testing.assert_allclose(sound, golden["sound"], atol=bundle.manifest.golden.tolerance)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=20))
@settings(max_examples=15, deadline=None)
def test_streamed_is_whole(bundle, music, chunks):
    mels = log_mel(music)[: sum(chunks)]
    vocoder = Vocoder(bundle)
    whole = vocoder.push(mels)
    vocoder.reset()
    parts = [vocoder.push(part) for part in np.split(mels, np.cumsum(chunks)[:-1])]
    assert [len(part) for part in parts] == [256 * len(part) for part in np.split(mels, np.cumsum(chunks)[:-1])]
    assert np.abs(np.concatenate(parts) - whole).max() <= 1e-5 * max(1e-3, np.abs(whole).max())


def test_a_stream_begins_the_same_every_time_and_another_seed_has_other_noise(bundle, music):
    vocoder, mels = Vocoder(bundle), log_mel(music)
    first = vocoder.push(mels)
    vocoder.reset()
    np.testing.assert_array_equal(vocoder.push(mels), first)
    vocoder.reset(seed=1)
    assert np.abs(vocoder.push(mels) - first).max() > 1e-3
    assert len(vocoder.push(mels[:0])) == 0


def test_a_bundle_without_a_format_is_refused(bundle):
    manifest = msgspec.structs.replace(bundle.manifest, codec={"rate": 44100})
    with pytest.raises(HocketError, match="not whole"):
        Vocoder(Bundle(bundle.folder, manifest, bundle.sessions))


# --- learning


def test_the_network_agrees_with_the_synthesis_that_is_trained(small):
    """The synthesis in torch, which has gradients, makes the sound of the instrument's."""
    network, rng = Network(small.model), np.random.default_rng(0)
    x, tonal = mixture(rng, 8192, 44100), small.model.tonal
    mels = log_mel(x)[None]
    places, offsets, lobes = Peaks(FORMAT, tonal).find(mels)
    with torch.no_grad():
        told = [torch.from_numpy(a) for a in (mels, places, lobes)]
        parts, _ = network(*told, network.initial(1))
        loud, noise, *run = parts.split([FORMAT.bins] * 2 + [tonal] * 2, -1)
        noise.zero_()
        running = torch.complex(*run) * vocoding.advance(torch.from_numpy(offsets), FORMAT)
        first, sources = torch.ones(1, tonal, dtype=torch.complex64), vocoding.nearest(torch.from_numpy(offsets))
        phases = vocoding.run_phases(first, running, sources)
        spectra = torch.nn.functional.pad(running * phases, (0, FORMAT.bins - tonal))
        made = vocoding.overlapped(vocoding.unit(spectra) * loud, FORMAT)[0].numpy()
    theirs = Synthesis(FORMAT, tonal).push(parts[0].numpy(), offsets[0])
    np.testing.assert_allclose(theirs, made[: len(theirs)], atol=1e-4 * np.abs(made).max())


def test_a_tone_is_in_tune_before_anything_is_learnt():
    torch.manual_seed(0)
    network = Network(Config(width=16, layers=1, hidden=16))
    times = np.arange(44100) / 44100
    for f0 in (220.0, 440.0, 1318.5):
        x = sum(0.1 / h * np.sin(2 * np.pi * f0 * h * times) for h in range(1, 6)).astype(np.float32)
        y = vocoding.rendered(network, log_mel(x))
        spectrum = np.abs(np.fft.rfft(y[8192:40960] * np.hanning(32768), 1 << 18))
        near = slice(*(int(f0 * r * (1 << 18) / 44100) for r in (0.95, 1.05)))
        found = (near.start + spectrum[near].argmax()) * 44100 / (1 << 18)
        assert abs(1200 * np.log2(found / f0)) < 10


def test_the_head_begins_with_what_mels_tell(music):
    weight, bias = envelope()
    noise = (0.1 * np.random.default_rng(0).standard_normal(44100)).astype(np.float32)
    told = log_mel(noise)[20:-20] @ weight.T + bias
    true = np.log(np.abs(stft(noise, FORMAT.fft, FORMAT.hop))[20:-20])
    assert abs((told - true)[:, 20:900].mean()) < 0.3


def test_losses_have_gradients_everywhere(small):
    task, network = VocodingTask(small), Network(small.model)
    losses = task.losses(network, np.random.default_rng(0), 0.0)
    losses["total"].backward()
    assert set(losses) == {"total", "distance", "log", "turn"}
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_turning_right_costs_nothing():
    x = mixture(np.random.default_rng(1), 20000, 44100)
    windows = np.lib.stride_tricks.sliding_window_view(x, 2048)[None, :: FORMAT.hop]
    spectra = torch.from_numpy(np.fft.rfft(windows * hann(2048)) * vocoding.middle(1025))[..., :200]
    sources = vocoding.nearest(torch.zeros(spectra[:, 1:].shape))
    right = spectra[:, 1:] * vocoding.unit(spectra[:, :-1]).conj()
    assert vocoding.turn_loss(right, spectra, sources) < 0.01
    assert vocoding.turn_loss(-right, spectra, sources) > 1.9


def test_overlapped_frames_are_the_sound_again():
    x = mixture(np.random.default_rng(2), 9 * 256 + 2048, 44100)
    windows = np.lib.stride_tricks.sliding_window_view(x, 2048)[:: FORMAT.hop]
    spectra = torch.from_numpy(np.fft.rfft(windows * hann(2048)) * vocoding.middle(1025))
    y = vocoding.overlapped(spectra, FORMAT).numpy()
    np.testing.assert_allclose(y[1792:2304], x[1792:2304], atol=1e-5)


def test_the_loss_is_the_distance_that_is_reported():
    rng = np.random.default_rng(3)
    a, b = (0.1 * rng.standard_normal(16384).astype(np.float32) for _ in range(2))
    pair = torch.from_numpy(np.stack([b, b]))[:, None]
    found = [vocoding.energy_distance(torch.from_numpy(a)[None], pair, 1.0, fft) for fft in vocoding.RESOLUTIONS]
    assert float(sum(found)) / 3 == pytest.approx(multi_resolution(a, b), rel=0.05)


def test_made_up_tones_sound_and_stay_within_bounds():
    for seed in range(20):
        x = mixture(np.random.default_rng(seed), 8000, 44100)
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.abs(x).max() <= 1.0001


def test_data_of_another_rate_is_refused(small, tmp_path):
    make_stream_corpus(tmp_path, rate=22050, seconds=1.0, clips=5)
    other = dataclasses.replace(small, data=dataclasses.replace(small.data, folder=str(tmp_path)))
    with pytest.raises(HocketError, match="22050 Hz"):
        VocodingTask(other)
