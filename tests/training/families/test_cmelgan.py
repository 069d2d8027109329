"""The genre stream: learning it, its bundle, and the mels that it dreams without end."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.manifest import VERSION, Golden, Manifest
from instrument.models.sound.cmelgan import MelGenerator, open_stream
from instrument.models.sound.spectral import SILENCE, SPREAD, MelFormat
from tests.support.sound.corpus import GENRES, make_stream_corpus
from training.core import checkpoint
from training.core.recipe import Recipe
from training.export import PARITY, export
from training.families.cmelgan.bundle import knobs as stream_knobs
from training.families.cmelgan.coder import k_means
from training.families.cmelgan.network import Config, Network, Step, graphs, gumbel, states
from training.families.cmelgan.task import CRITIC, PRIOR, distance
from training.fit import Run
from training.recipe import read_recipe

RECIPE, MODELS = (Path(__file__).parents[3] / name for name in ("training/recipes/cmelgan.toml", "models_onnx"))
SMALL = {
    "widths": (12, 10, 8, 8),
    "components": 12,
    "codebooks": 3,
    "codebook_size": 12,
    "style": 4,
    "units": 16,
    "head": 8,
}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory) -> Path:
    return make_stream_corpus(tmp_path_factory.mktemp("sounds"), seconds=1.5).folder


def small(sounds: Path, **train) -> Recipe:
    recipe = read_recipe(RECIPE)
    settings = {
        "batches": 10,
        "batch_size": 4,
        "warmup_batches": 2,
        "ema_decay": 0.5,
        "save_seconds": 0.0,
        "valid_clips": 6,
    }
    return dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folder=str(sounds)),
        model=dataclasses.replace(recipe.model, **SMALL),
        sampling=dataclasses.replace(recipe.sampling, sequence_length=24, primer_length=2, generated_length=4),
        train=dataclasses.replace(recipe.train, **settings | train),
    )


@pytest.fixture(scope="module")
def stream_run(sounds, tmp_path_factory, one_thread) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    Run(small(sounds), folder).fit()
    return folder


@pytest.fixture(scope="module")
def bundle(stream_run, tmp_path_factory) -> Bundle:
    return open_bundle(export(stream_run / "best.safetensors", tmp_path_factory.mktemp("bundles")), trusted=True)


def knobs(bundle: Bundle, **told) -> dict[str, float | str]:
    return {knob.id: knob.default for knob in bundle.manifest.knobs} | told


def music(frames: int, count: int = 400) -> torch.Tensor:
    """Mels (count, frames, 20) that depend on a few numbers."""
    generator = torch.Generator().manual_seed(4)
    shapes = torch.randn(3, frames // 8 * 160, generator=generator)
    return (torch.randn(count, 3, generator=generator) @ shapes).unflatten(1, (frames, 20))


def small_network() -> Network:
    torch.manual_seed(1)
    network = Network(Config(mels=20, dropout=0.0, **SMALL), 3)
    network.find(music(16))
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network.eval()


# --- the network


def test_the_coder_keeps_most_of_what_it_was_found_from():
    network = small_network()
    mels = music(16)[:, :8]
    codes = network.coder.codes(mels)
    assert codes.shape == (400, 1, 3)
    near = (network.coder.mels(network.coder.points(codes)) - mels).square().mean()
    assert near < 0.4 * mels.var()


def test_few_rows_are_means_enough():
    rows = torch.arange(6.0)[:, None]
    assert k_means(rows, 10).shape == (10, 1)


def test_what_is_drawn_step_by_step_is_what_is_drawn_at_once():
    network = small_network()
    codes = torch.randint(12, (2, 9, 3))
    genre = torch.softmax(torch.randn(2, 9, 3), -1)  # moves at every frame
    whole, _ = network.draw(codes, genre)
    parts, caches = [], None
    for cut in ((0, 1), (1, 5), (5, 9)):
        found, caches = network.draw(codes[:, slice(*cut)], genre[:, slice(*cut)], caches)
        parts.append(found)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)


def test_a_dream_is_as_likely_as_the_prior_says():
    network = small_network()
    style, genre = torch.randn(2, 4), torch.eye(3)[:2]
    torch.manual_seed(3)
    codes = network.generate(torch.zeros(2, 0, 3, dtype=torch.long), style, genre, 5)
    torch.manual_seed(3)
    drawn = torch.stack([gumbel(2, network.config) for _ in range(5)], 1)
    each = [x[:, None].expand(-1, 5, -1) for x in (style, genre)]
    logits = network.logits(codes, codes[:, :-1], *each)
    assert ((logits + drawn).argmax(-1) == codes).all()


def test_the_future_is_not_known():
    network = small_network()
    codes = torch.randint(12, (1, 8, 3))
    other = codes.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 12
    each = torch.zeros(1, 8, 4), torch.ones(1, 8, 3) / 3
    a, b = (network.logits(c, c[:, :-1], *each) for c in (codes, other))
    torch.testing.assert_close(a[:, :5], b[:, :5])
    assert not torch.equal(a[:, 5:], b[:, 5:])
    a, b = (network.draw(c, each[1])[0] for c in (codes, other))
    torch.testing.assert_close(a[:, :40], b[:, :40])


def test_windows_of_the_same_music_are_nearer_than_others():
    rng = np.random.default_rng(0)
    genre = np.array([0, 0, 0, 1, 1, 1])
    mels = torch.from_numpy(rng.normal(size=(6, 40, 96)).astype(np.float32)).cumsum(1) / 4
    assert distance(mels, mels, genre) == 0
    assert distance(mels + 2, mels, genre) > distance(mels + 0.1, mels, genre) > 0


# --- learning


def test_both_acts_learn(sounds, tmp_path):
    run = Run(small(sounds), tmp_path)
    first = [run.step(0.1) for _ in range(2)]
    assert run.task.phase == PRIOR
    before = [p.detach().clone() for p in run.task.critic.parameters()]
    second = run.step(0.9)
    assert run.task.phase == CRITIC
    assert set(second) == {"total", "mel", "critic", "adversarial", "feature_matching"}
    assert np.isfinite([*first[0].values(), *second.values()]).all()
    assert any(not torch.equal(a, b) for a, b in zip(before, run.task.critic.parameters(), strict=True))
    assert run.genres == tuple(sorted(GENRES))


def test_the_prior_learns_what_follows(sounds, tmp_path):
    run = Run(small(sounds, learning_rate=1e-2, batches=60), tmp_path)
    before = run.step(0.0)["bits"]
    after = [run.step(i / 120)["bits"] for i in range(1, 60)]
    assert np.mean(after[-5:]) < before - 0.5


def test_a_broken_off_run_goes_on_as_if_it_had_not_been(sounds, stream_run, tmp_path):
    broken = Run(small(sounds), tmp_path)
    for _ in range(8):  # into the second act
        broken.step(broken.batch / 10)
    assert broken.task.judged
    broken.save()
    resumed = Run(small(sounds), tmp_path)
    assert (resumed.batch, resumed.task.judged) == (8, broken.task.judged)
    resumed.fit()
    mine, theirs = (checkpoint.load(folder / "last.safetensors")[0] for folder in (tmp_path, stream_run))
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def test_data_of_one_genre_is_not_enough(sounds, tmp_path):
    recipe = small(sounds)
    with pytest.raises(HocketError, match=r"4 clips each .* and there are none: prepare more"):
        Run(dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, exclude=("made-up",))), tmp_path)


# --- the bundle


def test_the_bundle_matches_the_network(bundle, stream_run):
    manifest = bundle.manifest
    assert manifest.provenance.metrics["parity"] <= PARITY
    assert manifest.genres == tuple(sorted(GENRES))
    assert manifest.needs == ("vocoder-44k",)
    golden = bundle.golden()
    network = Network(dataclasses.replace(small_network().config, mels=96), 3)
    held = {p.input: np.full((1, *p.shape[1:]), p.initial, np.float32) for p in manifest.states}
    assert manifest.states == states(network)
    for i in range(len(golden["style"])):
        now = {name: golden[name][i] for name in ("style", "genre", "temperature", "noise")}
        mels, *after = bundle.session("step").run(now | held)
        held = dict(zip(held, after, strict=True))
        np.testing.assert_allclose(mels[0], golden["mels"][0, i * 8 : i * 8 + 8], atol=manifest.golden.tolerance)


def test_a_step_of_the_graph_draws_what_its_noise_says():
    network = small_network()
    step = Step(network)
    loud = torch.full((1, 3, 12), -1e4)
    loud[0, torch.arange(3), torch.tensor([2, 7, 11])] = 1e4
    args = torch.zeros(1, 4), torch.ones(1, 3) / 3, torch.ones(1, 1), loud
    states_ = [torch.zeros(1, *p.shape[1:]) for p in states(network)]
    mels, z, *_ = step(*args, *states_)
    torch.testing.assert_close(z, network.coder.points(torch.tensor([[2, 7, 11]])))
    assert mels.shape == (1, 8, 20)


# --- playing, with a network that has opinions though it never learnt anything


class TorchBundle(Bundle):
    """A bundle whose graph is a module."""

    def __init__(self) -> None:
        network = small_network()
        network.prior.precision.data.fill_(-4.0)
        network.prior.share.weight.data *= 10
        for out in network.prior.out:
            out.weight.data *= 20
        step, _, ins, _ = graphs(network)["step"]

        def run(feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            with torch.no_grad():
                return [out.numpy() for out in step(*(torch.tensor(feeds[port.name]) for port in ins))]

        rng = np.random.default_rng(0)
        self.map = {"genre_mean": rng.normal(size=(3, 4)), "genre_spread": np.full((3, 4), 0.5)}
        self.map["components"] = rng.normal(size=(2, 4))
        names = ("ambient", "drumming", "plucked")
        manifest = Manifest(
            VERSION,
            "stream",
            "Stream",
            "cmelgan",
            "1",
            "",
            (),
            Golden("golden.npz", "0" * 64, 0.1),
            states=states(network),
            genres=names,
            latent=4,
            codec=MelFormat(mels=20).codec() | {"stride": 8, "groups": 3, "codes": 12},
            knobs=stream_knobs(names),
        )
        super().__init__(Path(), manifest, {"step": SimpleNamespace(run=run)})

    def latents(self) -> dict[str, np.ndarray]:
        return {name: array.astype(np.float32) for name, array in self.map.items()}


@pytest.fixture(scope="module")
def played() -> Bundle:
    return TorchBundle()


TURNS = st.lists(
    st.fixed_dictionaries(
        {
            "genre": st.sampled_from(sorted(GENRES)),
            "blend": st.floats(0, 1),
            "x": st.floats(-1, 1),
            "motion": st.floats(0, 1),
            "temperature": st.floats(0.3, 1.5),
        }
    ),
    min_size=3,
    max_size=12,
)


@given(turns=TURNS, seed=st.integers(0, 1 << 40))
@settings(max_examples=15, deadline=None)
def test_a_dream_is_a_function_of_seed_and_knobs(played, turns, seed):
    one, other = MelGenerator(played), MelGenerator(played)
    other.reset(seed + 1, 3)
    other.next(knobs(played))  # what was before does not matter
    for generator in (one, other):
        generator.reset(seed, 2)
    mine = [one.next(knobs(played, **told)) for told in turns]
    theirs = [other.next(knobs(played, **told)) for told in turns]
    assert (np.concatenate(mine) == np.concatenate(theirs)).all()
    assert np.isfinite(mine).all()


@given(turns=TURNS)
@settings(max_examples=10, deadline=None)
def test_a_stream_is_what_is_drawn_offline(played, turns):
    generator = MelGenerator(played)
    generator.reset(9, 0)
    streamed, codes, genres = [], [], []
    books = small_network().coder
    for told in turns:
        streamed.append(generator.next(knobs(played, **told)))
        genres.append(generator.weights(knobs(played, **told)))
        codes.append(torch.from_numpy(generator._states["before"]))
    z = torch.stack(codes, 1)
    network = small_network()
    more, _ = network.generator(z * books.scale, torch.from_numpy(np.array(genres))[None])
    whole = (books.mels(z) + more)[0].detach().numpy()
    np.testing.assert_allclose(np.concatenate(streamed), whole, atol=1e-5 * np.abs(whole).max())


def test_players_and_seeds_dream_apart(played):
    generator, found = MelGenerator(played), []
    for seed, player in ((1, 0), (2, 0), (1, 1)):
        generator.reset(seed, player)
        found.append(np.concatenate([generator.next(knobs(played)) for _ in range(8)]))
    assert (found[0] != found[1]).any()
    assert (found[0] != found[2]).any()


def test_a_turned_knob_is_heard_and_changes_nothing_before(played):
    for turned in ({"genre": "drumming"}, {"blend": 1.0}, {"x": 1.0}, {"temperature": 1.5}):
        heard = []
        for told in (knobs(played), knobs(played, **turned)):
            generator = MelGenerator(played)
            before = [generator.next(knobs(played)) for _ in range(10)]
            heard.append((before, [generator.next(told) for _ in range(20)]))
        assert (np.array(heard[0][0]) == heard[1][0]).all()
        assert np.abs(np.array(heard[0][1]) - heard[1][1]).max() > 1e-3


def test_the_genre_is_drawn_in_its_style(played):
    generator = MelGenerator(played)
    told = knobs(played, genre="ambient", genre_b="plucked", motion=0.0)
    weights = generator.weights(told | {"blend": 0.25})
    np.testing.assert_allclose(weights, [0.75, 0, 0.25])
    still = generator.style(told, weights)
    generator.next(told)
    assert (generator.style(told, weights) == still).all()
    pad = generator.style(told | {"x": 1.0}, weights) - still
    np.testing.assert_allclose(pad, 2 * played.latents()["components"][0], atol=1e-5)
    for _ in range(40):
        generator.next(told | {"motion": 1.0})
    assert np.abs(generator.style(told, weights) - still).max() > 1e-3


def test_a_bundle_that_is_not_whole_is_named(played):
    broken = TorchBundle()
    broken.map["components"] = broken.map["components"][:1]
    with pytest.raises(HocketError, match="components"):
        MelGenerator(broken)
    broken.manifest = replace(played.manifest, codec={"rate": 44100})
    with pytest.raises(HocketError, match="reinstall it"):
        MelGenerator(broken)


# --- what ships


@pytest.mark.skipif(
    not all((MODELS / slug).exists() for slug in ("genre-stream", "vocoder-44k")),
    reason="it does not ship yet",
)
def test_the_stream_that_ships_keeps_its_level():
    bundle, vocoder = (open_bundle(MODELS / slug, trusted=True) for slug in ("genre-stream", "vocoder-44k"))
    stream = open_stream(bundle, vocoder)
    assert 0.02 < stream.chunk / stream.rate < 0.05
    first = [stream.render(knobs(bundle)) for _ in range(3)]
    stream.reset(0, 0)
    assert (np.array(first) == [stream.render(knobs(bundle)) for _ in range(3)]).all()
    generator = MelGenerator(bundle)
    assert bundle.manifest.genres
    for genre in bundle.manifest.genres[::3]:
        generator.reset(5, 0)
        mels = np.stack([generator.next(knobs(bundle, genre=genre)) for _ in range(600)])  # half a minute
        level = np.log(np.exp(mels * SPREAD).mean((1, 2))).reshape(3, -1).mean(1) * 20 / np.log(10)
        assert np.ptp(level) < 10, genre  # dB
        assert mels.max((1, 2)).min() > SILENCE
