"""The manifest of a note model that tests put their own player behind."""

from __future__ import annotations

from instrument.models.manifest import VERSION, Golden, Graph, Knob, Manifest
from instrument.music.notes import Part


def stand_in_manifest(*genres: str, knobs: tuple[Knob, ...] = ()) -> Manifest:
    """Of family `lstm`, with a melody part, these genres, a genre knob and `knobs`. No graph file is behind it."""
    return Manifest(
        VERSION,
        "stand-in",
        "Stand-in",
        "lstm",
        "1.0.0",
        "CC0-1.0",
        (Graph("step", "step.onnx", "0" * 64, (), ()),),
        Golden("golden.npz", "0" * 64, 0.01),
        condition_genres=genres,
        genres=genres,
        parts=(int(Part.MELODY),),
        knobs=(Knob("genre", "Genre", "choice", default="none", choices=("none", *genres)), *knobs),
    )
