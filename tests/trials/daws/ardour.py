"""Ardour in a process of its own, without a window, driven by `ardour.lua`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

PROGRAM = "ardour7-lua"
TICKS = 1920  # of Ardour, in a beat
SCRIPT = Path(__file__).with_name("ardour.lua")
LIBRARY = ("lua/", "[INFO]", "[WARNING]", "[ERROR]")  # how lines begin that its library prints
# Whose time it keeps. Written before the first start, so that it has no questions.
CONFIGURATION = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config/>
  <TransportMasters current="{leader}">
    <TransportMaster type="Engine" name="JACK" removeable="0"/>
    <TransportMaster type="MIDIClock" name="MIDI Clock" removeable="0"/>
    <TransportMaster type="MTC" name="MTC" removeable="0"/>
  </TransportMasters>
</Ardour>
"""


class Recorded(NamedTuple):
    """A note of a track. begins, length: in beats of the session."""

    begins: float
    pitch: int
    velocity: int
    length: float


class Ardour:
    """A session with a tempo, and another one from a beat on. leader: whose time it keeps. JACK's transport has its
    tempo from the session; a "MIDI Clock" makes the session faster or slower.

    later: (beat, bpm). With one tempo Ardour 7.3 would take that of the clock, and get it wrong.
    """

    def __init__(self, folder: Path, bpm: float, later: tuple[float, float], leader: str = "JACK") -> None:
        if not shutil.which(PROGRAM):
            pytest.skip(f"{PROGRAM} is not installed (Debian, Ubuntu: sudo apt install ardour)")
        configuration = folder / "config" / "ardour7" / "config"
        configuration.parent.mkdir(parents=True)
        configuration.write_text(CONFIGURATION.format(leader=leader))
        self._session = folder / "session"
        self._log = (folder / "ardour.log").open("w")
        self._process = subprocess.Popen(
            [PROGRAM, str(SCRIPT), str(self._session), leader, *map(str, (bpm, *later))],
            env={**os.environ, "XDG_CONFIG_HOME": str(folder / "config")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._lines("ready")

    def ask(self, *words: object) -> list[str]:
        """Have a command done. Returns the lines of its answer."""
        assert self._process.stdin
        self._process.stdin.write("|".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return self._lines("done")

    def joined(self) -> bool:
        """Whether it is a client of JACK: a server puts out who does not answer it in time, as it opens its session."""
        return self.ask("joined") == ["true"]

    def where(self) -> tuple[int, bool, bool]:
        """The sample at which its transport is, whether it rolls, whether it records."""
        sample, *states = self.ask("where")[0].split()
        rolls, records = (state == "true" for state in states)
        return int(sample), rolls, records

    def notes(self, track: str = "notes") -> list[Recorded]:
        """What it recorded, in order."""
        rows = [tuple(map(int, line.split())) for line in self.ask("notes", track)]
        return sorted(Recorded(row[0] / TICKS, row[1], row[2], row[3] / TICKS) for row in rows)

    def sounds(self) -> list[tuple[int, int]]:
        """(first sample, samples) of the regions of sound that it recorded."""
        return [(int(first), int(length)) for first, length in map(str.split, self.ask("sound"))]

    def files(self) -> list[Path]:
        """The files of the sound, one a channel."""
        return sorted(self._session.rglob("audiofiles/*.wav"))

    def close(self) -> None:
        """End it."""
        try:
            self._process.communicate("quit\n", 30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._log.close()

    def _lines(self, end: str) -> list[str]:
        assert self._process.stdout
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith("failed"):
                pytest.fail(f"Ardour: {line}")
            if line.strip() == end:
                return lines
            if line.startswith(LIBRARY):
                self._log.write(line)
            else:
                lines.append(line.strip())
        return pytest.fail(f"Ardour has ended: see {self._log.name}")
