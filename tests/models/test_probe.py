"""A stranger's bundle is played in a child before it is opened here, and what breaks it there is one line."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from instrument.errors import HocketError
from instrument.models import probed
from instrument.models.bundle import open_bundle, read_arrays
from instrument.models.catalog import find_model, list_models, open_player
from instrument.models.onnxfile import check_graph
from instrument.models.probe import play
from instrument.models.runtime import Session

MODELS = Path(__file__).parents[2] / "models_onnx"


@pytest.fixture
def stranger(hocket_home) -> Path:
    """A copy of a shipped bundle in the player's own folder, under another name."""
    folder = Path(shutil.copytree(MODELS / "lstm-band", Path(hocket_home) / "models" / "stranger"))
    edit(folder, lambda table: table.update(slug="stranger"))
    return folder


def edit(folder: Path, change) -> None:
    path = folder / "manifest.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def put(folder: Path, entry: str, data: bytes, graph: str = "") -> None:
    """Put other bytes in the place of a graph or of a file of arrays, with the hash to match."""

    def change(table):
        where = next(g for g in table["graphs"] if g["id"] == graph) if graph else table[entry]
        (folder / where["file"]).write_bytes(data)
        where["sha256"] = hashlib.sha256(data).hexdigest()

    edit(folder, change)


def with_weights(folder: Path, graph: str, value: float) -> bytes:
    """A graph with all its weights of floating point at one value."""
    model = onnx.load(folder / f"{graph}.onnx")
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            shape = tuple(tensor.dims)
            tensor.CopyFrom(numpy_helper.from_array(np.full(shape, value, np.float32), tensor.name))
    return model.SerializeToString()


