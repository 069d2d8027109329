"""How often the chord analyser agrees with written chords: `python -m training.chord_model evaluate FOLDER`.

Agreement is the share of time in which the analysed chord agrees with the written one, over all pieces of a dataset.
The written chord of a beat is the one in force at its middle. Beats before the first written chord do not count.
Silence (N) agrees only with silence. Root: the same root; triad: root and one of maj, min, dim,
aug, sus; kind: root and one of the nine kinds of `chords.names.KINDS`; bass: root, kind and bass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.chords.changes import by_beat
from instrument.music.chords.names import TRIAD, Chord
from instrument.music.chords.profiles import Beats
from instrument.music.notes import Piece
from instrument.music.timebase import TICKS_PER_BEAT
from training.chord_model.learning import MELODY, annotated_pieces
from training.data.notes.chords import MARKED, written_chords
from training.data.sources import SPLITS

MEASURES = ("root", "triad", "kind", "bass")
GOALS = {
    "pop909": (0.92, 0.83, 0.78), "wjazzd_band": (0.45, 0.35, 0.27), "openewld": (0.94, 0.93, 0.90),
    MELODY: (0.46, 0.43, 0.35),
}  # fmt: skip
Analyser = Callable[[Piece], tuple[Beats, list[Chord]]]


def agreement(found: Sequence[Chord], written: Sequence[Chord | None], beats: Beats) -> NDArray[np.float64]:
    """Ticks in which root, triad, kind and bass agree, and ticks in all (5)."""
    total = np.zeros(len(MEASURES) + 1)
    for one, other, length in zip(found, written, np.diff(beats.edges), strict=True):
        if other is not None:
            root = one.root == other.root
            triad = root and TRIAD[one.kind] == TRIAD[other.kind]
            kind = root and one.kind == other.kind
            total += np.array([root, triad, kind, kind and one.bass == other.bass, True]) * length
    return total


def measure(folder: Path, split: str, analysers: dict[str, Analyser]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Dataset -> analyser -> `agreement` over all pieces of a split. Raises HocketError where there are none."""
    totals: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, piece, written in annotated_pieces(folder, split):
        chords = written_chords(written, "openewld" if name == MELODY else name) or []
        for label, analyse in analysers.items():
            beats, found = analyse(piece)
            row = totals.setdefault(name, {}).setdefault(label, np.zeros(len(MEASURES) + 1))
            row += agreement(found, by_beat(chords, beats), beats)
    if not totals:
        raise HocketError(
            f"{folder} has no pieces with chords in the split {split!r}: choose one of {', '.join(SPLITS)}, "
            f"of a folder with {', '.join(MARKED)} or openewld"
        )
    return totals


def report(totals: dict[str, dict[str, NDArray[np.float64]]]) -> str:
    """The result of `measure` as a table, with the goals."""
    lines = [f"{'':26}" + "".join(f"{name:>8}" for name in MEASURES) + "   quarter notes"]
    for name, rows in totals.items():
        for label, row in rows.items():
            shares = "".join(f"{share:8.3f}" for share in row[:-1] / row[-1])
            lines.append(f"{name:14}{label:12}{shares}{row[-1] / TICKS_PER_BEAT:16.0f}")
        lines.append(f"{name:14}{'goal':12}" + "".join(f"{goal:8.2f}" for goal in GOALS[name]))
    return "\n".join(lines)
