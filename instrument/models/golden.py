"""Whether bundles compute here what they computed when they were made: the golden values of each, by family.

    python -m instrument.models.golden FOLDER ...

prints a line of JSON: what is wrong with each bundle in the folders, empty where nothing is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError, one_line
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.notes.backbone import Backbone
from instrument.models.notes.lstm import LstmBackbone
from instrument.models.notes.transformer import TransformerBackbone
from instrument.models.sound.vocoder import Vocoder
from instrument.music import codec

Arrays = dict[str, NDArray[Any]]
Pairs = Iterator[tuple[NDArray[Any], NDArray[Any]]]  # what is computed here, what it should be


def check(bundle: Bundle) -> None:
    """HocketError if a bundle computes other values here than those of its golden file."""
    compare = _COMPARISONS.get(bundle.manifest.family)
    if compare is None:
        return
    try:
        largest = max(float(np.abs(found - wanted).max()) for found, wanted in compare(bundle, bundle.golden()))
    except (KeyError, ValueError, IndexError) as error:
        raise HocketError(f"{bundle.manifest.slug}: its golden file does not fit ({one_line(error)})") from error
    tolerance = bundle.manifest.golden.tolerance
    if not largest <= tolerance:
        raise HocketError(
            f"{bundle.manifest.slug} computes other values here than when it was made (by {largest:.3g}, {tolerance:g} "
            "is allowed): install the bundle again, or the version of onnxruntime that Hocket names"
        )


def _run(bundle: Bundle, graph: str, feeds: Arrays) -> Arrays:
    session = bundle.session(graph)
    return dict(zip(session.outputs, session.run(feeds), strict=True))


def _events(backbone: Callable[[Bundle], Backbone]) -> Callable[[Bundle, Arrays], Pairs]:
    def compare(bundle: Bundle, golden: Arrays) -> Pairs:
        network = backbone(bundle)
        network.reset()
        for i, seen in enumerate(golden["seen"][0].tolist()):
            shares = network.step(seen, golden["condition"][:, i], i)
            network.advance()
            for field, share in zip(codec.FIELDS, shares, strict=True):
                found = _run(bundle, field, {"share": share, "context": golden[f"context_{field}"][:, i : i + 1]})
                yield next(iter(found.values()))[:, 0], golden[f"logits_{field}"][:, i]

    return compare


def _phrases(bundle: Bundle, golden: Arrays) -> Pairs:
    for i in range(len(golden["tokens"])):
        tokens = golden["tokens"][i : i + 1].astype(np.int64)
        encoded = _run(bundle, "encoder", {"tokens": tokens})
        begun = _run(bundle, "conductor", {"z": encoded["mean"]})
        first = {name: begun[f"first_{name}"][:, 0] for name in ("hidden", "cell")}
        feeds = {"token": tokens[:, 0], "place": np.zeros(1, np.int64), "context": begun["contexts"][:, 0]} | first
        found = encoded | {"contexts": begun["contexts"], "logits": _run(bundle, "step", feeds)["logits"]}
        for name, values in found.items():
            yield values[0], golden[name][i]


def _plan(bundle: Bundle, golden: Arrays) -> Pairs:
    state = {p.name: p.shape for p in bundle.manifest.graph("chord").inputs}["hidden"]
    hidden = np.zeros((1, *state[1:]), np.float32)
    for i, row in enumerate(golden["row"][0]):
        found = _run(bundle, "chord", {"row": row[None], "hidden": hidden})
        hidden = found["hidden_after"]
        yield found["chords"][0], golden["chords"][0, i]


def _stream(bundle: Bundle, golden: Arrays) -> Pairs:
    pairs = bundle.manifest.states
    states = {p.input: np.full([1 if n < 0 else n for n in p.shape], p.initial, np.float32) for p in pairs}
    wanted = np.split(golden["mels"][0], len(golden["style"]))
    for i, mels in enumerate(wanted):
        feeds = {name: golden[name][i] for name in ("style", "genre", "temperature", "noise")}
        found = _run(bundle, "step", feeds | states)
        states = {p.input: found[p.output] for p in pairs}
        yield found["mels"][0], mels


def _vocoder(bundle: Bundle, golden: Arrays) -> Pairs:
    yield Vocoder(bundle).render(golden["mels"]), golden["sound"]


def _spectra(bundle: Bundle, golden: Arrays) -> Pairs:
    found = _run(bundle, "generator", {name: golden[name] for name in bundle.session("generator").inputs})
    for name, values in found.items():
        yield values, golden[name]


def _tones(bundle: Bundle, golden: Arrays) -> Pairs:
    note = _run(bundle, "note", {name: golden[name] for name in ("instrument", "note", "z")})
    each = len(golden["age"]) // len(golden["note"])
    frame = _run(bundle, "frame", {"state": note["state"].repeat(each, 0), "age": golden["age"]})
    for name, values in (note | frame).items():
        yield values, golden[name]


_COMPARISONS: dict[str, Callable[[Bundle, Arrays], Pairs]] = {
    "lstm": _events(LstmBackbone),
    "transformer": _events(TransformerBackbone),
    "musicvae": _phrases,
    "plan": _plan,
    "cmelgan": _stream,
    "vocoder": _vocoder,
    "gansynth": _spectra,
    "ddsp": _tones,
}


def problem(folder: Path) -> str:
    """What is wrong with the bundle in a folder, in one line; empty if it computes its golden values."""
    try:
        check(open_bundle(folder, trusted=True))
    except HocketError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001
        return f"the bundle in {folder} fails: {one_line(error)}"
    return ""


def main(arguments: list[str]) -> int:
    """Print what is wrong with the bundles in these folders; see the module."""
    if hasattr(os, "nice"):
        os.nice(10)  # it may run beside the music
    print(json.dumps({folder: problem(Path(folder)) for folder in arguments}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
