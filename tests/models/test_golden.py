"""Bundles compute here what they computed when they were made, which is checked once and remembered."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from instrument.errors import HocketError
from instrument.models import golden, probed
from instrument.models.bundle import open_bundle
from instrument.models.catalog import list_models
from instrument.models.families import FAMILIES
from instrument.models.manifest import read_manifest
from instrument.saved import read_bytes

MODELS = Path(__file__).parents[2] / "models_onnx"
OUTPUTS = {
    "ddsp-voices": "cents", "gansynth-voices": "noise", "genre-stream": "mels", "lstm-band": "logits_part",
    "musicvae-melody2": "logits", "plan-band": "chords", "transformer-band": "logits_part", "vocoder-44k": "sound",
}  # fmt: skip


def with_other_golden(slug: str, folder: Path) -> Path:
    """A copy of a bundle one of whose golden outputs is a hundredth off."""
    copy = Path(shutil.copytree(MODELS / slug, folder / slug))
    arrays = open_bundle(copy, trusted=True).golden()
    arrays[OUTPUTS[slug]] = arrays[OUTPUTS[slug]] + np.float32(0.01)
    data = io.BytesIO()
    np.savez(data, **arrays)
    table = json.loads((copy / "manifest.json").read_text())
    (copy / table["golden"]["file"]).write_bytes(data.getvalue())
    table["golden"]["sha256"] = hashlib.sha256(data.getvalue()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(table))
    return copy


@pytest.mark.parametrize("entry", [e for e in list_models() if e.shipped], ids=lambda entry: entry.slug)
def test_what_ships_computes_its_golden_values(entry):
    golden.check(open_bundle(entry.path, trusted=True))


def test_every_family_is_compared():
    assert golden._COMPARISONS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("slug", OUTPUTS)
def test_other_values_are_told_with_their_distance(slug, tmp_path):
    with pytest.raises(HocketError, match=rf"{slug} computes other values here .*by 0\.01.*, 0\.005 is allowed"):
        golden.check(open_bundle(with_other_golden(slug, tmp_path), trusted=True))


def test_a_comparison_is_remembered_until_a_byte_or_onnxruntime_changes(hocket_home, tmp_path, monkeypatch):
    well, other = MODELS / "lstm-band", with_other_golden("plan-band", tmp_path)
    asked = []
    real = probed.command

    def counted(*arguments):
        asked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(probed, "command", counted)
    for _ in range(2):
        found = probed.compared([well, other])
        assert found[well] == ""
        assert found[other].startswith("plan-band computes other values here")
    assert len(asked) == 1
    monkeypatch.setattr(probed, "_onnxruntime", lambda: "another version")
    probed.compared([well])
    assert len(asked) == 2


def test_a_fifo_in_the_place_of_a_file_hangs_nothing(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    for read in (lambda: read_manifest(tmp_path), lambda: read_bytes(tmp_path / "manifest.json", "the patch")):
        with pytest.raises(HocketError, match="is no plain file"):
            read()
