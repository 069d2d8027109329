"""Network parameters from a bundle: its graphs name every initialiser after the parameter it holds.

Weights in 8 bits are restored as value times scale.
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
from instrument.models.bundle import check_graphs
from instrument.models.catalog import find_model
from instrument.models.manifest import read_manifest
from training.core import checkpoint
from training.families.notes.task import NoteTask
from training.families.table import FAMILIES
from training.recipe import recipe_from

SMALLER = ("_quantized", "_half", "_8")  # suffixes of the names of weights in 8 or 16 bits
PRODUCTS = ("MatMul", "MatMulInteger")
STEP = "network."  # what a step graph calls the network that it is part of


def bundle_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The parameters in a bundle's graphs by name, and its facts in the form of a checkpoint's. Raises HocketError if
    it is incomplete."""
    manifest = read_manifest(folder)
    found: dict[str, Tensor] = {}
    for id, data in check_graphs(folder, manifest).items():
        model = onnx.ModelProto.FromString(data).graph
        held = {t.name: numpy_helper.to_array(t) for t in model.initializer}
        # right operands hold a parameter transposed
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
                if base in parts:  # the exporter reordered its gates, so it does not have the parameter's name
                    found[f"{id}.{parts[base]}"] = torch.from_numpy(np.array(_whole(held, name, base)))
    provenance = manifest.provenance
    if not provenance.recipe:
        raise HocketError(f"{folder} has no recipe in its manifest: train from a checkpoint or another bundle")
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
        raise HocketError(f"{start} cannot be trained further as a bundle: give the checkpoint it was exported from")
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


def copy_shared_parameters(network: torch.nn.Module, teacher: torch.nn.Module) -> None:
    """Copy the parameters of the teacher that have the same name and shape in the network."""
    mine = {name: weight.shape for name, weight in network.state_dict().items()}
    shared = {name: weight for name, weight in teacher.state_dict().items() if mine.get(name) == weight.shape}
    network.load_state_dict(shared, strict=False)


def teacher_of(start: str, genres: tuple[str, ...]) -> torch.nn.Module | None:
    """The network of a bundle or checkpoint of notes, to learn from its predictions; None if it knows other genres, so
    that it can teach nothing of them."""
    weights, facts = starting_weights(start)
    recipe = recipe_from(facts["recipe"], start)
    family = FAMILIES[recipe.family]
    if not issubclass(family.task, NoteTask):
        raise HocketError(f"{start} is a {recipe.family} and cannot teach: give a model of notes")
    if tuple(facts["genres"]) != genres:
        return None
    network = family.network.Network(recipe.model, len(genres))
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    return network.eval().requires_grad_(False)
