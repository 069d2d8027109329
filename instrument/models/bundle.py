"""A bundle: a folder with manifest.json, graphs, a golden file and a card.

A bundle from a stranger is data: sizes are bounded before anything is parsed, hashes show damage, operators
are those its family names, no path leaves the folder, and one that is not known yet is first loaded in a child
process with limits on time and memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.manifest import Graph, Manifest, read_manifest
from instrument.models.onnxfile import MAX_BYTES, check_graph
from instrument.models.runtime import ONNX_TYPES, Session

_DENSE = frozenset(
    [
        "Add",
        "And",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "Div",
        "Equal",
        "Expand",
        "Flatten",
        "Gather",
        "GatherND",
        "Gemm",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Less",
        "MatMul",
        "Mul",
        "Not",
        "Pad",
        "Relu",
        "Reshape",
        "ScatterElements",
        "Shape",
        "Sigmoid",
        "Slice",
        "Split",
        "Squeeze",
        "Sub",
        "Sum",
        "Tanh",
        "Transpose",
        "Unsqueeze",
        "Where",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QuantizeLinear",
    ]
)
_ATTENTIVE = _DENSE | {"Cos", "LayerNormalization", "Mod", "Sin", "Softmax"}
_SPECTRAL = _DENSE | {"Conv", "Exp", "Gelu", "LayerNormalization", "Pow", "Sqrt"}
OPERATORS: dict[str, frozenset[str]] = {
    "lstm": _DENSE,
    "transformer": _ATTENTIVE,
    "musicvae": _DENSE | {"LSTM"},
    "plan": _DENSE | {"Log", "LogSoftmax", "ReduceSum", "Softmax"},
    "ddsp": _DENSE,
    "vocoder": _SPECTRAL,
    "gansynth": _DENSE | {"Exp", "Log", "Neg"},
    "cmelgan": _DENSE | {"ArgMax", "Conv", "ConvTranspose", "LeakyRelu", "Reciprocal", "ReduceMean", "Sqrt"},
}
UNPACKED = frozenset(["cmelgan", "vocoder", "gansynth", "ddsp", "musicvae"])  # whose weights lie unpacked in memory

PROBE_SECONDS = 60
PROBE_MEMORY = 4 << 30
MAX_ARRAYS = 16 << 20


class Bundle:
    """A checked bundle, its graphs loaded."""

    def __init__(self, folder: Path, manifest: Manifest, sessions: dict[str, Session]) -> None:
        self.folder, self.manifest, self.sessions = folder, manifest, sessions

    def session(self, graph: str) -> Session:
        """The graph of that id; HocketError if there is none."""
        if graph not in self.sessions:
            raise HocketError(f"bundle {self.manifest.slug!r} has no graph {graph!r}: it is not whole")
        return self.sessions[graph]

    def golden(self) -> dict[str, NDArray[Any]]:
        """The arrays of the golden file. HocketError if it is damaged."""
        golden = self.manifest.golden
        return self._arrays(golden.file, golden.sha256)

    def latents(self) -> dict[str, NDArray[Any]]:
        """The arrays of the latents' file. HocketError if it is damaged, or there is none."""
        file = self.manifest.latents
        if file is None:
            raise HocketError(f"bundle {self.manifest.slug!r} tells nothing of its latent space: it is not whole")
        return self._arrays(file.file, file.sha256)

    def primers(self) -> dict[str, NDArray[Any]]:
        """The arrays of the primers' file, none where there is none. HocketError if it is damaged."""
        file = self.manifest.primers
        return self._arrays(file.file, file.sha256) if file else {}

    def _arrays(self, file: str, sha256: str) -> dict[str, NDArray[Any]]:
        data = _read(self.folder, file, sha256, MAX_ARRAYS)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(info.file_size for info in archive.infolist()) > 4 * MAX_ARRAYS:
                    raise HocketError(f"{self.folder / file} unpacks to too much: not a file of a bundle")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise HocketError(f"{self.folder / file} holds no arrays: {error}") from error