def claiming(shape: str) -> bytes:
    """An .npz file with an array whose header claims a shape that its content does not have."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("notes.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 64)
    return out.getvalue()


def test_a_bundle_is_played_once_and_again_when_a_byte_of_it_changes(stranger, monkeypatch):
    played = []
    real = probed.command

    def counted(*arguments):
        played.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(probed, "command", counted)
    assert open_bundle(stranger).manifest.slug == "stranger"
    open_bundle(stranger)
    assert len(played) == 1
    (stranger / "CARD.md").write_text("another")
    open_bundle(stranger)
    assert len(played) == 2
    monkeypatch.setattr(probed, "_onnxruntime", lambda: "another version")
    open_bundle(stranger)
    assert len(played) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t["states"][0].update(shape=[3]), "no graph has the state 'hidden_0' of shape"),
        (lambda t: t["states"][0].update(shape=[-1, 1 << 31]), "shape|manifest"),
        (lambda t: t["states"][0].update(shape=[9_000_000_000]), "shape|manifest"),
        (lambda t: t["states"][0].update(shape=[-1, 449]), "no graph has the state 'hidden_0' of shape"),
        (lambda t: t["states"][0].update(input=""), "input|manifest"),
        (lambda t: t["states"][0].update(output="nothing"), "'nothing' as an output"),
        (lambda t: t.update(latent=9_000_000_000), "latent|manifest"),
        (lambda t: t["codec"].update(pitch=1 << 31), "codec|manifest"),
    ],
)
def test_states_and_sizes_that_are_not_those_of_the_graph_are_refused_before_it_is_loaded(stranger, change, says):
    edit(stranger, change)
    with pytest.raises(HocketError, match=says):
        open_bundle(stranger, trusted=True)


def test_arrays_are_as_large_as_they_say_and_finite():
    with pytest.raises(ValueError, match="says that it has 36000000000 bytes of float32, there are 64"):
        read_arrays(claiming("(9000000000,)"))
    for value, says in ((np.array([np.nan]), "not finite"), (np.array([{}], object), "object")):
        file = io.BytesIO()
        np.savez(file, a=value)
        with pytest.raises(ValueError, match=says):
            read_arrays(file.getvalue())


def test_a_primers_array_that_claims_nine_thousand_million_numbers_is_refused_in_one_line(stranger):
    put(stranger, "primers", claiming("(9000000000,)"))
    with pytest.raises(HocketError, match=r"refused: .*primers.*holds no arrays") as refusal:
        open_player("stranger")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("value", [float("nan"), 1e38], ids=["nan", "huge"])
def test_weights_that_give_no_numbers_are_found_by_playing(stranger, value):
    put(stranger, "", with_weights(stranger, "step", value), "step")
    with pytest.raises(HocketError, match=r"is refused: .*step.onnx gives no usable numbers"):
        open_player("stranger")
    assert find_model("stranger").slug == "stranger", "it is listed, and refused again"


def test_a_graph_that_fails_or_gives_nan_is_a_named_error():
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n"]) for n in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Sqrt", ["x"], ["y"])], "g", [x], [y])
    session = Session(onnx.helper.make_model(graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)])
                      .SerializeToString(), "root.onnx")  # fmt: skip
    assert session.run({"x": np.array([4.0], np.float32)})[0] == [2.0]
    with pytest.raises(HocketError, match=r"root.onnx gives no usable numbers in 'y'"):
        session.run({"x": np.array([-1.0], np.float32)})
    with pytest.raises(HocketError, match=r"root.onnx failed: "):
        session.run({"x": np.zeros((2, 2), np.float32)})


@pytest.mark.parametrize("entry", [e for e in list_models() if e.shipped], ids=lambda entry: entry.slug)
def test_what_ships_has_been_played(entry):
    play(open_bundle(entry.path, trusted=True))


def graph_of(nodes, weights=(), inputs=("x", "k")) -> bytes:
    """A graph with a float input x and an integer input k, both of one dimension."""
    kinds = {"x": onnx.TensorProto.FLOAT, "k": onnx.TensorProto.INT64, "y": onnx.TensorProto.FLOAT}
    ports = {name: onnx.helper.make_tensor_value_info(name, kind, ["n"]) for name, kind in kinds.items()}
    graph = onnx.helper.make_graph(nodes, "g", [ports[name] for name in inputs], [ports["y"]], list(weights))
    return onnx.helper.make_model(
        graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 18)]
    ).SerializeToString()


def test_a_size_that_depends_on_what_the_graph_is_fed_is_refused():
    node = onnx.helper.make_node
    allowed = frozenset(["Expand", "Reshape", "Pad", "Cast", "Mul", "Shape", "Concat", "Relu"])
    long = numpy_helper.from_array(np.array([3], np.int64), "long")
    refused = {
        "Expand": [node("Expand", ["x", "k"], ["y"])],
        "Reshape": [node("Cast", ["x"], ["size"], to=7), node("Reshape", ["x", "size"], ["y"])],
        "Pad": [node("Mul", ["k", "long"], ["size"]), node("Relu", ["x"], ["z"]), node("Pad", ["z", "size"], ["y"])],
    }
    for op, nodes in refused.items():
        with pytest.raises(HocketError, match=f"the size of what {op} gives depends on the values"):
            check_graph(graph_of(nodes, [long]), allowed, "it")
    of_shapes = [
        node("Shape", ["x"], ["shape"]), node("Mul", ["shape", "long"], ["size"]), node("Expand", ["x", "size"], ["y"]),
    ]  # fmt: skip
    check_graph(graph_of(of_shapes, [long]), allowed, "it")


def in_a_child(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_all_graphs_of_a_process_share_a_limit_on_memory(tmp_path):
    """Checked in a child, as the limit is set once for each process."""
    size = numpy_helper.from_array(np.array([300_000_000], np.int64), "size")
    nodes = [onnx.helper.make_node("Expand", ["x", "size"], ["y"])]
    (tmp_path / "large.onnx").write_bytes(graph_of(nodes, [size], ["x"]))
    done = in_a_child(
        "import numpy, pathlib; from instrument.models import runtime; runtime.MEMORY = 256 << 20\n"
        f"session = runtime.Session(pathlib.Path({str(tmp_path / 'large.onnx')!r}).read_bytes(), 'large')\n"
        "from instrument.errors import HocketError\n"
        "try: session.run({'x': numpy.ones(1, numpy.float32)})\n"
        "except HocketError as error: print(error)\n"
    )
    assert done.stdout.strip() == "large failed: it takes more memory than the 256 MB that all models may take", done


def test_a_process_is_told_when_it_holds_too_much_memory():
    done = in_a_child(
        "import os, time; from instrument import memory\n"
        "memory.watch(200 << 20, lambda held: os._exit(7 if held > 200 << 20 else 8))\n"
        "kept = []\n"
        "for _ in range(200): kept.append(b'x' * (10 << 20)); time.sleep(0.01)\n"
    )
    assert done.returncode == 7, done


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems keep to no such limit")
def test_an_allocation_over_the_limit_fails():
    done = in_a_child(
        "from instrument import memory; memory.limit_growth(100 << 20); kept = bytearray(50 << 20)\n"
        "try: bytearray(200 << 20)\n"
        "except MemoryError: print('refused')\n"
    )
    assert done.stdout.strip() == "refused", done
