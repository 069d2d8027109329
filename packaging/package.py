"""Builds the program to install: one folder by PyInstaller, and a .deb of it; tests both and prints their sizes.

    python packaging/package.py [--python PYTHON]    on Linux: the folder, the .deb, and their tests
    python packaging/package.py --folder-only        the folder alone, also on macOS and Windows

PyInstaller runs in an environment of its own under build/package/, which has what pyproject.toml asks for to play.
--python names a Python to use instead, which has Hocket's packages and PyInstaller.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "package"
DEBIAN = ROOT / "packaging" / "debian"
sys.path.insert(0, str(ROOT))

from instrument import __version__, system  # noqa: E402  (as in install.py)

GOAL = 350_000_000  # bytes of the program's folder
ICON_SIDES = (16, 24, 32, 48, 64, 128, 256, 512)
ALSO_NEEDED = ("libstdc++6", "libasound2")  # besides libc6 and system.LIBRARIES, by the libraries that come along
COMPRESSION = ("-Zzstd", "-z9")  # seconds, where xz takes a minute for a file 6 % smaller
TESTS = "tests/packaging/test_frozen.py"
ICONS = """
import sys
from PySide6.QtGui import QGuiApplication
from instrument.ui.icons import logo
app = QGuiApplication(["-platform", "offscreen"])
for side in sys.argv[2:]:
    assert logo(int(side)).save(f"{sys.argv[1]}/{side}.png")
