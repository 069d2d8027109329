"""The manifest of a bundle: what its graphs are, how they connect, and where it came from."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from instrument.errors import HocketError
from instrument.models.families import FAMILIES
from instrument.music.timebase import TEMPO_RANGE
from instrument.saved import Format

VERSION = 1
FORMAT = Format(VERSION, migrations={}, field="manifest_version")
MAX_MANIFEST = 1 << 20
# Fields that the music or the sound depends on, in addition to files; and those of a knob that it does not depend on.
HASHED_FIELDS = (
    "family",
    "codec",
    "condition_genres",
    "genres",
    "parts",
    "latent",
    "needs",
    "states",
    "traits",
    "knobs",
)
UNHASHED_KNOB_FIELDS = frozenset(["label", "unit", "help", "zero"])

PlainName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]  # of a port
Dim = Annotated[int, Meta(ge=-1, le=1 << 24)]
Shape = Annotated[tuple[Dim, ...], Meta(max_length=8)]
PartName = Literal["melody", "chords", "bass", "drums", "other"]
Role = Literal["event", "state", "latent", "condition", "audio", "hidden", "logits", "context"]


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An input or output of a graph. shape: -1 = any number of lanes."""

    name: Name
    role: Role
    shape: Shape
    type: Literal["float32", "int64"] = "float32"


class Graph(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ONNX file. id: what the family calls it."""

    id: str
    file: PlainName
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recurrent state: the ports by which it enters and leaves a graph at each step, and its first value."""

    input: Name
    output: Name
    shape: Shape
    initial: Annotated[float, Meta(ge=-1e6, le=1e6)] = 0.0

    @property
    def size(self) -> int:
        """Numbers in one lane of it."""
        return math.prod(1 if n < 0 else n for n in self.shape)


class Knob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A knob of the model; the controls of the window and MIDI learn are built from these.

    kind: "number", "choice" (the value is one of choices) or "switch" (0 or 1); step: 0 = continuous; zero: the label
    of 0 where it is not an amount ("free").
    """

    id: Slug | Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    label: str
    kind: Literal["number", "choice", "switch"] = "number"
    unit: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 0.0
    default: float | str = 0.0
    choices: tuple[str, ...] = ()
    curve: Literal["linear", "log"] = "linear"
    help: str = ""
    zero: Annotated[str, Meta(max_length=16)] = ""


Tempo = Annotated[float, Meta(ge=TEMPO_RANGE[0], le=TEMPO_RANGE[1])]
Velocity = Annotated[float, Meta(ge=0, le=127)]
Proportion = Annotated[float, Meta(ge=0, le=1)]


class Traits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Statistics of a genre in a model's training data.

    density: notes a beat; parts: those that play; in_key: how much likelier a pitch class inside the key is than one
    outside; entropy: median entropy in bits of the pitch classes of 32 notes. Where
    they were measured: tempo: beats a minute, 10th, 50th and 90th percentile of the pieces; swing: where in the beat
    the off-beat eighth falls, .5 straight, .67 triplet; velocity: mean and standard deviation within a piece, by part;
    intervals: how often the melody moves by 0, 1 or 2, 3 or 4, 5 to 7, and more semitones, shares; rates: notes a beat
    of each part where it plays.
    """

    density: Annotated[float, Meta(gt=0)]
    parts: tuple[Annotated[int, Meta(ge=0, le=4)], ...]
    in_key: Annotated[float, Meta(ge=1)]
    entropy: Annotated[float, Meta(ge=0, le=4)]
    tempo: tuple[Tempo, Tempo, Tempo] | None = None
    swing: Annotated[float, Meta(ge=0, le=1)] | None = None
    velocity: dict[PartName, tuple[Velocity, Velocity]] | None = None
    intervals: Annotated[tuple[Proportion, ...], Meta(min_length=5, max_length=5)] | None = None
    rates: dict[PartName, Annotated[float, Meta(gt=0)]] | None = None


class Provenance(msgspec.Struct, frozen=True):
    """The origin of a model: data (hash and datasets), commit, seed, minutes of training, recipe, metrics; ancestry:
    the same of the models that its training started from, the first one first; versions: of the libraries that made
    it, torch and onnxruntime."""

    data_hash: str = ""
    datasets: dict[str, str] = {}  # name -> licences
    commit: str = ""
    seed: int = 0
    minutes: float = 0.0
    recipe: dict[str, object] = {}
    metrics: dict[str, object] = {}
    ancestry: tuple[dict[str, object], ...] = ()
    versions: dict[str, str] = {}


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of inputs and expected outputs, equal within `tolerance`."""

    file: PlainName
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    tolerance: Annotated[float, Meta(gt=0, le=1)]


class Arrays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of arrays (.npz)."""

    file: PlainName
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True):
    """All that the instrument knows of a bundle.

    family: a row of `instrument.models.families`; latent: dimensions of the latent space, 0 = none; latents: known
    points of it (`instrument.models.latent`); primers: `instrument.models.notes.priming`; needs: slugs of bundles that
    it cannot play without (its vocoder).
    """

    manifest_version: int
    slug: Slug
    name: Annotated[str, Meta(max_length=80)]
    family: PlainName
    version: str
    licence: str
    graphs: Annotated[tuple[Graph, ...], Meta(min_length=1, max_length=16)]
    golden: Golden
    states: Annotated[tuple[State, ...], Meta(max_length=256)] = ()
    codec: dict[str, Annotated[int, Meta(ge=-(1 << 24), le=1 << 24)]] = {}
    condition_genres: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    parts: tuple[int, ...] = ()
    traits: dict[str, Traits] = {}
    latent: Annotated[int, Meta(ge=0, le=1 << 16)] = 0
    latents: Arrays | None = None
    primers: Arrays | None = None
    knobs: tuple[Knob, ...] = ()
    needs: Annotated[tuple[Slug, ...], Meta(max_length=4)] = ()
    provenance: Provenance = Provenance()

    def graph(self, id: str) -> Graph:
        """The graph of that id; HocketError if there is none."""
        for graph in self.graphs:
            if graph.id == id:
                return graph
        raise HocketError(f"bundle {self.slug!r} has no graph {id!r}: it is an incomplete {self.family} bundle")

    @property
    def bundle_hash(self) -> str:
        """SHA-256 (hex) of all that the music or the sound depends on: the hashes of all graphs, latents and primers,
        and `HASHED_FIELDS`.

        Fields at their default are left out, so that a field added later leaves the hashes of older bundles unchanged.
        """
        table: dict[str, object] = {name: _plain(getattr(self, name)) for name in HASHED_FIELDS}
        table["knobs"] = [
            {k: v for k, v in _plain_struct(knob).items() if k not in UNHASHED_KNOB_FIELDS} for knob in self.knobs
        ]
        fields = json.dumps({k: v for k, v in table.items() if v}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"{self._files}\n{fields}".encode()).hexdigest()

    @property
    def legacy_hash(self) -> str:
        """The `bundle_hash` of version 0.1, as in its takes: of the files alone."""
        return hashlib.sha256(self._files.encode()).hexdigest()

    @property
    def _files(self) -> str:
        """The hashes of all files that the music or the sound depends on."""
        arrays = (("latents", self.latents), ("primers", self.primers))
        files = [f"{graph.id} {graph.sha256}" for graph in self.graphs]
        return "\n".join([*files, *(f"{name} {file.sha256}" for name, file in arrays if file)])


