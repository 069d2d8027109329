"""The checks of `hocket doctor`: what the instrument needs, whether it is there, and the command that installs it.

Whatever could hang or crash (drivers, servers, Qt) runs in a child process with a timeout.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from instrument import fluidsynth_library, paths, system
from instrument.errors import HocketError
from instrument.io.jack_servers import has_pipewire_library, jackd_is_running, library_path, pipewire_is_running
from instrument.processes import command, frozen

TIMEOUT_S = 30.0  # a cold disk takes some seconds for the libraries, a busy machine many
"""A child process that runs longer than this many seconds is killed, and its check fails."""

PACKAGES = (
    "numpy", "msgspec", "mido", "sounddevice", "soundfile", "soxr", "rtmidi", "fluidsynth", "PySide6",
    "pyqtgraph", "typer", "rich", "onnxruntime", *(["jack"] if sys.platform.startswith("linux") else []),
)  # fmt: skip
"""The modules that the instrument imports."""

MEMORY_GIB = 2.0
CORES = 2
"""The least that a band needs. With less, Hocket plays fewer notes."""

LOG_LINES = 10
LOG_BYTES = 2**16
"""How much of the end of the engine's log is shown, and read at most."""

ONNXRUNTIMES = ("onnxruntime", "onnxruntime-gpu")
"""Two distributions of one package, of which only one may be installed. The second runs without a GPU too."""

REINSTALL = (
    "install the package again" if frozen() else "make play (in a checkout), or pip install --force-reinstall hocket"
)


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. detail: what was found; fix: the command or action that helps, "" if ok."""

    name: str
    ok: bool
    detail: str
    fix: str = ""


def checks() -> list[Check]:
    """Run all checks in parallel, within about `TIMEOUT_S`. Never raises."""
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        return list(pool.map(check, CHECKS))


def check(name: str) -> Check:
    """Run one check. name: a key of `CHECKS`. A check that raises becomes a failed one."""
    try:
        detail, fix = CHECKS[name]()
    except Exception as error:  # noqa: BLE001  (one broken check must not hide the others)
        detail, fix = f"{type(error).__name__}: {error}", REINSTALL
    return Check(name, not fix, detail, fix)


def run_child(probe: str) -> tuple[bool, str]:
    """Run a probe of `instrument.probes`. Returns whether it succeeded in time, and the last line of its output."""
    environment = {**os.environ, "JACK_NO_START_SERVER": "1", "PYTHONWARNINGS": "ignore", **library_path()}
    line = command("doctor-probe", probe)
    try:
        done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False, f"no answer within {TIMEOUT_S:g} s"
    output = (done.stderr if done.returncode else done.stdout).decode(errors="replace").strip()
    return done.returncode == 0, output.splitlines()[-1] if output else f"ended with status {done.returncode}"


def by_platform(linux: str, mac: str, windows: str) -> str:
    """The text for this platform."""
    return {"darwin": mac, "win32": windows}.get(sys.platform, linux)


# --- The checks: each returns what it found, and a remedy or "" ---


def _python() -> tuple[str, str]:
    first, last = system.PYTHONS
    found = ".".join(str(part) for part in sys.version_info[:3])
    wanted = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    if first <= sys.version_info[:2] <= last:
        return f"{found} ({sys.executable})", ""
    return f"{found}, but {wanted} is needed", f"install Python {wanted}, and Hocket with it"


def _packages() -> tuple[str, str]:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return f"missing: {', '.join(missing)}", REINSTALL
    return f"all {len(PACKAGES)} found", ""


def _onnxruntime() -> tuple[str, str]:
    installed = {name: found for name in ONNXRUNTIMES if (found := _version_of(name))}
    if len(installed) > 1:
        names = " and ".join(f"{name} {found}" for name, found in installed.items())
        pip = f"{sys.executable} -m pip"
        fix = f"{pip} uninstall --yes {' '.join(installed)}, then {pip} install {_needed_onnxruntime()}"
        return f"{names} are both installed and overwrite each other's files", fix
    ok, output = run_child("onnxruntime")
    return output, "" if ok else REINSTALL


def _version_of(distribution: str) -> str:
    """The installed version of a distribution, or ""."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _needed_onnxruntime() -> str:
    """The distribution that Hocket's dependencies in pyproject.toml name for this platform."""
    with_gpu = sys.platform != "darwin" and platform.machine() in ("x86_64", "AMD64")
    return "onnxruntime-gpu" if with_gpu else "onnxruntime"


def _libraries(use: str) -> tuple[str, str]:
    """Check the shared libraries for one use, a value of `system.Library.use`."""
    missing = [library for library in system.missing_libraries() if library.use == use]
    if missing:
        names = ", ".join(library.soname for library in missing)
        return f"missing: {names}", system.install_line([library.package for library in missing])
    return "found", ""


def _fluidsynth() -> tuple[str, str]:
    if sys.platform.startswith("linux"):
        detail, fix = _libraries("voices")
    else:
        found = fluidsynth_library.find()
        fix = by_platform("", "brew install fluid-synth", "put FluidSynth's bin folder (fluidsynth.org) on the PATH")
        detail, fix = (found, "") if found else ("missing", fix)
    return (f"{detail}; the plain voice is used instead", fix) if fix else (detail, "")


