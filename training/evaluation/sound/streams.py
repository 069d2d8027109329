"""What is measured of a genre stream (`cmelgan`): whether its genres are recognised, how far it is from real music,
whether its knobs have their effect, whether it drifts or has seams, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes, open_bundle
from instrument.models.catalog import find_model, open_sound_bundle
from instrument.models.manifest import Manifest
from instrument.models.sound.base import StreamModel
from instrument.models.sound.spectral import log_mel
from instrument.models.sound.vocoder import Vocoder
from training.data.sound.corpus import Corpus
from training.evaluation.generation import default_knobs
from training.evaluation.sound.classifiers import EMBEDDING, Classifier, Examples, genre_classifier, spread, windows
from training.evaluation.sound.drift import drift, seams
from training.evaluation.sound.evaluation import Evaluation, Sound
from training.evaluation.sound.features import CLIP_SECONDS, Features, clip_features
from training.evaluation.sound.showing import Shown
from training.families.table import find_family
from training.measures.distances import frechet

CLIPS = 5  # of ten seconds, of each genre
COMPARED = 40  # clips of each baseline at most
LEAD_S = 2.0  # skipped before a clip, while a stream starts
MINUTES = 10.0
BLENDS = (0.0, 0.25, 0.5, 0.75, 1.0)
SWEPT, SWEEPS = 6, 5  # pairs of genres whose blend is turned, and how often each
TURN_S = 0.2  # between turns of knobs while seams are looked for
RATE = 0.8  # of the rate of real clips: the goal

Knobs = dict[str, float | str]


class Player:
    """A stream that measures its processor time. chunks: seconds of processor time of every chunk so far."""

    def __init__(self, model: StreamModel) -> None:
        self.model = model
        self.chunks: list[float] = []

    def play(self, knobs: Knobs, seconds: float, seed: int = 1, lead: float = LEAD_S) -> Sound:
        """Mono samples after a reset, without the first `lead` seconds."""
        self.model.reset(seed, 0)
        skipped, frames = int(lead * self.model.rate), int(seconds * self.model.rate)
        chunks = [self.next(knobs) for _ in range(-(-(skipped + frames) // self.model.chunk))]
        return np.concatenate(chunks)[skipped : skipped + frames]

    def next(self, knobs: Mapping[str, float | str]) -> Sound:
        """The next chunk."""
        start = time.thread_time()
        chunk = self.model.render(knobs)
        self.chunks.append(time.thread_time() - start)
        return chunk

    def cost(self) -> dict[str, float]:
        """Of all chunks so far."""
        seconds = self.model.chunk / self.model.rate
        p50, p99 = np.quantile(self.chunks, (0.5, 0.99))
        return {
            "chunk_ms": 1000 * seconds,
            "p50_ms": float(1000 * p50),
            "p99_ms": float(1000 * p99),
            "times_real_time": float(seconds / np.mean(self.chunks)),
        }


def evaluate_stream(
    bundle: Bundle, corpus: Corpus, split: str = "test", clips: int = CLIPS, minutes: float = 0.0
) -> Evaluation:
    """Measure a stream: `clips` ten-second clips of each genre, and `minutes` [MINUTES] without a break. HocketError if
    the corpus has too little of its genres."""
    minutes = minutes or MINUTES
    done = Evaluation.of(bundle, corpus, split)
    manifest, model = open_sound_bundle(bundle)
    if not isinstance(model, StreamModel):
        raise HocketError(f"model {manifest.slug!r} is no stream: it has no clips to measure")
    player, figures = Player(model), done.figures
    with done.stage("classifier", "classifier of genres, trained on real music"):
        classifier, examples = genre_classifier(corpus, manifest.genres)
    figures |= {
        "clips": clips,
        "genres": list(classifier.labels),
        "unheard": sorted(set(manifest.genres) - set(classifier.labels)),
    }
    with done.stage("render", f"{clips} clips of each of {len(classifier.labels)} genres"):
        made = render(done, player, manifest, classifier, clips)
    with done.stage("baselines", "baselines through the vocoder"):
        others = baselines(done, vocoder_of(manifest), corpus, classifier, split, len(made.rows))
    figures |= by_classifier(classifier, examples, made, others)
    with done.stage("blend", "the blend of genres, by the classifier"):
        figures["blend"] = blend(player, manifest, classifier)
    with done.stage("seams", "seams"):
        figures["seams"] = seam_figures(player, manifest)
    with done.stage("drift", f"{minutes:g} minutes without a break"):
        figures["drift"] = drift(player.play(default_knobs(manifest), 60 * minutes, seed=7), model.rate)
    figures["cost"] = player.cost() | {"bytes": bundle_bytes(bundle.folder)}
    figures["goals"] = goals(figures)
    recognised = figures["recognised"]
    figures["overview"] = {
        "recognised (real)": f"{recognised['model']:.2f} ({recognised['real']:.2f})",
        "Frechet (floor)": f"{figures['frechet']['model']:.1f} ({figures['frechet']['real']:.1f})",
        "blend heard": f"{figures['blend']['mean']:.2f}",
        "× real time": f"{figures['cost']['times_real_time']:.0f}",
    }
    return done


def render(done: Evaluation, player: Player, manifest: Manifest, classifier: Classifier, clips: int) -> Examples:
    """Features of clips of each genre, each with its own seed."""
    rows: list[Features] = []
    labels: list[str] = []
    for number, genre in enumerate(classifier.labels):
        knobs = default_knobs(manifest, genre=genre, genre_b=genre)
        for i in range(clips):
            sound = player.play(knobs, CLIP_SECONDS, seed=100 * number + i + 1)
            rows.append(clip_features(sound, player.model.rate))
            labels.append(genre)
            if i == 0 and len(done.rows) < 3:
                done.rows.append([Shown(f"{genre}, generated", sound[: 5 * player.model.rate], player.model.rate)])
                done.examples[genre] = (sound, player.model.rate)
    named = np.array(labels)
    return Examples(np.stack(rows), named, named, np.full(len(named), "made"))


def vocoder_of(manifest: Manifest) -> Vocoder:
    """The vocoder that a stream needs. HocketError if it is not there."""
    for slug in manifest.needs:
        entry = find_model(slug)
        if entry.manifest and find_family(entry.manifest.family).kind == "vocoder":
            return Vocoder(open_bundle(entry.path, trusted=entry.shipped))
    raise HocketError(f"bundle {manifest.slug!r} names no vocoder: export it again")


def baselines(
    done: Evaluation, vocoder: Vocoder, corpus: Corpus, classifier: Classifier, split: str, count: int
) -> dict[str, Examples]:
    """Features of `count` held-out clips (at most `COMPARED`) through the vocoder: as they are, with their mels
    shuffled in time, and of white noise at the same level."""
    rng = np.random.default_rng(0)
    chosen = []
    for genre in classifier.labels:
        found = windows(corpus.select(split=split, genres=[genre]), corpus.rate)
        found += windows(corpus.select(split="valid", genres=[genre]), corpus.rate) if split != "valid" else []
        chosen += spread(found, -(-min(count, COMPARED) // len(classifier.labels)))
    rows: dict[str, list[Features]] = {name: [] for name in ("real through the vocoder", "shuffled", "white noise")}
    labels = np.array([clip.genre for clip, _ in chosen])
    shown = {row[0].title.split(",")[0]: row for row in done.rows}
    for clip, start in chosen:
        real = corpus.read(clip, start, int(CLIP_SECONDS * corpus.rate))
        if len(shown.get(clip.genre, ())) == 1:
            shown[clip.genre].append(Shown("real, held out", real[: 5 * corpus.rate], corpus.rate))
        mels = log_mel(real, vocoder.format)
        noise = rng.standard_normal(len(real)).astype(np.float32) * real.std()
        for name, mel in zip(rows, (mels, rng.permutation(mels), log_mel(noise, vocoder.format)), strict=True):
            rows[name].append(clip_features(vocoder.render(mel), vocoder.rate))
    return {name: Examples(np.stack(found), labels, labels, labels) for name, found in rows.items()}


def by_classifier(
    classifier: Classifier, examples: Examples, made: Examples, others: dict[str, Examples]
) -> dict[str, Any]:
    """How often genres are recognised, and Frechet distances from the training clips in the classifier's embedding, all
    of as many clips."""
    train, held = examples.train, examples.held_out
    real = held if len(held.rows) else train
    kinds = {"model": made, "real": real, **others}
    by_genre = {name: classifier.recognised(found) for name, found in kinds.items()}
    count = min(len(found.rows) for found in kinds.values())
    reference = classifier.embed(train.rows)
    apart = {name: frechet(reference, classifier.embed(even(found, count))) for name, found in kinds.items()}
    return {
        "classifier": {k: classifier.figures[k] for k in ("folds", "held_out", "heard")},
        "recognised": {name: float(np.mean(list(rates.values()))) for name, rates in by_genre.items()},
        "recognised_by_genre": {
            genre: {name: rates.get(genre) for name, rates in by_genre.items()} for genre in classifier.labels
        },
        "frechet": apart,
        "frechet_clips": {"each": count, "reference": len(reference), "embedding": EMBEDDING},
    }


def even(found: Examples, count: int) -> NDArray[np.float32]:
    """Rows (count, d), of every label as many as there are."""
    turns = np.zeros(len(found.labels))
    for label in np.unique(found.labels):
        own = found.labels == label
        turns[own] = np.random.default_rng(0).permutation(own.sum())
    return found.rows[np.argsort(turns, kind="stable")[:count]]


def blend(player: Player, manifest: Manifest, classifier: Classifier) -> dict[str, Any]:
    """Spearman's rank correlation of the blend knob with the probability of the genre it turns to, of some pairs: with
    the mean of the sweeps, and with all clips of all sweeps."""
    size = len(classifier.labels)
    pairs = [
        (classifier.labels[i], classifier.labels[(i + 1 + i % max(1, size - 1)) % size])
        for i in range(min(SWEPT, size))
    ]
    found: dict[str, float] = {}
    clips: dict[str, float] = {}
    means: dict[str, list[float]] = {}
    for first, second in pairs:
        if first == second:
            continue
        probability = np.zeros((SWEEPS, len(BLENDS)))
        for seed in range(SWEEPS):
            for i, share in enumerate(BLENDS):
                knobs = default_knobs(manifest, genre=first, genre_b=second, blend=share)
                row = clip_features(player.play(knobs, CLIP_SECONDS, seed=900 + seed), player.model.rate)
                probability[seed, i] = classifier.probabilities(row[None])[0, classifier.labels.index(second)]
        name = f"{first} to {second}"
        found[name] = float(spearmanr(BLENDS, probability.mean(0)).statistic)
        clips[name] = float(spearmanr(np.tile(BLENDS, SWEEPS), probability.reshape(-1)).statistic)
        means[name] = [round(float(p), 3) for p in probability.mean(0)]
    return {"mean": float(np.mean(list(found.values()))), "pairs": found, "clips": clips, "probabilities": means}


def seam_figures(player: Player, manifest: Manifest, seconds: float = 20.0) -> dict[str, Any]:
    """Jumps at the borders of chunks, with knobs at rest and turned all the time; and whether the same seed gives the
    same sound."""
    model, rng = player.model, np.random.default_rng(0)
    genres = manifest.genres

    def stream(moving: bool) -> Sound:
        model.reset(3, 0)
        knobs, out = default_knobs(manifest), []
        every = max(1, round(TURN_S * model.rate / model.chunk))
        for number in range(int(seconds * model.rate / model.chunk)):
            if moving and number % every == 0:
                first, second = (genres[int(i)] for i in rng.integers(len(genres), size=2))
                share, x, y = rng.uniform([0, -1, -1], 1).tolist()
                knobs = default_knobs(manifest, genre=first, genre_b=second, blend=share, x=x, y=y)
            out.append(player.next(knobs))
        return np.concatenate(out)

    still = stream(False)
    again = stream(False)
    return {
        "at rest": seams(still, model.chunk),
        "while knobs move": seams(stream(True), model.chunk),
        "same seed, same sound": bool(np.array_equal(still, again)),
    }


def goals(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The goals, and whether they are met."""
    known, drifts = figures["recognised"], figures["drift"]
    share = known["model"] / max(known["real"], 1e-9)
    times, blend = figures["cost"]["times_real_time"], figures["blend"]["mean"]
    over = max(figures["seams"][name]["beyond"] for name in ("at rest", "while knobs move"))
    return {
        "genres recognised, of the rate of real clips": {"found": share, "goal": ">= 0.8", "met": share >= RATE},
        "blend against class probability, Spearman": {"found": blend, "goal": ">= 0.8", "met": blend >= 0.8},
        "level drift over the whole, dB": {
            "found": drifts["level_db"],
            "goal": "within 3",
            "met": abs(drifts["level_db"]) <= 3,
        },
        "spectrum drift, of the spread of its windows": {
            "found": drifts["spectrum_of_spread"],
            "goal": "<= 1",
            "met": drifts["spectrum_of_spread"] <= 1,
        },
        "jumps at borders beyond the 99.9th percentile of all": {
            "found": over,
            "goal": "<= 0.005",
            "met": over <= 0.005,
        },
        "times real time, one thread": {"found": times, "goal": ">= 10", "met": times >= 10},
    }


