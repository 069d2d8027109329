"""The weights of a bundle, back as a network's: its graphs name every initialiser after the parameter it holds.

Weights in 8 bits come back as they sound, value times scale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from instrument.errors import HocketError
from instrument.models.bundle import OPERATORS, check_file
from instrument.models.catalog import find_model
from instrument.models.manifest import read_manifest
from training.core import checkpoint
from training.families.notes.task import NoteTask
from training.families.table import FAMILIES
from training.recipe import recipe_from

SMALLER = ("_quantized", "_half", "_8")  # what is behind the name of a weight in 8 or 16 bits
PRODUCTS = ("MatMul", "MatMulInteger")
STEP = "network."  # what a step graph calls the network that it is part of


def bundle_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The parameters in a bundle's graphs by name, and its facts as a checkpoint tells them. Raises HocketError if
    it is not whole."""
    manifest = read_manifest(folder)
    found: dict[str, Tensor] = {}
    for graph in manifest.graphs:
        data = check_file(folder, graph, OPERATORS.get(manifest.family, frozenset()))
        model = onnx.ModelProto.FromString(data).graph
        held = {t.name: numpy_helper.to_array(t) for t in model.initializer}
        # what is multiplied from the right holds a parameter transposed
        turned = {n.input[1].removesuffix("_quantized") for n in model.node if n.op_type in PRODUCTS}
        if any(name.startswith("val_") and name.endswith(("_quantized", "_half")) for name in held):
            raise HocketError(f"{folder} was exported before weights had names: export its checkpoint again")
        for name in held:
            base = _base(held, name)
            if base != name or np.issubdtype(held[name].dtype, np.floating):
                value = _whole(held, name, base)
                found[base.removeprefix(STEP)] = torch.from_numpy(np.array(value.T if base in turned else value))
        for node in (node for node in model.node if node.op_type == "LSTM"):
            parts = dict(zip(node.input[1:4], ("weight_ih", "weight_hh", "bias"), strict=True))
            for name, base in ((name, _base(held, name)) for name in held):
                if base in parts:  # the exporter put its gates in order: it has no name of its own
                    found[f"{graph.id}.{parts[base]}"] = torch.from_numpy(np.array(_whole(held, name, base)))
    provenance = manifest.provenance
    if not provenance.recipe:
        raise HocketError(f"{folder} tells no recipe: its weights cannot be taken up")
    facts = {
        "recipe": provenance.recipe,
        "genres": manifest.condition_genres,
        "data_hash": provenance.data_hash,
        "bundle": manifest.bundle_hash,
        "seconds": provenance.minutes * 60,
        "ancestry": list(provenance.ancestry),
    }
    return found, facts


def starting_weights(start: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The parameters and facts of a checkpoint, a bundle's folder or an installed bundle of that slug."""
    path = Path(start)
    if path.is_file():
        kept, facts = checkpoint.load(path)
        return checkpoint.prefixed(kept, "weights"), facts
    found, facts = bundle_weights(path if path.is_dir() else find_model(start).path)
    family = FAMILIES.get(str(facts["recipe"].get("family")))
    if family is None or not hasattr(family.network, "restored"):
        raise HocketError(f"{start} cannot be taken up as a bundle: give the checkpoint that it was exported from")
    return family.network.restored(found), facts


def _base(held: dict[str, NDArray[Any]], name: str) -> str:
    base = next((name.removesuffix(end) for end in SMALLER if name.endswith(end)), name)
    return base if held[name].dtype in (np.int8, np.uint8, np.float16) else name


def _whole(held: dict[str, NDArray[Any]], name: str, base: str) -> NDArray[np.float32]:
    """An initialiser as float32, from 8 or 16 bits too; a scale is one for all, or one a column or row."""
    value = held[name].astype(np.float32)
    if name.endswith("_quantized"):
        zero = held[f"{base}_zero_point"].astype(np.float32) if f"{base}_zero_point" in held else np.float32(0)
        value = (value - zero) * held[f"{base}_scale"]
    elif name == f"{base}_8":  # a scale a row
        value = value * held[f"{base}_scale"].reshape(-1, *[1] * (value.ndim - 1))
    return value


def take_over(network: torch.nn.Module, teacher: torch.nn.Module) -> None:
    """Let a network begin with what it has alike with another: parameters of one name and shape."""
    mine = {name: weight.shape for name, weight in network.state_dict().items()}
    alike = {name: weight for name, weight in teacher.state_dict().items() if mine.get(name) == weight.shape}
    network.load_state_dict(alike, strict=False)


def teacher_of(start: str, genres: tuple[str, ...]) -> torch.nn.Module:
    """The network of a bundle or checkpoint of notes, to learn from its predictions. HocketError if it knows other
    genres."""
    weights, facts = starting_weights(start)
    recipe = recipe_from(facts["recipe"], start)
    family = FAMILIES[recipe.family]
    if tuple(facts["genres"]) != genres or not issubclass(family.task, NoteTask):
        raise HocketError(f"{start} cannot teach these genres: give a model of notes that was trained on this data")
    network = family.network.Network(recipe.model, len(genres))
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    return network.eval().requires_grad_(False)
