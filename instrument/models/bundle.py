"""A bundle: a folder with manifest.json, graphs, a golden file and a card.

A bundle from a stranger is data: sizes are bounded before parsing, hashes show damage, only the operators of its family
are allowed, states are those of the graphs, and no path leaves the folder. A bundle that is not known yet is first
played in a child process with limits on time and memory (`models.probed`).
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models import probed
from instrument.models.families import FAMILIES
from instrument.models.manifest import Graph, Manifest, State, read_manifest
from instrument.models.onnxfile import MAX_BYTES, check_graph
from instrument.models.runtime import ONNX_TYPES, Session

MAX_ARRAYS = 16 << 20  # bytes of a file of arrays
MAX_STATE = 16 << 20  # numbers in one lane of all states


class Bundle:
    """A checked bundle, its graphs loaded."""

    def __init__(self, folder: Path, manifest: Manifest, sessions: dict[str, Session]) -> None:
        self.folder, self.manifest, self.sessions = folder, manifest, sessions

    def session(self, graph: str) -> Session:
        """The graph of that id; HocketError if there is none."""
        if graph not in self.sessions:
            raise HocketError(f"bundle {self.manifest.slug!r} has no graph {graph!r}: reinstall it")
        return self.sessions[graph]

    def golden(self) -> dict[str, NDArray[Any]]:
        """The arrays of the golden file. HocketError if it is damaged."""
        golden = self.manifest.golden
        return self._arrays(golden.file, golden.sha256)

    def latents(self) -> dict[str, NDArray[Any]]:
        """The arrays of the latents' file. HocketError if it is damaged, or there is none."""
        file = self.manifest.latents
        if file is None:
            raise HocketError(f"bundle {self.manifest.slug!r} has no latents file: reinstall it")
        return self._arrays(file.file, file.sha256)

    def primers(self) -> dict[str, NDArray[Any]]:
        """The arrays of the primers' file, none where there is none. HocketError if it is damaged."""
        file = self.manifest.primers
        return self._arrays(file.file, file.sha256) if file else {}

    def _arrays(self, file: str, sha256: str) -> dict[str, NDArray[Any]]:
        data = _read(self.folder, file, sha256, MAX_ARRAYS)
        try:
            return read_arrays(data)
        except (
            ValueError,
            OSError,
            EOFError,
            KeyError,
            NotImplementedError,
            RuntimeError,
            zipfile.BadZipFile,
        ) as error:
            raise HocketError(f"{self.folder / file} holds no arrays ({error}): install the bundle again") from error


def read_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays in the bytes of an .npz file. ValueError for anything but numbers, for numbers that are not finite,
    and before anything is allocated where sizes are too large or not those of the content."""
    arrays: dict[str, NDArray[Any]] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(info.file_size for info in archive.infolist()) > 4 * MAX_ARRAYS:
            raise ValueError(f"it unpacks to over {4 * MAX_ARRAYS >> 20} MiB")
        for info in archive.infolist():
            arrays[info.filename.removesuffix(".npy")] = _read_array(archive.read(info), info.filename)
    return arrays


def _read_array(data: bytes, name: str) -> NDArray[Any]:
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    size, there = math.prod(shape) * dtype.itemsize, len(data) - file.tell()
    if size != there or dtype.hasobject:
        raise ValueError(f"{name} says that it has {size} bytes of {dtype}, there are {there}")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has numbers that are not finite")
    return array


def open_bundle(folder: Path, trusted: bool = False) -> Bundle:
    """Check and load the bundle in `folder`. trusted: shipped with Hocket, so not played in a child first.

    Raises HocketError where anything is missing, damaged or not allowed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    contents = check_graphs(folder, manifest)
    if not trusted:
        probed.admit(folder)
    family = FAMILIES[manifest.family]
    sessions = {g.id: _load(folder, g, contents[g.id], family.unpacked) for g in manifest.graphs}
    return Bundle(folder, manifest, sessions)


def check_graphs(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """The bytes of every graph, by id. HocketError unless all that the family needs is there and passes its checks."""
    family = FAMILIES[manifest.family]
    there = {graph.id for graph in manifest.graphs}
    missing = [f"graph {id!r}" for id in family.graphs if id not in there]
    missing += [name for name in family.arrays if getattr(manifest, name) is None]
    if missing:
        raise HocketError(f"bundle {manifest.slug!r} has no {missing[0]}: it is an incomplete {manifest.family} bundle")
    if len(manifest.needs) != family.needs:
        needed = ", ".join(manifest.needs) or "no bundle"
        raise HocketError(f"bundle {manifest.slug!r} needs {needed}, a {manifest.family} needs {family.needs}")
    _check_states(manifest)
    return {graph.id: _check_file(folder, graph, family.operators) for graph in manifest.graphs}


def _check_states(manifest: Manifest) -> None:
    for state in manifest.states:
        if not any(_takes(graph, state) for graph in manifest.graphs):
            raise HocketError(
                f"bundle {manifest.slug!r}: no graph has the state {state.input!r} of shape {list(state.shape)} as an "
                f"input and {state.output!r} as an output: install the bundle again"
            )
    if sum(state.size for state in manifest.states) > MAX_STATE:
        raise HocketError(f"bundle {manifest.slug!r}: its states have over {MAX_STATE} numbers: it is refused")


def _takes(graph: Graph, state: State) -> bool:
    """Whether a state enters and leaves a graph, with a shape that fits: as it is, or for each of the lanes."""
    ports = [port for port in graph.inputs if port.name == state.input]
    ports += [port for port in graph.outputs if port.name == state.output]
    return len(ports) == 2 and all(
        any(
            len(port.shape) == len(shape)
            and all(a in (-1, b) or b == -1 for a, b in zip(port.shape, shape, strict=True))
            for shape in (state.shape, (-1, *state.shape))
        )
        for port in ports
    )


def _check_file(folder: Path, graph: Graph, allowed: frozenset[str]) -> bytes:
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
        declared = {p.name: (p.shape, ONNX_TYPES[p.type]) for p in ports}
        if declared != there:
            differs = sorted(set(declared.items()) ^ set(there.items()))[:1]
            raise HocketError(f"{folder / graph.file}: {kind}s are not those of the manifest, see {differs}")
    return session
