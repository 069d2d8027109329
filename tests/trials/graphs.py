"""Feeds bundles with damaged graphs to the probe: `python -m tests.trials.graphs --count 500 --found F --home H`.

The damage knows the structure of ONNX: values and shapes of weights, operators, attributes, edges, states, operators
that expand, and files outside. The manifest is made to fit, hashes too, so that the graphs are loaded and played. Each
case is played in a process of its own, as the probe does it. What is printed last is a line of JSON, as of `fuzz`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from instrument.errors import LONGEST
from instrument.models import probe
from instrument.models.families import FAMILIES
from tests.trials.fuzz import LONGEST_S, MOST_BYTES, OLD, Tally, arguments
from tests.trials.mutate import CANARY, damaged

HUGE = (-1, 0, 1, 7, 4_096, 1 << 20, 1 << 31, 9_000_000_000, (1 << 63) - 1)
VALUES = (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-42, 0.0)

Damage = Callable[[onnx.ModelProto, random.Random], None]


def weights(model: onnx.ModelProto, rng: random.Random) -> None:
    """Values of an array of weights."""
    tensor = rng.choice(model.graph.initializer)
    array = numpy_helper.to_array(tensor).copy()
    if not array.size:
        return
    flat = array.reshape(-1)
    where = slice(None) if rng.random() < 0.5 else rng.randrange(flat.size)
    with np.errstate(all="ignore"):
        if np.issubdtype(array.dtype, np.floating):
            flat[where] = rng.choice(VALUES) if rng.random() < 0.7 else flat[where] * rng.choice((-1, 1000, 1e-6))
        else:
            limits = np.iinfo(array.dtype) if array.dtype != bool else None
            flat[where] = rng.choice([v for v in HUGE if not limits or limits.min <= v <= limits.max])
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def dims(model: onnx.ModelProto, rng: random.Random) -> None:
    """The shape that an array of weights claims."""
    tensor = rng.choice(model.graph.initializer)
    if tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice([v for v in HUGE if v >= 0])
    else:
        tensor.dims.append(rng.choice((2, 1 << 31)))


def operator(model: onnx.ModelProto, rng: random.Random) -> None:
    """Another operator at the place of one."""
    rng.choice(model.graph.node).op_type = rng.choice(model.graph.node).op_type


def attribute(model: onnx.ModelProto, rng: random.Random) -> None:
    """The value of an attribute."""
    having = [node for node in model.graph.node if node.attribute]
    if not having:
        return operator(model, rng)
    found = rng.choice(rng.choice(having).attribute)
    if found.ints:
        found.ints[rng.randrange(len(found.ints))] = rng.choice(HUGE)
    elif found.type == onnx.AttributeProto.INT:
        found.i = rng.choice(HUGE)
    elif found.type == onnx.AttributeProto.FLOAT:
        found.f = rng.choice(VALUES)
    elif found.type == onnx.AttributeProto.STRING:
        found.s = rng.choice((b"", b"\xff", CANARY.encode(), b"a" * 70_000))
    return None


def edge(model: onnx.ModelProto, rng: random.Random) -> None:
    """What an operator reads."""
    nodes = [node for node in model.graph.node if node.input]
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    node = rng.choice(nodes)
    node.input[rng.randrange(len(node.input))] = rng.choice(names)


def missing(model: onnx.ModelProto, rng: random.Random) -> None:
    """An operator less."""
    del model.graph.node[rng.randrange(len(model.graph.node))]


def expanded(model: onnx.ModelProto, rng: random.Random) -> None:
    """A length from the weights or from what the player gives: the output of an operator is repeated so often."""
    node = rng.choice(model.graph.node)
    if not node.output:
        return
    name, op = node.output[0], rng.choice(("Expand", "Tile", "ConstantOfShape"))
    before, size = f"{name}_before", f"{name}_size"
    length = rng.choice((1, 100_000_000, 2_000_000_000, 1 << 40))
    node.output[0] = before
    model.graph.initializer.append(numpy_helper.from_array(np.array([length], np.int64), size))
    inputs = [size] if op == "ConstantOfShape" else [before, size]
    model.graph.node.append(helper.make_node(op, inputs, [name]))


def from_input(model: onnx.ModelProto, rng: random.Random) -> None:
    """An output that is as long as an input says."""
    node = rng.choice(model.graph.node)
    source = rng.choice(model.graph.input).name
    if not node.output:
        return
    name = node.output[0]
    node.output[0] = f"{name}_before"
    factor = f"{name}_factor"
    model.graph.initializer.append(numpy_helper.from_array(np.array([rng.choice((1e3, 1e9))], np.float32), factor))
    model.graph.node.extend(
        [
            helper.make_node("Cast", [source], [f"{name}_float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_float", factor], [f"{name}_long"]),
            helper.make_node("Cast", [f"{name}_long"], [f"{name}_count"], to=TensorProto.INT64),
            helper.make_node("Expand", [f"{name}_before", f"{name}_count"], [name]),
        ]
    )


def outside(model: onnx.ModelProto, rng: random.Random) -> None:
    """Weights in a file outside."""
    tensor = rng.choice(model.graph.initializer)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", CANARY), ("offset", "0"), ("length", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def version(model: onnx.ModelProto, rng: random.Random) -> None:
    """A version of the format."""
    if rng.random() < 0.5:
        model.ir_version = rng.choice((0, 3, 99, 1 << 40))
    else:
        model.opset_import[0].version = rng.choice((0, 1, 7, 99, 1 << 40))


DAMAGES: tuple[Damage, ...] = (
    weights, weights, weights, dims, operator, attribute, attribute, edge, edge, missing, expanded, expanded,
    from_input, from_input, outside, version,
)  # fmt: skip


def manifest_damage(manifest: dict[str, object], rng: random.Random) -> None:
    """States, knobs and the shape of a port."""
    states, knobs = manifest.get("states"), manifest.get("knobs")
    match rng.randrange(3):
        case 0 if isinstance(states, list) and states:
            state = rng.choice(states)
            state["shape"] = rng.choice(([], [3], [1 << 31], [*state["shape"], 1], [0], [-1], [60_000, 60_000]))
        case 1 if isinstance(states, list) and states:
            rng.choice(states)["initial"] = rng.choice((1e308, -1e30, 1e38))
        case _ if isinstance(knobs, list) and knobs:
            knob = rng.choice(knobs)
            knob[rng.choice(("low", "high", "default"))] = rng.choice((-1e9, 1e9, 0, 1e308))


def make_case(original: Path, folder: Path, rng: random.Random) -> bool:
    """Write a damaged copy of a bundle. Returns whether it names weights in a file outside."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    graph, foreign = rng.choice(manifest["graphs"]), False
    path = folder / graph["file"]
    if rng.random() < 0.1:
        path.write_bytes(damaged(path.read_bytes(), rng))
    elif rng.random() < 0.85:
        model = onnx.load_model_from_string(path.read_bytes())
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            change = rng.choice(DAMAGES)
            with suppress(IndexError, ValueError):  # nothing of the kind is there, or it was damaged before
                change(model, rng)
                foreign |= change is outside
        path.write_bytes(model.SerializeToString())
    else:
        manifest_damage(manifest, rng)
    graph["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return foreign


def played(folder: Path, told: Path) -> tuple[int, str, float, int]:
    """Play a bundle in a child, as the probe does: its status, what it wrote to standard error, and the seconds of
    computing and the bytes that it took."""
    child = os.fork()
    if not child:
        with told.open("wb") as file:
            os.dup2(file.fileno(), 2)
        os._exit(probe.main([str(folder)]))
    ends = time.monotonic() + 120
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    errors = told.read_text(errors="replace").strip()
    return os.waitstatus_to_exitcode(status), errors, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10


def problem_of(status: int, errors: str, took: float, held: int, foreign: bool) -> str:
    """What is wrong with the end of a case, empty if nothing is. The last line of its errors is told to the player."""
    last = (errors.splitlines() or [""])[-1]
    if (status == 1 and (not last or len(last) > LONGEST)) or (status not in (0, 1) and status != -signal.SIGXCPU):
        return f"status {status}: {errors[-2000:]}"
    if "Traceback" in errors:
        return errors[-2000:]
    if foreign and not status:
        return f"read weights outside: {errors}"
    if took > LONGEST_S or held > MOST_BYTES:
        return f"{took:.1f} s and {held >> 20} MB; status {status}, {last}"
    return ""


def originals(home: Path) -> list[Path]:
    """The small bundles of version 0.1 that play by themselves."""
    found = []
    for path in sorted((OLD / "models").glob("*/manifest.json")):
        manifest = json.loads(path.read_text())
        if not manifest.get("needs") and FAMILIES[manifest["family"]].graphs:
            status, errors, _, _ = played(path.parent, home / "told")
            assert not status, f"{path.parent.name} is refused undamaged: {errors}"
            found.append(path.parent)
    return found


def main() -> None:
    """As the module says."""
    options = arguments(__doc__, 20).parse_args()
    options.found.mkdir(parents=True, exist_ok=True)
    tally, peak, bundles = Tally(), 0, originals(options.home)
    for number in range(options.start, options.start + options.count):
        rng = random.Random(f"graphs {options.seed} {number}")
        folder = options.home / "case"
        foreign = make_case(rng.choice(bundles), folder, rng)
        (options.home / "current").write_text(str(number))
        status, errors, took, held = played(folder, options.home / "told")
        tally.read, tally.refused = tally.read + (not status), tally.refused + bool(status)
        tally.slowest_s, peak = max(tally.slowest_s, took), max(peak, held)
        if problem := problem_of(status, errors, took, held, foreign):
            shutil.make_archive(str(options.found / f"graphs-{number}"), "zip", folder)
            (options.found / f"graphs-{number}.txt").write_text(problem)
            tally.found.append(f"case {number}: {problem[:300]}")
    print(json.dumps({**vars(tally), "peak_bytes": peak}))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