def open_bundle(folder: Path, trusted: bool = False) -> Bundle:
    """Check and load the bundle in `folder`. trusted: shipped with Hocket, so not probed in a child first.

    Raises HocketError on anything that is not whole.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest.family not in OPERATORS:
        raise HocketError(f"bundle {manifest.slug!r}: family {manifest.family} is not played by this Hocket")
    contents = {g.id: check_file(folder, g, OPERATORS[manifest.family]) for g in manifest.graphs}
    if not trusted:
        _probe(folder, manifest)
    sessions = {g.id: _load(folder, g, contents[g.id], manifest.family in UNPACKED) for g in manifest.graphs}
    return Bundle(folder, manifest, sessions)


def check_file(folder: Path, graph: Graph, allowed: frozenset[str]) -> bytes:
    """The bytes of a graph, found whole and harmless; HocketError otherwise."""
    data = _read(folder, graph.file, graph.sha256, MAX_BYTES)
    check_graph(data, allowed, f"{folder / graph.file}")
    return data


def bundle_bytes(folder: Path) -> int:
    """Size of all files of a bundle."""
    return sum(f.stat().st_size for f in folder.iterdir() if f.is_file())


def _read(folder: Path, name: str, sha256: str, limit: int) -> bytes:
    path = folder / name
    try:
        if path.resolve().parent != folder.resolve() or path.is_symlink() or not path.is_file():
            raise HocketError(f"{path} is not a plain file of its bundle: install the bundle again")
        if path.stat().st_size > limit:
            raise HocketError(f"{path} has {path.stat().st_size} bytes, at most {limit} are read")
        data = path.read_bytes()
    except OSError as error:
        raise HocketError(f"{path} cannot be read ({error.strerror}): install the bundle again") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise HocketError(f"{path} is damaged (its hash is not the manifest's): install the bundle again")
    return data


def _load(folder: Path, graph: Graph, data: bytes, unpacked: bool) -> Session:
    session = Session(data, f"{folder / graph.file}", unpacked)
    for ports, there, kind in (
        (graph.inputs, session.inputs, "input"),
        (graph.outputs, session.outputs, "output"),
    ):
        told = {p.name: (p.shape, ONNX_TYPES[p.type]) for p in ports}
        if told != there:
            differs = sorted(set(told.items()) ^ set(there.items()))[:1]
            raise HocketError(f"{folder / graph.file}: {kind}s are not those of the manifest, see {differs}")
    return session


# --- A stranger's bundle is loaded in a child first


def _probe(folder: Path, manifest: Manifest) -> None:
    from instrument.paths import state_dir

    known_file = state_dir() / "probed.json"
    try:
        known = set(json.loads(known_file.read_text()))
    except (OSError, ValueError, TypeError):
        known = set()
    if manifest.bundle_hash in known:
        return
    command = [sys.executable, "-m", "instrument.models.bundle", str(folder.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise HocketError(f"bundle in {folder} took over {PROBE_SECONDS} s to load: not used") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"its loading ended with status {done.returncode}"])[-1]
        raise HocketError(f"bundle in {folder} is refused: {said}")
    temporary = known_file.with_suffix(f".{os.getpid()}")
    try:
        temporary.write_text(json.dumps(sorted(known | {manifest.bundle_hash})))
        os.replace(temporary, known_file)
    except OSError:
        pass  # it will be probed again, that is all


def _probe_main(folder: str) -> int:
    """The child: load everything under limits; a named error is one line and status 1."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (PROBE_MEMORY, PROBE_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (PROBE_SECONDS, PROBE_SECONDS))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limits; the parent's time limit holds everywhere
    try:
        open_bundle(Path(folder), trusted=True)
    except (HocketError, MemoryError) as error:
        print(error or "it needs too much memory", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_probe_main(sys.argv[1]))
