"""From a checkpoint to a bundle: graphs, parity, quantisation measured, manifest, golden file, card."""

from __future__ import annotations

import hashlib
import logging
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.manifest import VERSION, Golden, Graph, Knob, Manifest, Provenance, write_manifest
from instrument.music import codec
from instrument.music.notes import Part
from training.data.events import features, vary
from training.data.shards import Shards
from training.data.traits import traits
from training.evaluation.card import write_card
from training.evaluation.predictor import BundlePredictor
from training.evaluation.yardstick import Score, score_pieces
from training.families import notes as note_family
from training.fit import load_network
from training.recipe import FAMILIES, Recipe
from training.tasks.notes import valid_pieces

OPSET = 20
PARITY = 1e-4
ALLOWED_LOSS = 0.02  # nats a note that int8 may cost
GOLDEN_TOLERANCE = 5e-3
GOLDEN_STEPS = 8
OFFERED_PIECES = 100  # pitched pieces by people that a genre needs to be offered
COMPARED = {"pieces": 6, "notes": 320}  # of each genre, for the likelihood before and after
Weights = Callable[[onnx.ModelProto, Path], None]


def export(checkpoint: Path, out: Path) -> Path:
    """Write the bundle of `checkpoint` to out/SLUG and return that folder. Raises HocketError when the
    graphs do not compute what the network computes."""
    network, recipe, facts = load_network(checkpoint)
    shards = Shards.open(recipe.data.folder)
    if shards.data_hash != facts["data_hash"]:
        raise HocketError(
            f"{recipe.data.folder} is not the data {checkpoint} was trained on: prepare that again"
        )
    genres = tuple(facts["genres"])
    models = {
        id: _to_onnx(*graph[:2], graph[2], graph[3]) for id, graph in FAMILIES[recipe.family].graphs(network).items()
    }
    folder = out / recipe.slug
    building = folder.with_name(f".{folder.name}.building")
    compared = _compared(shards, recipe)
    before = score_pieces(network, shards, compared, genres, COMPARED["notes"])

    def build(weights: Weights) -> tuple[Bundle, float]:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        for id, model in models.items():
            weights(model, building / f"{id}.onnx")
        _describe(building, network, recipe, facts, shards, {})
        bundle = open_bundle(building, trusted=True)
        return bundle, parity(network, bundle, shards, recipe, genres)

    bundle, exact = build(_as_is)
    if exact > PARITY:
        raise HocketError(
            f"the graphs differ from the network by {exact:.2g}, more than {PARITY:g}: not exported"
        )
    print(f"parity with torch: {exact:.1e} (allowed {PARITY:g})")
    chosen, after = "int8", Score({})
    for name, weights in (("int8", _int8), ("fp16", _fp16)):
        bundle, _ = build(weights)
        chosen, after = (
            name,
            score_pieces(BundlePredictor(bundle), shards, compared, genres, COMPARED["notes"]),
        )
        print(f"held-out nats a note: {before.total:.4f} in torch, {after.total:.4f} in {name}")
        if after.total - before.total <= ALLOWED_LOSS:
            break
    metrics = {
        "parity": exact,
        "weights": chosen,
        "nats_before": round(before.total, 4),
        "nats_after": round(after.total, 4),
        "valid_best": round(facts["best"], 4),
    }
    _describe(building, network, recipe, facts, shards, metrics, bundle)
    write_card(building, {})
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    return folder


def parity(
    network: nn.Module, bundle: Bundle, shards: Shards, recipe: Recipe, genres: tuple[str, ...]
) -> float:
    """Largest difference of a logit between network and bundle over a real excerpt."""
    told, condition = example(shards, recipe, genres)
    with torch.no_grad():
        mine, _ = network(told, condition, network.initial(1))  # type: ignore[operator]
    predictor = BundlePredictor(bundle)
    theirs, _ = predictor(told, condition, predictor.initial(1))
    return max(float((mine[name] - theirs[name]).abs().max()) for name in mine)


def example(
    shards: Shards, recipe: Recipe, genres: tuple[str, ...]
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """A batch of one real excerpt, and its condition, for parity and the golden file."""
    info = valid_pieces(shards, recipe)[0]
    piece = vary(shards.piece(info), np.random.default_rng(0), 0)
    told = features(piece, dynamic=True)
    rows = {n: getattr(told, n)[None, :GOLDEN_STEPS] for n in told.__slots__}
    rows["genre"] = np.full((1, rows["target"].shape[1]), max(0, genres.index(info.genre)), np.int32)
    batch = note_family.tensors(rows)
    return batch, note_family.conditions(batch, len(genres), torch.ones(1, 4, dtype=torch.bool))


# --- graphs


def _to_onnx(module: nn.Module, inputs: tuple[Any, ...], ins: list[Any], outs: list[Any]) -> onnx.ModelProto:
    shapes: list[Any] = [{0: torch.export.Dim.DYNAMIC} for _ in inputs]
    fixed = module.forward.__code__.co_argcount - 1  # arguments by name; the rest are states
    if len(inputs) > fixed:
        shapes = [*shapes[:fixed], tuple(shapes[fixed:])]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            dynamic_shapes=tuple(shapes),
            opset_version=OPSET,
            verbose=False,
            input_names=[p.name for p in ins],
            output_names=[p.name for p in outs],
        )
    assert program is not None
    model = program.model_proto
    for (
        node
    ) in model.graph.node:  # the exporter's notes on where an operator came from: paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    del model.graph.value_info[:]  # shapes from before the exporter transposed the weights
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    return model


