"""Prepares this checkout: system libraries (by apt), `.venv`, the Python packages.

`make play` and `make test` call it each time. If nothing is missing, it starts neither apt nor pip.

    python3 packaging/install.py play|test

It runs on any python3, also older ones, so it uses only the standard library and no recent syntax.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from instrument import system  # noqa: E402  (next to this folder, and not installed yet)

VENV = ROOT / ".venv"
STAMP = VENV / "hocket.json"
EXTRAS = {"play": [], "test": ["training", "dev"]}
TORCH_CPU = "https://download.pytorch.org/whl/cpu"
FIRST, LAST = system.PYTHONS

RTMIDI_WHEELS_END = (3, 12)
"""The last Python version with a wheel of python-rtmidi. For later ones pip compiles it."""

COMPILING = {
    "g++": "build-essential",
    "pkg-config": "pkg-config",
    "/usr/include/alsa/asoundlib.h": "libasound2-dev",
    "/usr/include/jack/jack.h": "libjack-jackd2-dev",
}
"""A program or file needed to compile python-rtmidi -> the Debian package that contains it."""


def main() -> None:
    if sys.argv[1:] not in (["play"], ["test"]):
        fail("needs one argument: python3 packaging/install.py play|test")
    target = sys.argv[1]
    extras = EXTRAS[target]
    packages = [library.package for library in system.missing_libraries()]
    if target == "test":
        packages += [program.package for program in system.missing_programs()]
    if stamped(extras):
        apt_install(packages)
        return
    python = usable_venv() or find_python()
    apt_install(packages + python_packages(python))
    make_venv(python)
    pip_install(extras)
    STAMP.write_text(json.dumps({"key": key(), "extras": extras}), encoding="utf-8")


def fail(message: str) -> NoReturn:
    sys.exit(f"hocket: {message}")


# --- Python ---


def find_python() -> str:
    """A Python of a supported version: the one running this, or one on the PATH."""
    names = [f"python3.{minor}" for minor in (12, 11, 13)]  # first those with wheels of all packages
    found = (shutil.which(name) for name in names)
    for python in (sys.executable, *filter(None, found)):
        if in_range(version(python)):
            return python
    fail(
        f"Python {dotted(FIRST)} to {dotted(LAST)} is needed, but this is {dotted(sys.version_info[:2])}"
        f" ({sys.executable}): install one and call make again, as make PYTHON=python{dotted(FIRST)} ..."
    )


def version(python: str) -> tuple[int, ...]:
    """(major, minor) of the interpreter, () if it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        return tuple(int(part) for part in output([python, "-c", code]).split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()


def in_range(found: tuple[int, ...]) -> bool:
    return FIRST <= found <= LAST


def dotted(numbers: Iterable[int]) -> str:
    return ".".join(str(number) for number in numbers)


def python_packages(python: str) -> list[str]:
    """Debian packages that this Python lacks to make a virtual environment and to compile packages without wheels."""
    if not sys.platform.startswith("linux"):
        return []
    name = f"python{dotted(version(python))}"
    packages = [] if succeeds([python, "-c", "import ensurepip, venv"]) else [f"{name}-venv"]
    if version(python) > RTMIDI_WHEELS_END:
        packages += [package for need, package in COMPILING.items() if not (shutil.which(need) or Path(need).exists())]
        headers = output([python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"]).strip()
        if not Path(headers, "Python.h").exists():
            packages.append(f"{name}-dev")
    return packages


# --- System packages ---


def apt_install(packages: list[str]) -> None:
    """Install Debian packages without output. Ends with a message if that is not possible."""
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        fail(f"missing system packages, by their Debian names: {names}; install them by this system's package manager")
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    if sudo and shutil.which("sudo") is None:
        fail(f"system packages are missing, and this user is not root and has no sudo; let root install {names}")
    say(f"installing system packages: {names}")
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    quietly([*apt, "update"])  # may fail for an unrelated package source; the next line shows whether it matters
    log = quietly([*apt, "install", "-y", "--no-install-recommends", *packages])
    if log is not None:
        fail(f"apt-get could not install {names}:\n{log}")


# --- The virtual environment ---


def venv_python() -> str:
    return str(VENV / "bin" / "python")


def key() -> str:
    """A hash of pyproject.toml and the folder: it changes when the environment has to be checked again."""
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()


def stamped(extras: list[str]) -> bool:
    """Whether the environment was made from this pyproject.toml, with at least these extras."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        done = stamp["key"] == key() and set(extras) <= set(stamp["extras"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return done and in_range(version(venv_python()))


def usable_venv() -> str | None:
    """The interpreter of the existing environment, or None if it has to be made again."""
    python = venv_python()
    works = in_range(version(python)) and succeeds([python, "-m", "pip", "--version"])
    return python if works else None


def make_venv(python: str) -> None:
    if python == venv_python():
        return
    say(f"making .venv with Python {dotted(version(python))}")
    log = quietly([python, "-m", "venv", "--clear", str(VENV)])
    if log is not None:
        fail(f"{python} could not make a virtual environment:\n{log}")


def pip_install(extras: list[str]) -> None:
    wanted = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    pip = [venv_python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if not sys.stdout.isatty():
        pip.append("-q")
    say("installing Python packages (only once; some hundred megabytes)")
    if "training" in extras:
        torch_for_cpu(pip)
    if subprocess.run([*pip, "-e", wanted]).returncode:
        fail("pip could not install the Python packages: its message is above")


def torch_for_cpu(pip: list[str]) -> None:
    """Install torch's CPU build if pip would install the one with CUDA (gigabytes), as it does on Linux from PyPI."""
    pin = re.search(r'"(torch==[^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        if not succeeds([*pip, "-q", "--dry-run", "--report", str(report), pin]):
            return
        coming = json.loads(report.read_text(encoding="utf-8"))["install"]
    if any(package["metadata"]["name"].startswith("nvidia") for package in coming):
        subprocess.run([*pip, "--index-url", TORCH_CPU, "--no-deps", "--retries", "1", pin])


# --- Commands ---


def say(message: str) -> None:
    print(f"hocket: {message}", flush=True)


def output(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True)
    return done.stdout.decode()


def succeeds(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def quietly(command: list[str]) -> str | None:
    """Run a command without output. Returns None if it succeeds, else the end of its output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return "\n".join(done.stdout.decode(errors="replace").splitlines()[-15:]) if done.returncode else None


if __name__ == "__main__":
    main()