def _plain(value: object) -> object:
    """A value for JSON, the same for equal values: numbers are floats, and fields at their default are left out."""
    if isinstance(value, msgspec.Struct):
        return _plain_struct(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, int) else value


def _plain_struct(struct: msgspec.Struct) -> dict[str, object]:
    fields = ((field, getattr(struct, field.name)) for field in msgspec.structs.fields(struct))
    return {field.name: _plain(value) for field, value in fields if field.required or value != field.default}


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`, of this version or an older one. Raises HocketError on anything else."""
    path = folder / "manifest.json"
    try:
        if path.exists() and not path.is_file():  # a FIFO or a device might never end
            raise HocketError(f"{path} is no plain file: install the bundle again")
        if path.stat().st_size > MAX_MANIFEST:
            raise HocketError(f"{path} is larger than {MAX_MANIFEST} bytes: not a manifest")
        data = path.read_bytes()
    except OSError as error:
        raise HocketError(f"no bundle in {folder}: {path.name} cannot be read ({error.strerror})") from error
    manifest = FORMAT.restored(data, Manifest, f"the manifest {path}")
    if manifest.family not in FAMILIES:
        raise HocketError(f"{path}: family {manifest.family!r} is not one of {', '.join(FAMILIES)}: update Hocket")
    return manifest


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write manifest.json, readable by people."""
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    (folder / "manifest.json").write_bytes(data + b"\n")
