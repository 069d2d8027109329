"""A stranger's bundle: damaged, hostile and mutated ones give named errors, and no file outside is read."""

import hashlib
import json
import os
import random
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from instrument.errors import HocketError
from instrument.models.bundle import open_bundle
from instrument.models.catalog import find_model, list_models, open_note_bundle
from instrument.models.families import FAMILIES
from instrument.models.manifest import read_manifest
from instrument.models.onnxfile import check_graph

SHIPPED = Path(__file__).parents[2] / "models_onnx" / "lstm-band"


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    """A copy of the shipped bundle in a player's folder."""
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "home"))
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def refusal(do) -> str:
    """What a named error says, "" if there is none; any other exception fails the test."""
    try:
        do()
    except HocketError as error:
        return str(error) or "nothing"
    return ""


def edit(folder: Path, change) -> None:
    """Change the manifest's table in place."""
    path = folder / "manifest.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def put_graph(folder: Path, data: bytes, id: str = "part") -> None:
    """Put other bytes in the place of a graph, with the hash to match."""
    (folder / f"{id}.onnx").write_bytes(data)

    def change(table):
        graph = next(g for g in table["graphs"] if g["id"] == id)
        graph["sha256"] = hashlib.sha256(data).hexdigest()

    edit(folder, change)


def test_the_shipped_bundle_gives_its_golden_output():
    bundle = open_bundle(SHIPPED, trusted=True)
    golden = bundle.golden()
    from instrument.music import codec

    states = {s.input: np.full([1, s.shape[1]], s.initial, np.float32) for s in bundle.manifest.states}
    step = bundle.sessions["step"]
    for i in range(golden["seen"].shape[1]):
        feeds = {
            "seen": golden["seen"][:, i : i + 1],
            "condition": golden["condition"][:, i : i + 1],
            **states,
        }
        found = dict(zip(step.outputs, step.run(feeds), strict=True))
        states = {s.input: found[s.output] for s in bundle.manifest.states}
        for field in codec.FIELDS:
            context = golden[f"context_{field}"][:, i : i + 1]
            (logits,) = bundle.sessions[field].run({"share": found[f"share_{field}"], "context": context})
            assert np.abs(logits[0, 0] - golden[f"logits_{field}"][0, i]).max() < bundle.manifest.golden.tolerance


def test_a_whole_bundle_from_a_stranger_is_probed_once_and_opens(bundle, tmp_path):
    assert open_bundle(bundle).manifest.slug == "lstm-band"
    assert json.loads(next((tmp_path / "home").rglob("probed.json")).read_text())


def test_the_size_is_within_its_budget():
    assert sum(f.stat().st_size for f in SHIPPED.iterdir()) <= 6 << 20


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.update(manifest_version=99), "manifest .* has version 99, this Hocket reads up to version 1"),
        (lambda t: t.update(slug="../../x"), "slug"),
        (lambda t: t.update(family="tuba"), "family 'tuba' is not one of lstm, "),
        (lambda t: t["graphs"][0].update(file="../step.onnx"), "file"),
        (lambda t: t["graphs"][0].update(file="/etc/passwd"), "file"),
        (lambda t: t["graphs"][0].update(file="none.onnx"), "not a plain file"),
        (lambda t: t["graphs"][0].update(sha256="0" * 64), "damaged"),
        (lambda t: t["graphs"].pop(0), "no graph 'step'"),
        (lambda t: t.update(needs=["vocoder-44k"]), "needs vocoder-44k, a lstm needs 0"),
        (lambda t: t["graphs"][1]["inputs"][0].update(name="other"), "not those of the manifest"),
        (lambda t: t.pop("golden"), "golden"),
        (lambda t: t.update(family="ddsp"), "no graph 'note': it is an incomplete ddsp bundle"),
    ],
)
def test_a_manifest_that_is_wrong_is_named(bundle, change, says):
    edit(bundle, change)
    with pytest.raises(HocketError, match=says):
        open_note_bundle(open_bundle(bundle, trusted=True))


def test_no_link_leaves_the_folder(bundle, tmp_path):
    outside = tmp_path / "outside.onnx"
    shutil.move(bundle / "part.onnx", outside)
    os.symlink(outside, bundle / "part.onnx")
    with pytest.raises(HocketError, match="not a plain file"):
        open_bundle(bundle, trusted=True)


def model(nodes, initializers=(), **options) -> bytes:
    """A small ONNX file."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], list(initializers))
    return helper.make_model(graph, **{"ir_version": 10, **options}).SerializeToString()


def test_hostile_graphs_are_refused_before_anything_runs_them(bundle, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\0" * 4)
    outside = TensorProto(name="w", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value=str(secret))
    add = helper.make_node("Add", ["x", "w"], ["y"])
    branch = onnx.helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "b", [], [])
    cases = {
        "another file": model([add], [outside]),
        "'If' is not among|graph of its own": model(
            [helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)]
        ),
        "'evil:Op' is not among": model([helper.make_node("Op", ["x"], ["y"], domain="evil")]),
        "IR version is 99, at most 11 is read": model([add], ir_version=99),
        "opset is 99": model([add], opset_imports=[helper.make_opsetid("", 99)]),
        "elements": model([add], [TensorProto(name="w", dims=[1 << 40], data_type=TensorProto.FLOAT)]),
        "holds no graph": b"",
        "damaged|cut short": b"\xff" * 40,
    }
    for says, data in cases.items():
        put_graph(bundle, data)
        with pytest.raises(HocketError, match=says):
            open_bundle(bundle, trusted=True)


def test_a_thousand_mutated_graphs_are_refused_or_harmless(bundle):
    rng = random.Random(1)
    whole = (bundle / "part.onnx").read_bytes()
    passed, refused = [], 0
    for _ in range(1000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            among = min(len(data), 3000) if rng.random() < 0.7 else len(data)  # mostly where the structure is
            data[rng.randrange(among)] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        said = refusal(partial(check_graph, bytes(data), FAMILIES["lstm"].operators, "mutant"))
        if said:
            assert "mutant" in said
            refused += 1
        else:
            passed.append(bytes(data))
    assert refused > 100
    assert len(passed) > 6
    for data in passed[:6]:  # what the look lets pass is loaded by a child, whatever that does to it
        put_graph(bundle, data)
        assert "\n" not in refusal(partial(open_bundle, bundle))


def test_a_thousand_mutated_manifests_give_named_errors(bundle):
    rng = random.Random(2)
    path = bundle / "manifest.json"
    whole, refused = path.read_bytes(), 0
    for _ in range(1000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 3)] = bytes(rng.randrange(256) for _ in range(rng.randint(0, 3)))
        path.write_bytes(data)
        said = refusal(partial(read_manifest, bundle))
        if said:
            assert str(path) in said
            refused += 1
    assert 100 < refused < 1000


def test_unknown_and_broken_models_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path))
    with pytest.raises(HocketError, match=r"unknown model 'nope': choose one of .*lstm-band"):
        find_model("nope")
    from instrument.paths import models_dirs

    broken = models_dirs()[-1] / "broken"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{")
    found = {e.slug: e.problem != "" for e in list_models()}
    assert found.pop("broken")
    assert "lstm-band" in found
    assert not any(found.values())
    with pytest.raises(HocketError, match=r"the manifest .*/broken/manifest.json is damaged"):
        find_model("broken")
