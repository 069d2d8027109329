"""What trials observed, and the page `docs/reliability.md` that is written from it."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from instrument import __version__

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "artifacts" / "reliability"  # a file for each row; rows of earlier runs stay
PAGE = ROOT / "docs" / "reliability.md"
INTRODUCTION = f"""# Reliability

Written by `make trials`, which does to a running Hocket what must not end an evening, and prints what came of it here.
Version {__version__}; {{machine}}. Each row is of the last run of its trial; *load* is what else the machine did.
Starved blocks are those that the audio device needed and did not get. The control is a process that only feeds silence
to a device of the same server at the same time: what it misses, the machine took.
"""
SECTIONS = {
    "daw": (
        "With a DAW",
        "Ardour, without its window, gives the tempo and records Hocket's notes and sound over JACK (dummy driver,"
        " periods of 512 samples, 10.7 ms). The tempo changes from 120 to 96 beats a minute after 24 beats. *Median*:"
        " how much later a note lies in Ardour than in Hocket's score. *Control*: the same of a process that strikes a"
        " key at each beat of JACK's transport; whole periods by which both differ are Ardour's. *After the change of"
        " tempo*: how much the median differs from then on.",
    ),
    "clock": (
        "A DAW behind Hocket's MIDI clock",
        "Ardour follows the clock and records the notes, with start and stop. The clock has 132 beats a minute, and 112"
        " from beat 20 on. *Tempos seen*: from how the notes lie in Ardour. The medians are taken 5 beats after the"
        " start and the change; until then it finds the tempo.",
    ),
    "faults": (
        "Faults",
        "While a patch plays on a JACK server with the dummy driver, the named thing happens once. *Well again*: from"
        " then (where something returns, from its return) until notes come from the MIDI port and every device works."
        " *Stuck*: notes that were never released.",
    ),
    "soak": (
        "Soak",
        "Random commands with random and impossible values, one after the other, to an engine with shipped models.",
    ),
    "touch": (
        "Touched at random",
        "Ten minutes of a factory patch in virtual time, with a random touch every few beats: any knob at any value,"
        " buttons, chords led, typed and written, keys. *Longest silence* leaves out what was asked for: all players"
        " muted, an intro, a break. *Dead*: players that do not play within four bars once every knob is back."
        " *Rendered otherwise*: players whose notes differ when the take is rendered.",
    ),
    "random commands": (
        "Random commands in virtual time",
        "A person plays keys and a left hand, turns knobs, presses buttons, types chords, remakes bars and loads models"
        " at random, with a band of three. Every 500 commands all is set back, and every player has to play; nothing"
        " may sound on at an end, and each take has to render as it was heard.",
    ),
    "mutation": (
        "Damaged input",
        "Files and messages damaged at random, with knowledge of their structure, each read and played. *Found*: cases"
        " that raised anything but one clear line, took over 5 s or 1 GB, or opened a file outside.",
    ),
    "large": (
        "Large collections",
        "Small MIDI files of random notes are read into shards to train on. *Memory*: the most that all processes held"
        " together.",
    ),
}


@dataclass(frozen=True)
class Row:
    """A row of a section; columns by heading, in order. load: average of the machine when it was observed."""

    section: str
    name: str
    columns: dict[str, str]
    load: str = "–"


def record(row: Row) -> None:
    """Keep a row for the page."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{row.section}-{''.join(c if c.isalnum() else '-' for c in row.name)}.json"
    path.write_text(json.dumps(asdict(row)))


def write_page() -> None:
    """Write the page from all rows."""
    rows = [Row(**json.loads(path.read_text())) for path in sorted(RESULTS.glob("*.json"))]
    text = INTRODUCTION.format(machine=_machine())
    for section, (title, explanation) in SECTIONS.items():
        if found := [row for row in rows if row.section == section]:
            headings = ["", *found[0].columns, "load"]
            lines = [headings, ["---"] * len(headings)]
            lines += [[row.name, *row.columns.values(), row.load] for row in found]
            text += f"\n## {title}\n\n{explanation}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)
    PAGE.write_text(text)


def _machine() -> str:
    return f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def load() -> str:
    """The average of the processes that wanted to run in the last five minutes, where the system tells."""
    return f"{os.getloadavg()[1]:.0f}" if hasattr(os, "getloadavg") else "–"
