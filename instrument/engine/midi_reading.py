"""Reads a MIDI file in a process of its own, with limits on time and memory that protect the engine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from instrument.errors import HocketError
from instrument.io.child import ask, exit_after
from instrument.music.charts import read_chart, typed
from instrument.music.midifile import read_midi
from instrument.music.notes import Part, Piece
from instrument.music.timebase import TICKS_PER_BEAT, Metre

PROCESS = "midi-file"
CHART = "chart"
MAX_SECONDS = 15.0
MAX_MEMORY = 1 << 30  # bytes
SPAN = 256 * TICKS_PER_BEAT


def read_beginning(path: str) -> Piece:
    """The metres of a MIDI file, and of each part the notes of the 256 beats from its first note on.

    HocketError as `read_midi`, and if reading takes too long.
    """
    found = _ask(path)
    notes = np.array(found["notes"], np.int32)
    return Piece(notes, tuple(Metre(*metre) for metre in found["metres"]))


def read_chords(path: str) -> str:
    """The chords of a MIDI file as a typed progression, see `music.charts.read_chart`. HocketError as
    `read_beginning`."""
    return str(_ask(path, CHART))


def _ask(path: str, *more: str) -> Any:
    try:
        return json.loads(ask(PROCESS, path, *more, seconds=MAX_SECONDS + 5))
    except HocketError as error:
        if not str(error).startswith(f"the process {PROCESS} "):
            raise
        reason = f"that takes more than {MAX_SECONDS:g} s, or ends its process"
        raise HocketError(f"{path} cannot be read: {reason}") from error


def main(arguments: list[str]) -> int:
    """Print the file named by the first argument as JSON, or in one line why it cannot be read; with `CHART`: its
    chords."""
    exit_after(MAX_SECONDS)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    try:
        if CHART in arguments[1:]:
            print(json.dumps(typed(read_chart(Path(arguments[0])))))
            return 0
        piece = read_midi(arguments[0])
    except HocketError as error:
        print(str(error).encode(errors="replace").decode())  # a path may hold bytes that are not text
        return 1
    except MemoryError:
        print(f"this file cannot be read: that takes more than {MAX_MEMORY >> 20} MB of memory")
        return 1
    notes = piece.notes
    near = np.zeros(len(notes), bool)
    for part in Part:
        own = notes[:, 5] == part
        near |= own & (notes[:, 0] < notes[own, 0].min(initial=np.iinfo(np.int32).max - SPAN) + SPAN)
    metres = [(m.tick, m.numerator, m.denominator) for m in piece.metres]
    print(json.dumps({"notes": notes[near].tolist(), "metres": metres}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
