"""`python -m training evaluate`: everything that is measured of a bundle, stage by stage."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, bundle_bytes, open_bundle
from instrument.models.catalog import find_model, open_note_bundle
from instrument.models.manifest import Manifest
from instrument.models.notes.event_player import EventPlayer
from instrument.models.notes.musicvae import MusicVaePlayer
from instrument.models.notes.player import NotePlayer
from instrument.music.notes import Part, Piece
from instrument.music.phrases import Shape
from training.data.notes.phrases import PartShards
from training.data.notes.prepare import prepare
from training.data.notes.shards import PieceInfo, Shards
from training.evaluation.card import write_card
from training.evaluation.cost import time_notes, time_phrases
from training.evaluation.examples import write_examples
from training.evaluation.generation import Knobs, default_knobs
from training.evaluation.notes.comparison import compare
from training.evaluation.notes.copying import copying
from training.evaluation.notes.features import measure as measure_pitched
from training.evaluation.notes.features import measure_drums
from training.evaluation.notes.key_lock import key_lock
from training.evaluation.notes.likelihood import field_nats
from training.evaluation.notes.long_run import judged, long_runs
from training.evaluation.notes.obedience import obedience
from training.evaluation.notes.plan_following import plan_figures
from training.evaluation.notes.reconstruction import reconstruction
from training.evaluation.notes.survey import analyses, forms, key_estimator, metres, real_pieces
from training.evaluation.notes.switching import switching
from training.evaluation.overview import keep_figures
from training.evaluation.report import card_sections
from training.evaluation.samples import excerpts, generate_like
from training.evaluation.stages import Stages
from training.families.notes.yardstick import score_pieces
from training.families.table import FAMILIES
from training.measures.genres import CACHE, genre_classifier

SPLITS = ("train", "valid", "test")
PIECES = 16
FEWEST = 4  # real pieces without which a genre is not compared
NATS_PIECES = 40  # of each genre, for the nats by the codec's fields
SHOWN = 4  # genres with a piano roll
PLAIN = {"temperature": 1.0, "top_p": 1.0}  # samples from the model's own distribution
SWITCHES = 3  # from each genre to each other
PHRASE_SECONDS = {  # of a model that ships, by stage
    "cost": 1,
    "phrases": 20,
    "features": 20,
    "key_lock": 1,
    "obedience": 6,
    "switching": 15,
    "long_runs": 30,
    "copying": 2,
    "analysis": 10,
}
NOTE_SECONDS = {
    "cost": 2,
    "yardstick": 53,
    "nats": 14,
    "features": 206,
    "key_lock": 5,
    "obedience": 16,
    "plan": 180,
    "switching": 83,
    "long_runs": 71,
    "copying": 12,
    "analysis": 24,
}


@dataclass(frozen=True, slots=True)
class Held:
    """Real pieces to compare a bundle with. shards: theirs, of models of phrases a `PartShards`; pieces: held out;
    others: real pieces for the floor (where they are too few, the other half of `pieces`); split: whose `pieces` are
    (None: they are all there is); name: what they are called."""

    shards: Shards
    pieces: list[PieceInfo]
    others: list[PieceInfo]
    split: str | None
    name: str

    def of(self, genre: str) -> tuple[list[PieceInfo], list[PieceInfo]]:
        """Both lists for one genre."""
        return [p for p in self.pieces if p.genre == genre], [p for p in self.others if p.genre == genre]

    @property
    def training(self) -> list[PieceInfo]:
        """The training pieces, without drum-only and realised ones; none where `pieces` may be among them."""
        if self.split in (None, "train"):
            return []
        return self.shards.select(split="train", drums_only=False, realised=False)


@dataclass(slots=True)
class Evaluation:
    """figures: as `--json` gives them; rolls: (genre, generated, real) for the piano rolls."""

    manifest: Manifest
    folder: Path
    figures: dict[str, Any] = field(default_factory=dict)
    rolls: list[tuple[str, Piece, Piece]] = field(default_factory=list)


def find_bundle(name: str) -> Bundle:
    """The bundle in that folder, or with that slug. Raises HocketError if there is none."""
    if (Path(name) / "manifest.json").is_file():
        return open_bundle(Path(name))
    entry = find_model(name)
    return open_bundle(entry.path, trusted=entry.shipped)


@contextmanager
def held_out(data: Path, midi: Path | None, split: str, shape: Shape | None = None) -> Iterator[Held]:
    """The pieces of a split of prepared data, or all those of a folder of .mid files, without drum-only
    and realised ones; of their notes those that phrases of a shape hold, if it is given. The floor is another split,
    or of a folder its other half."""
    if split not in SPLITS:
        raise HocketError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if midi is None:
        shards = Shards.open(data) if shape is None else PartShards(Shards.open(data), shape)
        pieces, others = (
            shards.select(split=s, drums_only=False, realised=False)
            for s in (split, "valid" if split == "test" else "test")
        )
        if not pieces:
            raise HocketError(f"{data} has no pieces in its {split} split: choose another split, or prepare more")
        yield Held(shards, pieces, others, split, f"{split} split of {data.name}")
        return
    with tempfile.TemporaryDirectory(prefix="hocket-") as folder:
        shards = prepare(midi, Path(folder), jobs=1)
        shards = shards if shape is None else PartShards(shards, shape)
        pieces = shards.select(drums_only=False, realised=False)
        if not pieces:
            lacks, give = ("pitches", "pitches") if shape is None else (f"{shape.kind} parts", f"parts of {shape.kind}")
            raise HocketError(f"{midi} holds no {lacks}: give pieces with {give}")
        yield Held(shards, pieces, [], None, str(midi))


def evaluate(
    bundle: Bundle, held: Held, pieces: int = PIECES, seeds: Sequence[int] = (1, 2), flat: Bundle | None = None
) -> Evaluation:
    """Measure a bundle. pieces: generated of each genre; seeds: of long runs; flat: of a model of phrases, one
    without conductor to compare with."""
    manifest, player = open_note_bundle(bundle)
    done = Evaluation(manifest, bundle.folder)
    seconds: dict[str, float] = {}
    done.figures = {
        "bundle": manifest.slug,
        "name": manifest.name,
        "family": manifest.family,
        "version": manifest.version,
        "bundle_hash": manifest.bundle_hash,
        "data_hash": held.shards.data_hash,
        "held_out": held.name,
        "pieces": len(held.pieces),
        "knobs": default_knobs(manifest),
        "seconds": seconds,
    }

    usual = PHRASE_SECONDS if isinstance(held.shards, PartShards) else NOTE_SECONDS
    stage = Stages(usual, seconds).stage
    with stage("cost", "time a note"):
        done.figures["cost"] = time_notes(player, manifest) | {"bytes": bundle_bytes(bundle.folder)}
        if isinstance(player, MusicVaePlayer):
            done.figures["cost"] |= time_phrases(player, manifest)
    if isinstance(held.shards, PartShards):
        with stage("phrases", "reconstruction of phrases"):
            done.figures |= reconstruction(bundle, held.shards.whole, held.split, flat)
    else:
        predictor, genres = FAMILIES[manifest.family].bundling.predictor(bundle), tuple(manifest.condition_genres)
        with stage("yardstick", f"yardstick, {len(held.pieces)} pieces"):
            score = score_pieces(predictor, held.shards, held.pieces, genres)
            done.figures["yardstick"] = {
                "total": round(score.total, 4),
                "by_field": score.mean_by_field(),
                "by_genre": score.by_genre(),
            }
        with stage("nats", "nats a note by field"):
            chosen: list[PieceInfo] = []
            for genre in sorted({p.genre for p in held.pieces}):
                own = held.of(genre)[0]
                count = min(len(own), NATS_PIECES)
                chosen += [own[i * len(own) // count] for i in range(count)]
            done.figures["nats"] = field_nats(predictor, held.shards, chosen, genres)
    with stage("features", "features of generated and held-out pieces"):
        settings = {"default": default_knobs(manifest), "plain": default_knobs(manifest, **PLAIN)}
        done.figures["features"] = _features(done, player, held, settings, pieces)
    with stage("key_lock", "key lock"):
        done.figures["key_lock"] = [] if _drums(manifest) else key_lock(player, manifest)
    with stage("obedience", "density and register"):
        done.figures["obedience"] = obedience(player, manifest)
    if isinstance(player, EventPlayer):
        with stage("plan", "chords of a plan"):
            done.figures |= plan_figures(player, manifest)
    with stage("switching", "switches of genre"):
        done.figures["switching"] = _switching(player, manifest, held)
    with stage("long_runs", "long runs"):
        runs = long_runs(player, manifest, held.shards, default_knobs(manifest), seeds)
        done.figures["long_runs"] = judged(runs)
    with stage("copying", "runs copied from training pieces"):
        done.figures["copying"] = copying(runs, held.shards, held.training, held.pieces)
    with stage("analysis", "tempo, metre, key, loudness and form"):
        real = {genre: real_pieces(held.shards, [*held.of(genre)[0], *held.of(genre)[1]]) for genre in manifest.genres}
        done.figures |= {
            "analysis": analyses(runs, real),
            "form": forms(runs, real),
            "key_estimator": key_estimator(real),
            "metre": metres(player, manifest, default_knobs(manifest), runs, real),
        }
    return done


def _switching(player: NotePlayer, manifest: Manifest, held: Held) -> dict[str, Any]:
    """Empty if there are no genres to switch, or too few pieces to train a classifier of them."""
    if len(manifest.genres) < 2:
        return {}
    try:
        classifier = genre_classifier(held.shards, manifest.genres, CACHE, _drums(manifest))
    except HocketError as error:
        print(f" {error} ...", end="", file=sys.stderr, flush=True)
        return {}
    return switching(player, manifest, classifier, SWITCHES)


def _drums(manifest: Manifest) -> bool:
    """Whether it plays drums alone."""
    return set(manifest.parts) == {Part.DRUMS}


def _features(
    done: Evaluation, player: NotePlayer, held: Held, settings: dict[str, Knobs], pieces: int
) -> dict[str, dict[str, Any]]:
    """setting -> genre -> feature -> figures, for every genre offered that has real pieces enough."""
    rows: dict[str, dict[str, Any]] = {name: {} for name in settings}
    measure = measure_drums if _drums(done.manifest) else measure_pitched
    for genre in done.manifest.genres:
        infos, more = held.of(genre)
        if len(more) < FEWEST:
            infos, more = infos[::2], infos[1::2]
        real, others = (excerpts(held.shards, group, pieces) for group in (infos, more))
        measured, floor = ([m for m in map(measure, group) if m is not None] for group in (real, others))
        if min(len(measured), len(floor)) < FEWEST:
            continue
        for name, knobs in settings.items():
            made = generate_like(player, {**knobs, "genre": genre}, real, pieces)
            found = [m for m in map(measure, made) if m is not None]
            rows[name][genre] = compare(found, measured, floor) if len(found) >= FEWEST else {}
            if name == "default":
                done.rolls.append((genre, made[0], real[0]))
    return rows


def show(done: Evaluation, folder: Path, run: Path | None) -> dict[str, Path]:
    """Write the pictures into `folder`: piano rolls, and the loss curve of a run. Returns their paths."""
    from training.evaluation.plots import loss_curve, piano_rolls

    written: dict[str, Path] = {}
    if done.rolls:
        written["piano rolls"] = folder / "piano-rolls.png"
        piano_rolls(written["piano rolls"], done.rolls[:SHOWN])
    if run is not None:
        written["loss curve"] = folder / "loss.png"
        loss_curve(written["loss curve"], run)
    return written


def write_cards(done: Evaluation, pictures: dict[str, Path], folder: Path) -> None:
    """Write the figures into the bundle's CARD.md, and all of them, with two examples, into `folder`, from
    which the overview of all models is made."""
    examples = write_examples(done.manifest, done.folder, folder)
    write_card(done.folder, card_sections(done.figures, pictures, done.folder))
    keep_figures(folder, done.figures | {"examples": examples})
