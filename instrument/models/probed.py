"""Bundles that did not come with Hocket: each is played once in a child process, with limits on time and memory
(`models.probe`), before it is opened here. What is remembered is keyed by every byte of its folder and by the versions
of onnxruntime and Hocket."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from instrument import __version__
from instrument.errors import HocketError
from instrument.paths import state_dir
from instrument.processes import command

SECONDS = 60.0
MAX_FOLDER = 1 << 30  # bytes of a bundle
MAX_REMEMBERED = 1000


def admit(folder: Path) -> None:
    """HocketError unless the bundle in `folder` has been played in a child, now or before."""
    key, known = fingerprint(folder), _read("probed")
    if key in known:
        return
    try:
        done = subprocess.run(
            command("bundle-probe", str(folder.resolve())),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise HocketError(
            f"the bundle in {folder} played for over {SECONDS:g} s without an end: it is refused"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"playing it ended with status {done.returncode}"])[-1]
        raise HocketError(f"the bundle in {folder} is refused: {reason}")
    _write("probed", known | {key: ""})


def fingerprint(folder: Path) -> str:
    """SHA-256 (hex) of the names and bytes of all files in a folder, and of the versions that play them. HocketError
    where it cannot be read or is too large."""
    found = hashlib.sha256(f"{__version__} {_onnxruntime()}\n".encode())
    left = MAX_FOLDER
    try:
        for path in sorted(folder.iterdir()):
            if not path.is_file():
                continue
            left -= path.stat().st_size
            if left < 0:
                raise HocketError(f"the bundle in {folder} has over {MAX_FOLDER >> 20} MiB: it is refused")
            with path.open("rb") as file:
                found.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    except OSError as error:
        raise HocketError(f"the bundle in {folder} cannot be read ({error.strerror}): install it again") from error
    return found.hexdigest()


def _onnxruntime() -> str:
    """The version of onnxruntime. Its two distributions are one package."""
    for name in ("onnxruntime", "onnxruntime-gpu"):
        with suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return ""


def compared(folders: Sequence[Path]) -> dict[Path, str]:
    """What is wrong with the values that the bundles in these folders compute here, in one line each; empty where they
    are the golden ones. It is found in a child, and remembered, but for a comparison that did not end."""
    known = _read("golden")
    keys = {folder: fingerprint(folder) for folder in folders}
    new = [folder for folder in folders if keys[folder] not in known]
    if new:
        found = _compare(new)
        known |= {keys[folder]: found[str(folder)] for folder in new if str(folder) in found}
        _write("golden", known)
    missing = "its golden values were not compared within {:g} s: run hocket doctor when the computer is less busy"
    return {folder: known.get(key, f"{folder.name}: {missing.format(SECONDS)}") for folder, key in keys.items()}


def _compare(folders: Sequence[Path]) -> dict[str, str]:
    """The answer of the child; empty if there is none."""
    with suppress(subprocess.TimeoutExpired, OSError, ValueError, IndexError):
        done = subprocess.run(
            command("bundle-golden", *map(str, folders)),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
        return {str(folder): str(problem) for folder, problem in json.loads(done.stdout.splitlines()[-1]).items()}
    return {}


def _read(name: str) -> dict[str, str]:
    """What is remembered: by the fingerprint of a bundle, what is wrong with it."""
    try:
        return {str(key): str(problem) for key, problem in json.loads(_file(name).read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(name: str, table: dict[str, str]) -> None:
    temporary = _file(name).with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # else it is done again next time
        temporary.write_text(json.dumps(dict(list(table.items())[-MAX_REMEMBERED:])), "utf-8")
        os.replace(temporary, _file(name))


def _file(name: str) -> Path:
    return state_dir() / f"{name}.json"
