"""The child processes of Hocket: one table of names and modules, and the command that starts each.

Every module of the table has a function `main(arguments: list[str]) -> int`, which gets the arguments after the name
and returns the exit status. An installed Hocket starts `python -m MODULE`; a frozen program has no `-m`, so it starts
itself with `--process NAME`, which `instrument.cli.main` hands to `run`.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

from instrument.errors import HocketError

FLAG = "--process"
PROCESSES = {
    "engine": "instrument.engine.process",
    "note-worker": "instrument.engine.note_worker.worker",
    "midi-file": "instrument.engine.midi_reading",
    "audio-device": "instrument.io.audio.device",
    "jack-midi": "instrument.io.midi.jack_child",
    "osc": "instrument.osc.bridge",
    "bundle-probe": "instrument.models.probe",
    "bundle-golden": "instrument.models.golden",
    "bench-window": "instrument.bench.window",
    "bench-control": "instrument.bench.controls",
    "bench-start": "instrument.cli.timed_start",
    "doctor-probe": "instrument.probes",
}


def frozen() -> bool:
    """Whether this is the program of `packaging/`, in which no Python interpreter can be started."""
    return bool(getattr(sys, "frozen", False))


def command(name: str, *arguments: str) -> list[str]:
    """The command line that starts the process `name` of the table with these arguments."""
    if frozen():
        return [sys.executable, FLAG, name, *arguments]
    return [sys.executable, "-m", PROCESSES[name], *arguments]


def run(name: str, arguments: list[str]) -> NoReturn:
    """Be the process `name`, and exit with its status. HocketError for a name that is not in the table."""
    if name not in PROCESSES:
        raise HocketError(f"unknown process {name!r}: give one of {', '.join(PROCESSES)}")
    status: int = importlib.import_module(PROCESSES[name]).main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # without the clean-up of libraries, in which a driver may hang