def sections(figures: dict[str, Any]) -> dict[str, list[Any]]:
    """The figures as sections of a card."""
    classifier, count, blending = figures["classifier"], figures["frechet_clips"], figures["blend"]
    held, tried = classifier["held_out"], classifier["heard"]["held_out"]
    return {
        "Goals": [
            f"{figures['clips']} clips of ten seconds of each of {len(figures['genres'])} genres.",
            figures["goals"],
        ],
        "Genres, by a classifier": [
            f"A classifier trained on {classifier['heard']['train']} real clips of ten seconds (`{figures['corpus']}`; "
            f"all sound at 16 kHz and one loudness): right for {classifier['folds']:.2f} of them in folds by track"
            f"{f', for {held:.2f} of {tried} held-out ones' if held is not None else ''} (means of the genres).",
            figures["recognised_by_genre"] | {"mean": figures["recognised"]},
        ],
        "Distance from real music": [
            f"Frechet distance in the last hidden layer ({count['embedding']} numbers) of that classifier, of "
            f"{count['each']} clips of ten seconds each from {count['reference']} training clips; real: held-out "
            "clips, the floor.",
            {"": figures["frechet"]},
        ],
        "Blend": [
            "Spearman's rank correlation of the knob with the probability of the genre it turns to: of the mean of "
            f"{SWEEPS} sweeps with a seed each; of all their clips, which also differ by seed; "
            f"and the mean probability at {', '.join(f'{b:g}' for b in BLENDS)}.",
            {
                name: {
                    "Spearman": value,
                    "of all clips": blending["clips"][name],
                    "probabilities": ", ".join(map(str, blending["probabilities"][name])),
                }
                for name, value in blending["pairs"].items()
            },
        ],
        "Drift": ["The last fifth against the first, of ten-second windows.", {"": figures["drift"]}],
        "Seams": [
            "Second differences at the borders of chunks: their largest over the 99.9th percentile of all others, and "
            f"the share beyond that. Same seed, same sound: {figures['seams']['same seed, same sound']}.",
            {name: figures["seams"][name] for name in ("at rest", "while knobs move")},
        ],
        "Cost": ["Processor time of one thread, vocoder included.", {"": figures["cost"]}],
    }
