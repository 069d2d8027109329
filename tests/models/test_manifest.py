"""Manifests: older versions are migrated, and the hash covers all that is heard."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from instrument.models import manifest as manifests
from instrument.models.manifest import Knob, Manifest, read_manifest, write_manifest
from instrument.saved import Format

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.parent for path in (ROOT / "models_onnx").glob("*/manifest.json"))
BAND = read_manifest(ROOT / "models_onnx" / "lstm-band")


def test_older_manifests_are_brought_up_to_date(tmp_path, monkeypatch):
    write_manifest(BAND, tmp_path)
    table = json.loads((tmp_path / "manifest.json").read_text())
    table["kind"] = table.pop("family")
    (tmp_path / "manifest.json").write_text(json.dumps(table))
    steps = {1: lambda fields: fields | {"family": fields["kind"]}}
    monkeypatch.setattr(manifests, "FORMAT", Format(2, steps, "manifest_version"))
    assert read_manifest(tmp_path) == msgspec.structs.replace(BAND, manifest_version=2)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_the_hash_is_the_same_whatever_way_the_manifest_was_written(folder, tmp_path):
    manifest = read_manifest(folder)
    table = json.loads((folder / "manifest.json").read_text())

    def integers(value):
        if isinstance(value, dict):
            return {key: integers(each) for key, each in reversed(value.items())}
        if isinstance(value, list):
            return [integers(each) for each in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    (tmp_path / "manifest.json").write_text(json.dumps(integers(table)))
    assert read_manifest(tmp_path).bundle_hash == manifest.bundle_hash
    assert msgspec.convert(msgspec.to_builtins(manifest), Manifest).bundle_hash == manifest.bundle_hash


def knobs(**change) -> tuple[Knob, ...]:
    """The knobs of the band, the first of them changed."""
    return (msgspec.structs.replace(BAND.knobs[0], **change), *BAND.knobs[1:])


def changed(struct, **change):
    return msgspec.structs.replace(struct, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"graphs": (changed(BAND.graphs[0], sha256="0" * 64), *BAND.graphs[1:])},
        {"primers": changed(BAND.primers, sha256="0" * 64)},
        {"states": (changed(BAND.states[0], initial=0.5), *BAND.states[1:])},
        {"traits": {}},
        {"traits": {**BAND.traits, "jazz": changed(BAND.traits["jazz"], tempo=(90.0, 150.0, 270.0))}},
        {"traits": {**BAND.traits, "jazz": changed(BAND.traits["jazz"], swing=0.66)}},
        {"traits": {**BAND.traits, "jazz": changed(BAND.traits["jazz"], velocity={"drums": (64.0, 28.0)})}},
        {"knobs": knobs(default="none" if BAND.knobs[0].default != "none" else "jazz")},
        {"knobs": BAND.knobs[::-1]},
        {"family": "transformer"},
        {"codec": {**BAND.codec, "more": 1}},
        {"condition_genres": BAND.condition_genres[::-1]},
        {"genres": BAND.genres[1:]},
        {"parts": (0,)},
        {"latent": 3},
        {"needs": ("vocoder-44k",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_heard_changes_the_hash(change):
    assert msgspec.structs.replace(BAND, **change).bundle_hash != BAND.bundle_hash


def test_traits_that_were_not_measured_are_not_heard():
    """Older manifests lack them: neither these nor their hashes change."""
    fields = msgspec.to_builtins(BAND.traits["jazz"])
    older = {name: fields[name] for name in ("density", "parts", "in_key", "entropy")}
    jazz = msgspec.convert(older, manifests.Traits)
    assert (jazz.tempo, jazz.swing, jazz.velocity) == (None, None, None)
    assert set(manifests._plain(jazz)) == {"density", "parts", "in_key", "entropy"}


@pytest.mark.parametrize(
    "bad", [{"tempo": [90, 100]}, {"tempo": [5, 90, 100]}, {"swing": 2}, {"velocity": {"kazoo": [1, 2]}}]
)
def test_traits_out_of_range_are_refused(bad):
    fields = msgspec.to_builtins(BAND.traits["jazz"]) | bad
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, manifests.Traits)


def test_what_is_not_heard_leaves_the_hash_as_it_is():
    for change in (
        {"name": "Other", "licence": "CC0-1.0", "version": "9", "provenance": manifests.Provenance(seed=5)},
        {"knobs": knobs(label="Other", help="Other", unit="x", zero="off")},
        {"graphs": (changed(BAND.graphs[0], file="other.onnx"), *BAND.graphs[1:])},
        {"slug": "other"},
    ):
        assert msgspec.structs.replace(BAND, **change).bundle_hash == BAND.bundle_hash


def test_the_hash_of_version_0_1_is_still_known():
    figures = json.loads((ROOT / "docs" / "models" / "ddsp-voices" / "figures.json").read_text())
    assert read_manifest(ROOT / "models_onnx" / "ddsp-voices").legacy_hash == figures["bundle_hash"]
    assert BAND.legacy_hash != BAND.bundle_hash
