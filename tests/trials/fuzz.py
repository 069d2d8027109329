"""Feeds damaged files to Hocket: `python -m tests.trials.fuzz KIND --count 5000 --seed 1 --found FOLDER`.

Each case is read and used as the instrument would use it, in this process, which ends itself where one takes too long
or too much memory. What is printed last is a line of JSON. A case that raised anything but a `HocketError` of one line,
or opened a file that it must not, is kept in FOLDER with its traceback.
"""

from __future__ import annotations

import argparse
import dataclasses
import faulthandler
import hashlib
import json
import os
import random
import resource
import shutil
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from instrument.engine.offline.bounce import bounce
from instrument.engine.offline.recorded import SilentStream
from instrument.engine.offline.render import Options, render
from instrument.engine.performance.patches import Patch, PlayerPatch, load_patch, save_patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.roster import Opened
from instrument.engine.performance.takes import TakeRecorder
from instrument.errors import LONGEST, HocketError
from instrument.models.families import FAMILIES
from instrument.models.manifest import read_manifest
from instrument.models.notes.player import Ask
from instrument.music.notes import Note
from tests.support.live import perform, random_actions
from tests.support.midifuzz import CASES, REAL, check_agreement, mutant
from tests.support.players import ScaleBundle, ScalePlayer
from tests.trials.mutate import json_mutant, lines_mutant

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "tests" / "fixtures" / "v0_1"
CORPUS = ROOT / "tests" / "fixtures" / "fuzz"
LONGEST_S = 5.0
MOST_BYTES = 1 << 30
RENDERED_S = 1.0

