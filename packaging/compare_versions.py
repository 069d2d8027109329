"""Compares what two checkouts of Hocket play on this machine, for changes that must not change the music.

    python packaging/compare_versions.py BEFORE_DIR AFTER_DIR [--python PY] [--seconds 20] [--keep FOLDER]

Both are run by their command lines only, so modules may move. A .mid file must be equal byte by byte, a .wav file
sample by sample, the list of models key by key. Prints a line for each; the exit status is 1 if anything differs.
Results hold for one machine and one set of packages: another processor may round differently.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

MODELS = "models.json"
PROMPT = "tests/fixtures/midi/openewld_scarborough_fair.mid"
TURNED = {  # options of `hocket render`, by a name
    "knobs of notes turned": "--patch 'First light' --at 8:temperature=1.3 --at 12.5:tempo=132 --at 16:key=D "
    "--at 16:scale=minor --at 20:level=-6 --at 24:metre=3/4",
    "knobs of voices turned": "--patch 'Shape shifter' --at 4:2/morph=0.9 --at 8:1/part=chords --at 12:1/level=-3",
    "knobs of a stream turned": "--patch Undertow --at 4:1/tune=0 --at 8:1/blend=0.8 --at 12:1/duck=0",
    "pad turned": "--model musicvae-melody2 --at 8:x=0.9 --at 16:y=-0.7",
}
MOST_S = 600  # for one file
OF_THE_MACHINE = ("path", "bytes")  # keys of `hocket models --json` that are not compared
Arguments = tuple[str, ...]


class Failed(Exception):
    """A checkout could not make a result, or has no commit to name kept results by."""


class Checkout(NamedTuple):
    """A checkout and the interpreter to run it with."""

    folder: Path
    python: Path

    def hocket(self, home: Path, *arguments: str) -> str:
        """Standard output of its command `hocket`. home: the user's folder (HOCKET_HOME). Raises Failed."""
        with (self.folder / "pyproject.toml").open("rb") as file:
            module, _, function = tomllib.load(file)["project"]["scripts"]["hocket"].partition(":")
        # The interpreter may have another checkout installed, which would be imported instead of a missing package.
        if not (self.folder / module.split(".")[0]).is_dir():
            raise Failed(f"{self.folder} has no package {module.split('.')[0]}")
        line = [str(self.python), "-c", f"from {module} import {function}; {function}()", *arguments]
        env = {**os.environ, "PYTHONPATH": str(self.folder), "HOCKET_HOME": str(home)}
        done = subprocess.run(line, cwd=self.folder, env=env, capture_output=True, text=True, timeout=MOST_S)
        if done.returncode:
            said = done.stderr.strip() or f"exit status {done.returncode}"
            raise Failed(f"{self.folder} failed: {said.splitlines()[-1]}")
        return str(done.stdout)

    def models(self, home: Path) -> str:
        """Its list of models as JSON, without what depends on its folder. Raises Failed."""
        rows = json.loads(self.hocket(home, "models", "--json").replace(str(self.folder), "CHECKOUT"))
        kept = [{key: value for key, value in row.items() if key not in OF_THE_MACHINE} for row in rows]
        return json.dumps(kept, indent=1)

    def make(self, name: str, arguments: Arguments, results: Path) -> None:
        """Make a file in the folder `results`, unless it exists. Raises Failed."""
        if (results / name).exists():
            return
        with tempfile.TemporaryDirectory(dir=results) as home:
            made = Path(home) / name
            if name == MODELS:
                made.write_text(self.models(Path(home)), encoding="utf-8")
            else:
                self.hocket(Path(home), "render", *arguments, "--out", str(made))
            os.replace(made, results / name)  # atomic, because a later comparison may find the file


def difference(before: Path, after: Path) -> str:
    """How two results differ, or "" if they are equal. The suffix decides how they are compared."""
    for which, path in (("before", before), ("after", after)):
        if not path.is_file():
            return f"there is no file {which}"
    compared = {".mid": bytes_difference, ".wav": samples_difference, ".json": models_difference}
    return compared[before.suffix](before, after)


