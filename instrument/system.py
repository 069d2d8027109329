"""What Hocket needs from the operating system, and how to install it.

Standard library only: `packaging/install.py` reads these tables before anything is installed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from typing import NamedTuple

PYTHONS = ((3, 11), (3, 13))
"""The first and the last Python that Hocket runs on."""


class Library(NamedTuple):
    """A shared library: the name by which it is loaded, its Debian (and Ubuntu) package, and its use."""

    soname: str
    package: str
    use: str


class Program(NamedTuple):
    """A program the tests run, and the Debian (and Ubuntu) package that has it."""

    name: str
    package: str


LIBRARIES = (
    Library("libportaudio.so.2", "libportaudio2", "sound"),  # and with it ALSA, which MIDI needs too
    Library("libjack.so.0", "libjack-jackd2-0", "MIDI on JACK"),
    Library("libfluidsynth.so.3", "libfluidsynth3", "voices"),
    Library("libEGL.so.1", "libegl1", "window"),
    Library("libGL.so.1", "libgl1", "window"),
    Library("libglib-2.0.so.0", "libglib2.0-0", "window"),
    Library("libdbus-1.so.3", "libdbus-1-3", "window"),
    Library("libfontconfig.so.1", "libfontconfig1", "window"),
    Library("libfreetype.so.6", "libfreetype6", "window"),
    Library("libX11-xcb.so.1", "libx11-xcb1", "window"),
    Library("libxkbcommon.so.0", "libxkbcommon0", "window"),
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "window"),
    Library("libxcb-cursor.so.0", "libxcb-cursor0", "window"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4", "window"),
    Library("libxcb-image.so.0", "libxcb-image0", "window"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1", "window"),
    Library("libxcb-randr.so.0", "libxcb-randr0", "window"),
    Library("libxcb-render-util.so.0", "libxcb-render-util0", "window"),
    Library("libxcb-shape.so.0", "libxcb-shape0", "window"),
    Library("libxcb-xkb.so.1", "libxcb-xkb1", "window"),
)
"""On Linux. On macOS and Windows the Python packages include theirs, except FluidSynth."""

TEST_PROGRAMS = (
    Program("jackd", "jackd2"),
    Program("fluidsynth", "fluidsynth"),
    Program("Xvfb", "xvfb"),
    Program("openbox", "openbox"),
    Program("xdotool", "xdotool"),
    Program("dbus-daemon", "dbus-daemon"),
    Program("dbus-send", "dbus-bin"),
)


def missing_libraries() -> list[Library]:
    """Libraries that cannot be loaded here; none elsewhere than on Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [library for library in LIBRARIES if not _loads(library.soname)]


def missing_programs() -> list[Program]:
    """Programs of the tests that are not installed; none elsewhere than on Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [program for program in TEST_PROGRAMS if shutil.which(program.name) is None]


def install_line(packages: list[str]) -> str:
    """The command line that installs these Debian packages, or a sentence for other systems."""
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        return f"install with this system's package manager what Debian calls {names}"
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y {names}"


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True