Use = Callable[[Path], None]
Mutate = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of file. originals: to damage, perhaps made in a folder; name: of the file; use: reads and plays it."""

    originals: Callable[[Path], Sequence[Path]]
    name: str
    mutate: Mutate
    use: Use


@dataclass
class Tally:
    """What became of the cases."""

    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    found: list[str] = field(default_factory=list)


SHIPPED = {
    folder.parent.name: read_manifest(folder.parent) for folder in (ROOT / "models_onnx").glob("*/manifest.json")
}


class AnyPlayer(ScalePlayer):
    """Knows every genre."""

    def propose(self, ask: Ask) -> Note:
        return super().propose(dataclasses.replace(ask, knobs={**ask.knobs, "genre": "none"}))


def open_any(slug: str) -> Opened:
    """A small player, with the knobs of the shipped model of that slug: what is tested is the file that names it."""
    if manifest := SHIPPED.get(slug):
        if FAMILIES[manifest.family].player_kind != "notes":
            return manifest, SilentStream()
        return ScaleBundle(
            slug, manifest.bundle_hash, manifest.legacy_hash, manifest.knobs, manifest.parts
        ), AnyPlayer()
    return ScaleBundle(slug), AnyPlayer()


def use_midi(path: Path) -> None:
    """Both readers agree on it."""
    verdict = check_agreement(path.read_bytes())
    if isinstance(verdict, str):
        raise HocketError(verdict)


def use_patch(path: Path) -> None:
    """It is loaded, played, saved and loaded again."""
    patch = load_patch(str(path))
    bounce(render(Options(patch=str(path), seconds=RENDERED_S), open_any), path.with_name("out.mid"))
    again = path.with_name("again.json")
    saved = save_patch(patch, str(again))
    assert load_patch(str(again)) == saved


def use_take(path: Path) -> None:
    """It is replayed and written."""
    bounce(render(Options(take=str(path)), open_any), path.with_name("out.mid"))


def takes(home: Path) -> list[Path]:
    """Those of version 0.1, and new ones with all kinds of inputs, whose player is here."""
    made = []
    for seed in range(4):
        performance = Performance(Patch(players=(PlayerPatch("scale"),) * (1 + seed % 2)), open_any)
        perform(performance, random_actions(seed, 60, turns=0.2, live=0.2))
        made.append(home / f"{seed}.take.json")
        TakeRecorder(made[-1], performance.take).close()
    return [*sorted((OLD / "takes").glob("*.take.json")), *made]


def use_manifest(path: Path) -> None:
    """Its bundle is checked and loaded as in the probe."""
    from instrument.models.bundle import open_bundle

    open_bundle(path.parent, trusted=True)


def manifests(_: Path) -> list[Path]:
    """One of each family."""
    return sorted((OLD / "models").glob("*/manifest.json"))


KINDS = {
    "midi": Kind(lambda _: [*CASES, *REAL], "case.mid", mutant, use_midi),
    "patches": Kind(
        lambda _: [*(ROOT / "assets" / "patches").glob("*.json"), *(OLD / "patches").glob("*.json")],
        "case.json", json_mutant, use_patch,
    ),
    "takes": Kind(takes, "case.take.json", lines_mutant, use_take),
    "manifests": Kind(manifests, "manifest.json", json_mutant, use_manifest),
}  # fmt: skip


def watch_files(allowed: Sequence[Path], outside: list[str]) -> None:
    """From now on, note every file that is opened outside of `allowed`."""
    roots = tuple(f"{folder.resolve()}{os.sep}" for folder in allowed)

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if not path.startswith(roots):
                outside.append(path)

    sys.addaudithook(look)


def play_case(kind: Kind, path: Path, tally: Tally, outside: list[str]) -> str:
    """Use one file. Returns the traceback of what should not have been raised, else an empty text."""
    started = time.monotonic()
    faulthandler.dump_traceback_later(LONGEST_S, exit=True)
    outside.clear()
    try:
        kind.use(path)
        tally.read += 1
    except HocketError as error:
        tally.refused += 1
        if "\n" in str(error) or len(str(error)) > LONGEST:
            return f"not one line: {str(error)[:LONGEST]}"
    except Exception:  # noqa: BLE001  that is what is looked for
        return traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
        tally.slowest_s = max(tally.slowest_s, time.monotonic() - started)
    return f"opened {', '.join(outside)}" if outside else ""


def fuzz(name: str, count: int, seed: int, start: int, found: Path, home: Path) -> Tally:
    """Use `count` damaged files, from number `start` on; the file in use is `current` in `home`."""
    kind, tally = KINDS[name], Tally()
    originals = list(kind.originals(home))
    allowed = [ROOT, home, Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_paths()["stdlib"]), found]
    for original in originals:  # loads what is loaded once, from wherever that is
        with suppress(HocketError):
            kind.use(placed(kind, original, original.read_bytes(), home))
    outside: list[str] = []
    watch_files(allowed, outside)
    for number in range(start, start + count):
        rng = random.Random(f"{name} {seed} {number}")
        original = rng.choice(originals)
        data = kind.mutate(original.read_bytes(), rng)
        path = placed(kind, original, data, home)
        (home / "current").write_text(str(number))
        problem = play_case(kind, path, tally, outside)
        if problem:
            keep(name, data, problem, found)
            tally.found.append(problem.strip().splitlines()[-1][:200])
    return tally


def placed(kind: Kind, original: Path, data: bytes, home: Path) -> Path:
    """A case as a file, in a folder of its own; beside a manifest are the other files of its bundle."""
    folder = home / "case"
    shutil.rmtree(folder, ignore_errors=True)
    if original.name == "manifest.json":
        shutil.copytree(original.parent, folder)
    else:
        folder.mkdir()
    path = folder / kind.name
    path.write_bytes(data)
    return path


def keep(name: str, data: bytes, problem: str, found: Path) -> None:
    """Keep a case and what went wrong."""
    stem = f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    (found / stem).write_bytes(data)
    (found / f"{stem}.txt").write_text(problem)


def arguments(description: str | None, count: int) -> argparse.ArgumentParser:
    """The options that all fuzzing has. count: of cases, by default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--found", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    return parser


def peak_bytes() -> int:
    """The most memory that this program ever held. `ru_maxrss` would be that of the process it was started by, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def main() -> None:
    """As the module says."""
    parser = arguments(__doc__, 100)
    parser.add_argument("kind", choices=KINDS)
    options = parser.parse_args()
    options.found.mkdir(parents=True, exist_ok=True)
    if options.kind in ("midi", "patches", "takes"):  # onnxruntime alone reserves more addresses
        resource.setrlimit(resource.RLIMIT_AS, (3 * MOST_BYTES, 3 * MOST_BYTES))
    tally = fuzz(options.kind, options.count, options.seed, options.start, options.found, options.home)
    print(json.dumps({**vars(tally), "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
