"""What a screen reader reads: the accessibility tree of a program, over a private D-Bus."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

ROOT = "/org/a11y/atspi/accessible/root"
INTERFACE = "org.a11y.atspi.Accessible"
CALL_S = 20
PARTS_OF_ONE = ("combo box", "spin box")  # what is in them belongs to their control


class Spoken(NamedTuple):
    """A thing with its role, name and path."""

    role: str
    name: str
    path: str


class ScreenReader:
    """A D-Bus of its own. Programs with `environment` put their accessibility tree on it."""

    def __init__(self) -> None:
        self._bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout is not None
        self._address = self._bus.stdout.readline().strip()

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a program that is to be read."""
        return {"AT_SPI_BUS_ADDRESS": self._address, "QT_LINUX_ACCESSIBILITY_ALWAYS_ON": "1"}

    def read(self) -> Iterator[Spoken]:
        """All that the first program on the bus shows, from its root down."""
        yield from self._below(ROOT)

    def description(self, path: str) -> str:
        """The description of the thing at a path."""
        return self._property(path, "Description")

    def close(self) -> None:
        """End the bus."""
        self._bus.terminate()
        self._bus.communicate(timeout=CALL_S)

    def _below(self, path: str) -> Iterator[Spoken]:
        role = re.findall(r'string "(.*)"', self._call(path, f"{INTERFACE}.GetRoleName"))[0]
        yield Spoken(role, self._property(path, "Name"), path)
        if role not in PARTS_OF_ONE:
            for child in re.findall(r'object path "(.*?)"', self._call(path, f"{INTERFACE}.GetChildren")):
                yield from self._below(child)

    def _property(self, path: str, name: str) -> str:
        said = self._call(path, "org.freedesktop.DBus.Properties.Get", f"string:{INTERFACE}", f"string:{name}")
        return re.findall(r'string "(.*)"\n', said, re.DOTALL)[0]

    def _call(self, path: str, member: str, *arguments: str) -> str:
        """The printed answer of a method of the first program on the bus."""
        command = ["dbus-send", f"--bus={self._address}", "--print-reply", "--dest=:1.0", path, member, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CALL_S)
        assert done.returncode == 0, done.stderr
        return done.stdout