def _sound_font() -> tuple[str, str]:
    found = [path for path in paths.assets_dir().rglob("*.sf?") if path.suffix in {".sf2", ".sf3"}]
    if not found:
        return "none in assets/; the plain voice is used instead", REINSTALL
    return f"{found[0].name} ({found[0].stat().st_size / 2**20:.1f} MiB)", ""


def _audio() -> tuple[str, str]:
    ok, output = run_child("audio")
    if ok:
        return output, ""
    return f"{output}; Hocket plays in time, but without sound", by_platform(
        "connect a sound device; if one is connected, run `sudo usermod -aG audio $USER` and log in again",
        "choose an output in System Settings > Sound",
        "choose an output in Settings > System > Sound",
    )


def _midi() -> tuple[str, str]:
    if sys.platform == "darwin":
        return "CoreMIDI: a port named Hocket appears while playing", ""
    if sys.platform == "win32":
        ok, output = run_child("midi")
        return output, "" if ok else "install loopMIDI and add a port in it, then choose that port in Hocket"
    if os.access("/dev/snd/seq", os.R_OK | os.W_OK):
        return "ALSA: a port named Hocket appears while playing", ""
    if _jack_runs()[0]:
        return "JACK: a port named Hocket appears while playing", ""
    if pipewire_is_running() and not has_pipewire_library():
        return _NO_PIPEWIRE_LIBRARY, system.install_line(["pipewire-jack"])
    return (
        "neither ALSA's sequencer (/dev/snd/seq) nor a JACK server is available",
        "sudo modprobe snd-seq, or start JACK",
    )


_NO_PIPEWIRE_LIBRARY = (
    "PipeWire runs, but its JACK library is missing: sound takes a longer way, and MIDI misses its frames"
)


def _jack_runs() -> tuple[bool, str]:
    return run_child("jack")


def _jack() -> tuple[str, str]:
    if not sys.platform.startswith("linux"):
        return "not used here", ""
    detail, fix = _libraries("MIDI on JACK")
    if fix:
        return detail, fix
    running, output = _jack_runs()
    if running:
        return f"{'JACK' if jackd_is_running() else 'PipeWire'}: {output}", ""
    if pipewire_is_running() and not has_pipewire_library():
        return _NO_PIPEWIRE_LIBRARY, system.install_line(["pipewire-jack"])
    return "no server is running; none is needed", ""


def _window() -> tuple[str, str]:
    if sys.platform.startswith("linux"):
        detail, fix = _libraries("window")
        if fix:
            return detail, fix
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            return "no display (neither DISPLAY nor WAYLAND_DISPLAY is set)", "hocket play --headless"
    ok, output = run_child("window")
    return (output, "") if ok else (f"Qt cannot open one: {output}", "hocket play --headless")


def _models() -> tuple[str, str]:
    """Check files and graphs, and that their golden values are computed here."""
    # Imported here so that without a working onnxruntime only this check fails.
    from instrument.models.bundle import check_graphs
    from instrument.models.manifest import read_manifest
    from instrument.models.probed import compared

    folders = paths.models_dirs()
    whole: dict[str, Path] = {}
    broken: list[str] = []
    for candidate in (path.parent for folder in folders for path in sorted(folder.glob("*/manifest.json"))):
        try:
            manifest = read_manifest(candidate)
            check_graphs(candidate, manifest)
            whole[manifest.slug] = candidate
        except HocketError as error:
            broken.append(str(error))
    broken += filter(None, compared(list(whole.values())).values())
    if broken:
        return "; ".join(broken), "install these bundles again, or remove their folders"
    if not whole:
        return f"none in {' or '.join(map(str, folders))}", REINSTALL
    return ", ".join(whole), ""


def _folders() -> tuple[str, str]:
    try:
        folders = (paths.state_dir(), paths.patches_dir())
        for folder in folders:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"hocket")
    except (HocketError, OSError) as error:
        return str(error), "make that folder writable, or set HOCKET_HOME to one that is"
    return " and ".join(map(str, folders)), ""


def _engine_log() -> tuple[str, str]:
    """The last lines of the log, which every start of the engine overwrites."""
    try:
        path = paths.state_dir() / "engine.log"
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "none: the engine has not been started yet", ""
    except (HocketError, OSError) as error:
        return f"cannot be read: {error}", ""
    return "\n".join([f"the end of {path}:" if lines else f"{path} is empty", *lines[-LOG_LINES:]]), ""


def _machine() -> tuple[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        memory = None
    detail = f"{cores} cores" + (f", {memory:.1f} GiB of memory" if memory else "")
    enough = cores >= CORES and (memory is None or memory >= MEMORY_GIB)
    return detail, "" if enough else "close other programs, and choose the smallest model that `hocket models` lists"


CHECKS: dict[str, Callable[[], tuple[str, str]]] = {
    "python": _python,
    "packages": _packages,
    "onnxruntime": _onnxruntime,
    "models": _models,
    "sound library": lambda: _libraries("sound"),
    "audio device": _audio,
    "FluidSynth": _fluidsynth,
    "sound font": _sound_font,
    "virtual MIDI": _midi,
    "JACK": _jack,
    "window": _window,
    "folders": _folders,
    "machine": _machine,
    "engine log": _engine_log,
}