for kind in ("ico", "icns"):
    logo(256).save(f"{sys.argv[1]}/hocket.{kind}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="", help="a Python with Hocket's packages and PyInstaller")
    parser.add_argument("--folder-only", action="store_true", help="no .deb and no tests")
    options = parser.parse_args()
    began = time.monotonic()
    BUILD.mkdir(parents=True, exist_ok=True)
    python = options.python or make_environment()
    icons = draw_icons(python)
    folder = freeze(python, icons)
    size = bytes_of(folder)
    say(f"{folder.relative_to(ROOT)}: {megabytes(size)} unpacked (goal: less than {megabytes(GOAL)})")
    if size >= GOAL:
        fail("the folder is too large: see what is in it, and add to UNUSED in packaging/frozen/contents.py")
    if options.folder_only:
        return
    test(folder / "hocket", "the folder")
    tree = lay_out(folder, icons)
    package = pack(tree)
    say(f"{package.relative_to(ROOT)}: {megabytes(package.stat().st_size)}, {megabytes(bytes_of(tree))} installed")
    try_out(package)
    say(f"done in {time.monotonic() - began:.0f} s")


def make_environment() -> str:
    """The Python of the environment for the build, made or brought up to date."""
    folder = BUILD / "environment"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        say("making an environment for the build")
        run([sys.executable, "-m", "venv", str(folder)])
    run([str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", f"{ROOT}[package]"])
    return str(python)


def draw_icons(python: str) -> Path:
    """The folder with the icons: SIDE.png, hocket.ico, hocket.icns."""
    folder = BUILD / "icons"
    folder.mkdir(exist_ok=True)
    run([python, "-c", ICONS, str(folder), *map(str, ICON_SIDES)], QT_QPA_PLATFORM="offscreen", PYTHONPATH=str(ROOT))
    return folder


def freeze(python: str, icons: Path) -> Path:
    """Run PyInstaller. Returns the program's folder."""
    say("freezing the program")
    kind = {"darwin": "icns", "win32": "ico"}.get(sys.platform)
    run(
        [
            *(python, "-m", "PyInstaller", "--noconfirm"),
            *("--log-level", "ERROR"),  # its warnings are about libraries of CUDA and GTK, which are left out
            *("--distpath", str(BUILD / "dist"), "--workpath", str(BUILD / "work")),
            str(ROOT / "packaging" / "frozen" / "hocket.spec"),
        ],
        PYTHONPATH=str(ROOT),  # before an installed Hocket
        HOCKET_ICON=str(icons / f"hocket.{kind}") if kind else "",
    )
    return BUILD / "dist" / "hocket"


def lay_out(folder: Path, icons: Path) -> Path:
    """Lay the files of the .deb out as they will be installed. Returns the folder that stands for /."""
    tree = BUILD / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(folder, tree / "usr/lib/hocket", symlinks=True)
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin/hocket").symlink_to("../lib/hocket/hocket")
    for name, place in (
        ("hocket.desktop", "usr/share/applications"),
        ("hocket.xml", "usr/share/mime/packages"),
        ("hocket.service", "usr/lib/systemd/user"),
        ("copyright", "usr/share/doc/hocket"),
    ):
        copy(DEBIAN / name, tree / place / name)
    for side in ICON_SIDES:
        copy(icons / f"{side}.png", tree / f"usr/share/icons/hicolor/{side}x{side}/apps/hocket.png")
    manual = tree / "usr/share/man/man1/hocket.1.gz"
    manual.parent.mkdir(parents=True)
    manual.write_bytes(compressed(DEBIAN / "hocket.1"))
    changes = tree / "usr/share/doc/hocket/changelog.gz"
    changes.write_bytes(compressed(ROOT / "CHANGELOG.md"))
    control = tree / "DEBIAN" / "control"
    control.parent.mkdir()
    control.write_text(control_text(bytes_of(tree)), encoding="utf-8")
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return tree


def control_text(installed: int) -> str:
    """The control file of the .deb. installed: bytes on disk."""
    architecture = output(["dpkg", "--print-architecture"])
    libc = f"libc6 (>= {platform.libc_ver()[1]})"  # that of this machine, against which nothing older can run it
    needed = {library.package: "" for library in system.LIBRARIES}  # each once, in the order of the table
    return "\n".join([
        "Package: hocket",
        f"Version: {__version__}",
        f"Architecture: {architecture}",
        "Maintainer: The Hocket authors <hocket@localhost>",
        f"Installed-Size: {installed // 1024}",
        f"Depends: {', '.join([libc, *ALSO_NEEDED, *needed])}",
        "Section: sound",
        "Priority: optional",
        "Description: real-time instrument whose players are neural networks",
        " Hocket plays music live: its players are neural networks that send MIDI, play the",
        " built-in voices, or make sound themselves. It plays on JACK, PipeWire and ALSA.",
        "",
    ])  # fmt: skip


def pack(tree: Path) -> Path:
    """Make the .deb of the tree."""
    say("packing the .deb")
    package = BUILD / f"hocket_{__version__}_{output(['dpkg', '--print-architecture'])}.deb"
    run(["dpkg-deb", "--build", "--root-owner-group", *COMPRESSION, str(tree), str(package)])
    return package


def try_out(package: Path) -> None:
    """Install the .deb into a folder that stands for /, test its program there, and remove it. dpkg does so only for
    root; for others the .deb is unpacked."""
    place = BUILD / "root"
    shutil.rmtree(place, ignore_errors=True)
    program = place / "usr" / "bin" / "hocket"
    if os.geteuid():
        run(["dpkg-deb", "--extract", str(package), str(place)])
        test(program, "the program out of the .deb")
        return
    (place / "var" / "lib" / "dpkg").mkdir(parents=True)
    (place / "var" / "lib" / "dpkg" / "status").touch()
    dpkg = ["dpkg", f"--root={place}", f"--log={BUILD / 'dpkg.log'}"]
    quick = ["--force-depends", "--force-unsafe-io"]  # no other package is there
    run([*dpkg, *quick, "--install", str(package)], quiet=True)
    test(program, "the installed program")
    run([*dpkg, "--purge", "hocket"], quiet=True)
    if (place / "usr").exists():
        fail(f"after the removal of the .deb there still is {next((place / 'usr').rglob('*'))}")
    say("removing the .deb leaves nothing")


def test(program: Path, what: str) -> None:
    """Run the tests of a frozen program."""
    say(f"testing {what}")
    run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS], HOCKET_FROZEN=str(program))


# --- Files and commands ---


def compressed(path: Path) -> bytes:
    """A file as gzip -9n writes it."""
    return subprocess.run(["gzip", "-9nc", str(path)], stdout=subprocess.PIPE, check=True).stdout


def copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)


def bytes_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def output(command: list[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode().strip()


def run(command: list[str], quiet: bool = False, **environment: str) -> None:
    out = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if quiet else {}
    if subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, **out).returncode:
        fail(f"this command failed: {' '.join(command[:6])} ...")


def say(message: str) -> None:
    print(f"hocket: {message}", flush=True)


def fail(message: str) -> NoReturn:
    sys.exit(f"hocket: {message}")


if __name__ == "__main__":
    main()