def bytes_difference(before: Path, after: Path) -> str:
    """The first differing byte of two files."""
    old, new = before.read_bytes(), after.read_bytes()
    if old == new:
        return ""
    first = next(i for i in range(len(old) + 1) if old[i : i + 1] != new[i : i + 1])
    return f"byte {first} is the first that differs; {len(old)} bytes before, {len(new)} after"


def samples_difference(before: Path, after: Path) -> str:
    """The largest difference and the first differing sample of two sound files."""
    (old, old_rate), (new, new_rate) = (soundfile.read(path, always_2d=True) for path in (before, after))
    if (old.shape, old_rate) != (new.shape, new_rate):
        return f"{old.shape} samples at {old_rate} Hz before, {new.shape} at {new_rate} Hz after"
    apart = np.abs(old - new)
    if not apart.any():
        return ""
    frame, channel = np.argwhere(apart)[0]
    first = f"sample {frame} of channel {channel} ({frame / old_rate:.3f} s) is the first that differs"
    return f"{first}; {np.count_nonzero(apart)} do, at most by {apart.max():.3g} of full scale"


def models_difference(before: Path, after: Path) -> str:
    """The models and keys in which two lists of models differ."""
    old, new = ({row["slug"]: row for row in json.loads(path.read_text("utf-8"))} for path in (before, after))
    if list(old) != list(new):
        return f"the models were {', '.join(old)}, are {', '.join(new)}"
    found = []
    for slug, was in old.items():
        for key in sorted(was.keys() | new[slug].keys()):
            values = [repr(row[key]) if key in row else "missing" for row in (was, new[slug])]
            if values[0] != values[1]:
                found.append(f"{slug}: {key} was {values[0]}, is {values[1]}")
    return "; ".join(found)


def renderings(before: Path, models: list[dict[str, str]], take: Path) -> dict[str, Arguments]:
    """Arguments of `hocket render` by a name. before: the checkout that has patches and prompt; models: its models."""
    found: dict[str, Arguments] = {}
    for patch in sorted(path.stem for path in (before / "assets" / "patches").glob("*.json")):
        found |= {f"{patch}, seed {seed}": ("--patch", patch, "--seed", seed) for seed in ("1", "2")}
    for slug in (model["slug"] for model in models if model["kind"] == "notes"):
        found[f"model {slug}"] = ("--model", slug, "--seed", "1")
    prompt = ("--prompt", str(before / PROMPT))
    found |= {name: tuple(shlex.split(options)) for name, options in TURNED.items()}
    return found | {
        "prompt for a note model": ("--model", "transformer-band", *prompt),
        "prompt for a voice": ("--model", "gansynth-voices", *prompt),
        "take": ("--take", str(take)),
    }


def written_take(models: list[dict[str, str]]) -> str:
    """A take with turned knobs, live notes, another model, and a stream that joins and leaves; 24 ticks a beat.

    Rendering a take uses only the number of its recorded notes, so all of them are equal here.
    """
    bundles = {model["slug"]: {"slug": model["slug"], "hash": model["hash"]} for model in models}
    slugs = ("transformer-band", "musicvae-drums2", "ddsp-voices")
    players = [{"model": slug, "knobs": {"part": "keys"} if "voices" in slug else {}} for slug in slugs]
    knobs = {"tempo": 100, "key": "G", "scale": "major", "seed": 5, "level": 0, "metre": "4/4"}
    patch = {"version": 1, "name": "compared", "knobs": knobs, "players": players}
    live = [[300, 0, 67, 24, 90, 0], [312, 2, 71, 12, 70, 0], [324, -1, 74, 24, 100, 0]]
    lines: list[object] = [
        {"type": "take", "version": 1, "bundles": [bundles[slug] for slug in slugs], "patch": patch},
        {"type": "turn", "tick": 96, "knob": "tempo", "value": 112},
        {"type": "input", "player": 0, "count": 12, "floor": 144, "knobs": {"temperature": 1.2, "key": "D"}},
        {"type": "input", "player": 1, "count": 16, "floor": 144, "knobs": {"x": 0.8, "density": 0.9}},
        {"type": "joined", "player": 3, "tick": 192, "bundle": bundles["genre-stream"]},
        {"type": "turn", "tick": 240, "knob": "2/morph", "value": 0.9},
        {"type": "input", "player": 0, "count": 24, "floor": 336, "live": live},
        {"type": "released", "player": 0, "tick": 300, "pitch": 67, "part": 0, "duration": 40},
        {"type": "turn", "tick": 384, "knob": "-1/level", "value": -6},
        {"type": "input", "player": 0, "count": 36, "floor": 480, "bundle": bundles["lstm-band"]},
        {"type": "left", "player": 3, "tick": 600},
        {"type": "stopped", "tick": 768},
    ]
    lines += [[player, 0, 0, 60, 1, 64, 0] for player in (0, 1) for _ in range(90)]
    return "".join(json.dumps(line) + "\n" for line in lines)