def _as_is(model: onnx.ModelProto, path: Path) -> None:
    onnx.save(model, path)


def _int8(model: onnx.ModelProto, path: Path) -> None:
    """Weights in 8 bits, a scale a channel; activations are quantised as they come. Products of 8 by 8 bits
    saturate on processors without VNNI, which cost 0.15 nats: hence the reduced range of 7 bits."""
    whole = path.with_suffix(".whole")
    onnx.save(model, whole)
    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(
        whole,
        path,
        op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    whole.unlink()


def _fp16(model: onnx.ModelProto, path: Path) -> None:
    """Weights in 16 bits, cast back before use: half the size at the same arithmetic."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) > 256:
            half = numpy_helper.from_array(
                numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}_half"
            )
            casts.append(onnx.helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)


# --- facts


def _compared(shards: Shards, recipe: Recipe) -> list[Any]:
    chosen: dict[str, list[Any]] = {}
    for piece in valid_pieces(shards, recipe):
        own = chosen.setdefault(piece.genre, [])
        if len(own) < COMPARED["pieces"]:
            own.append(piece)
    return [piece for own in chosen.values() for piece in own]


def _describe(
    folder: Path,
    network: nn.Module,
    recipe: Recipe,
    facts: dict[str, Any],
    shards: Shards,
    metrics: dict[str, object],
    bundle: Bundle | None = None,
) -> None:
    graphs = tuple(
        Graph(id, f"{id}.onnx", _sha256(folder / f"{id}.onnx"), tuple(graph[2]), tuple(graph[3]))
        for id, graph in FAMILIES[recipe.family].graphs(network).items()  # type: ignore[arg-type]
    )
    genres = tuple(facts["genres"])
    golden = folder / "golden.npz"
    arrays = {} if bundle is None else _golden(bundle, shards, recipe, genres)
    np.savez_compressed(golden, **arrays)  # type: ignore[arg-type]
    used = [
        p
        for p in shards.select(split="train", ship_only=recipe.data.ship_only)
        if p.dataset not in recipe.data.exclude
    ]
    offered = (
        tuple(
            g
            for g in genres
            if sum(p.genre == g and not p.drums_only and not p.realised for p in used) >= OFFERED_PIECES
        )
        or genres
    )
    used = [
        p
        for p in used
        if (not p.drums_only or recipe.sampling.drums_only) and (not p.realised or recipe.sampling.realised)
    ]
    licences: dict[str, set[str]] = {}
    for piece in used:
        licences.setdefault(piece.dataset, set()).add(piece.licence)
    shipped = recipe.data.ship_only
    write_manifest(
        Manifest(
            VERSION,
            recipe.slug,
            recipe.name,
            recipe.family,
            "1.0.0",  # type: ignore[arg-type]
            "CC BY-SA 4.0" if shipped else "as the data it was trained on",
            graphs,
            Golden(golden.name, _sha256(golden), GOLDEN_TOLERANCE),
            states=FAMILIES[recipe.family].states(network),
            codec=dict(codec.FIELDS),
            condition_genres=genres,  # type: ignore[arg-type]
            genres=offered,
            parts=tuple(int(p) for p in Part),
            traits={genre: traits(shards, genre, used) for genre in offered},
            knobs=knobs(offered),
            provenance=Provenance(
                facts["data_hash"],
                {name: "; ".join(sorted(own)) for name, own in sorted(licences.items())},
                _commit(),
                recipe.seed,
                round(facts["seconds"] / 60, 1),
                facts["recipe"],
                metrics,
            ),
        ),
        folder,
    )


def knobs(genres: tuple[str, ...]) -> tuple[Knob, ...]:
    """The knobs of a note model."""
    return (
        Knob(
            "genre",
            "Genre",
            "choice",
            default="none",
            choices=("none", *genres),
            help="What style the model plays in; none leaves it to what was played so far.",
        ),
        Knob(
            "temperature",
            "Temperature",
            low=0.1,
            high=2.0,
            default=1.0,
            step=0.05,
            help="How adventurous: low repeats what is likely, high surprises.",
        ),
        Knob(
            "density",
            "Density",
            low=0.0,
            high=8.0,
            default=0.0,
            step=0.25,
            zero="free",
            help="How many notes a beat, from sparse to dense; 0 leaves it to the genre.",
        ),
        Knob(
            "register",
            "Register",
            low=0.0,
            high=8.0,
            default=0.0,
            step=0.25,
            zero="free",
            help="How high it plays, from low to high; 0 leaves it to the model.",
        ),
        Knob(
            "top_p",
            "Focus",
            low=0.5,
            high=1.0,
            default=0.95,
            step=0.01,
            help="Share of the likely choices that are considered; 1 considers all.",
        ),
    )


def _golden(bundle: Bundle, shards: Shards, recipe: Recipe, genres: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Inputs of every step and head over a real excerpt, and the logits they give in this bundle."""
    told, condition = example(shards, recipe, genres)
    predictor = BundlePredictor(bundle)
    state, steps = predictor.initial(1), []
    for i in range(
        condition.shape[1]
    ):  # one at a time, as it is played: 8-bit products of many rows scale apart
        one = {name: value[:, i : i + 1] for name, value in told.items()}
        logits, state = predictor(one, condition[:, i : i + 1], state)
        steps.append(logits)
    arrays = {"seen": told["seen"].numpy(), "condition": condition.numpy()}
    arrays |= {f"context_{n}": c.numpy() for n, c in note_family.contexts(told).items()}
    return arrays | {f"logits_{n}": torch.cat([s[n] for s in steps], 1).numpy() for n in steps[0]}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
