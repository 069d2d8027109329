"""From a checkpoint to a bundle: graphs, parity, quantisation measured, manifest, golden file, card."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from instrument.errors import HocketError
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import list_models
from instrument.models.manifest import VERSION, Arrays, Golden, Graph, Manifest, Provenance, write_manifest
from instrument.paths import models_dirs
from training.core import graphs
from training.core.recipe import Recipe
from training.data.licences import OWN, SHIPPED
from training.evaluation.card import write_card
from training.families.bundling import Bundling
from training.families.table import FAMILIES
from training.fit import load_network
from training.recipe import renamed

PARITY = 1e-4
LIBRARIES = ("torch", "onnxruntime", "onnxruntime-gpu")  # of the latter two, one is installed
GOLDEN_TOLERANCE = 5e-3
SMALLER = {"int8": graphs.int8, "stored8": graphs.stored8, "fp16": graphs.fp16}


def export(checkpoint: Path, out: Path | None = None, slug: str = "", force: bool = False) -> Path:
    """Write the bundle of `checkpoint` to out/SLUG and return that folder.

    out: by default the folder of bundles that ship if the recipe makes one, else the user's own; slug: instead of the
    recipe's; force: replace a bundle that is there. HocketError if there is one already, for the slug of a bundle that
    ships, and if the outputs of the graphs differ from the network's.
    """
    network, recipe, facts = load_network(checkpoint)
    if slug:
        recipe = renamed(recipe, slug)
    out = out or models_dirs()[0 if recipe.data.ship_only else -1]
    _check_place(recipe, out / recipe.slug, force)
    family = FAMILIES[recipe.family]
    own: Bundling = family.bundling(network, recipe, tuple(facts["genres"]))
    if own.data_hash != facts["data_hash"]:
        raise HocketError(f"{recipe.data.folder} is not the data {checkpoint} was trained on: prepare that again")
    modules: dict[str, graphs.Graph] = family.network.graphs(network)
    models = {id: graphs.to_onnx(graph) for id, graph in modules.items()}
    folder = out / recipe.slug
    building = folder.with_name(f".{folder.name}.building")
    licences = own.licences()
    fields = own.fields() | {"states": family.network.states(network)}
    latents = own.latents()

    def describe(metrics: dict[str, object], bundle: Bundle | None) -> None:
        files = {"golden.npz": own.golden(bundle) if bundle else {}} | ({"latents.npz": latents} if latents else {})
        for name, arrays in files.items():
            np.savez_compressed(building / name, **arrays)  # type: ignore[arg-type]
        made = Provenance(
            facts["data_hash"],
            licences,
            _commit(),
            recipe.seed,
            round(facts["seconds"] / 60, 1),
            facts["recipe"],
            metrics,
            tuple(facts.get("ancestry", [])),
            {name: metadata.version(name) for name in LIBRARIES if _is_installed(name)},
        )
        manifest = Manifest(
            manifest_version=VERSION,
            slug=recipe.slug,
            name=recipe.name,
            family=recipe.family,  # type: ignore[arg-type]
            version=recipe.version,
            licence=SHIPPED if recipe.data.ship_only else OWN,
            graphs=tuple(
                Graph(id, f"{id}.onnx", _sha256(building / f"{id}.onnx"), tuple(graph[2]), tuple(graph[3]))
                for id, graph in modules.items()
            ),
            golden=Golden("golden.npz", _sha256(building / "golden.npz"), GOLDEN_TOLERANCE),
            latents=Arrays("latents.npz", _sha256(building / "latents.npz")) if latents else None,
            provenance=made,
            **fields,
        )
        write_manifest(manifest, building)

    def build(weights: Any) -> Bundle:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        for id, model in models.items():
            weights(model, building / f"{id}.onnx")
        describe({}, None)
        return open_bundle(building, trusted=True)

    exact = own.parity(build(graphs.as_is))
    if exact > PARITY:
        raise HocketError(f"the graphs differ from the network by {exact:.2g}, more than {PARITY:g}: not exported")
    print(f"parity with torch: {exact:.1e} (allowed {PARITY:g})")
    before = own.measure(None)
    for chosen in own.smaller:
        bundle = build(SMALLER[chosen])
        after = own.measure(bundle)
        print(f"held-out {own.figure}: {before:.4f} in torch, {after:.4f} in {chosen}")
        if after - before <= own.allowed:
            break
    metrics = {
        "parity": exact,
        "weights": chosen,
        f"{own.figure}_before": round(before, 4),
        f"{own.figure}_after": round(after, 4),
        "valid_best": round(facts["best"], 4),
    }
    describe(metrics, bundle)
    write_card(building, {})
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    return folder


def _check_place(recipe: Recipe, folder: Path, force: bool) -> None:
    """HocketError if a bundle of this slug is not to be written there."""
    shipped = next((entry.path for entry in list_models() if entry.shipped and entry.slug == recipe.slug), None)
    if shipped and not recipe.data.ship_only:
        raise HocketError(f"{recipe.slug} is a model that ships with Hocket: give yours another name with --slug")
    if folder.exists() and not force:
        raise HocketError(f"{folder} is there already: give another --slug or --out, or replace it with --force")


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _commit() -> str:
    """Of this checkout; "" without git or a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