def kept_results(keep: Path, before: Checkout, seconds: float) -> Path:
    """The folder of kept results: one for each commit, options and version of this script. Raises Failed."""
    git = ["git", "-C", str(before.folder), "describe", "--always", "--dirty", "--abbrev=40"]
    commit = subprocess.run(git, capture_output=True, text=True, timeout=60).stdout.strip()
    if not commit or commit.endswith("-dirty"):
        raise Failed(f"--keep needs a commit, but {before.folder} has none or has changes: leave out --keep")
    key = f"{commit} {before} {seconds:g}".encode() + Path(__file__).read_bytes()
    return keep.absolute() / hashlib.sha256(key).hexdigest()[:16]


def compare(before: Checkout, after: Checkout, old: Path, new: Path, seconds: float, jobs: int) -> list[str]:
    """Make all results in the folders `old` and `new` and print a line for each. Returns the names that differ."""
    models = json.loads(before.models(new))
    take = old / "compared.take.json"
    take.write_text(written_take(models), encoding="utf-8")
    work: dict[str, Arguments] = {MODELS: ()}
    for name, arguments in renderings(before.folder, models, take).items():
        work |= {name + suffix: (*arguments, "--seconds", f"{seconds:g}") for suffix in (".mid", ".wav")}
    pool = ThreadPoolExecutor(jobs)
    made = [
        (name, pool.submit(before.make, name, arguments, old), pool.submit(after.make, name, arguments, new))
        for name, arguments in work.items()
    ]
    found = []
    try:
        for name, *pair in made:
            try:
                for each in pair:
                    each.result()
                why = difference(old / name, new / name)
            except (Failed, OSError, subprocess.TimeoutExpired) as error:
                why = str(error)
            found += [name] if why else []
            print(f"{name}: {f'DIFFERENT: {why}' if why else 'same'}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, metavar="BEFORE_DIR", help="a checkout")
    parser.add_argument("after", type=Path, metavar="AFTER_DIR", help="the checkout to compare with it")
    parser.add_argument("--python", type=Path, default=sys.executable, help="has Hocket's packages")
    parser.add_argument("--seconds", type=float, default=20, help="length of each rendering (20)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the results of BEFORE_DIR")
    given = parser.parse_args(arguments)
    python = given.python.absolute()
    before, after = (Checkout(folder.resolve(), python) for folder in (given.before, given.after))
    began = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="hocket-compare-"))
    found: list[str] = []
    try:
        old = kept_results(given.keep, before, given.seconds) if given.keep else work / "before"
        new = work / "after"
        for folder in (old, new):
            folder.mkdir(parents=True, exist_ok=True)
        found = compare(before, after, old, new, given.seconds, given.jobs)
    except (Failed, OSError) as error:
        sys.exit(f"compare_versions: {error}")
    finally:
        if not found:
            shutil.rmtree(work)
    print(f"{len(found)} differ; see {old} and {new}" if found else "all are the same", end=", ")
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
