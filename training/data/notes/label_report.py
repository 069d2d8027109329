"""What `prepare` says of the parts of tracks: how often names agree, how many notes have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from instrument.music.notes import Part
from instrument.music.parts.labels import FEWEST, LABELS, Label


class TrackLabel(msgspec.Struct, frozen=True, array_like=True):
    """The label of a track (see `instrument.music.parts.labels.Label`), as numbers, and its number of notes."""

    part: int
    named: int | None
    predicted: int | None
    notes: int


def track_labels(tracks: Iterable[tuple[Label, int]]) -> tuple[TrackLabel, ...]:
    """The labels of a piece's pitched tracks; drums are known by their channel."""
    return tuple(
        TrackLabel(int(label.part), None if label.named is None else int(label.named), int(label.predicted), notes)
        for label, notes in tracks
        if label.predicted is not None
    )


def report(pieces: Sequence[tuple[str, tuple[TrackLabel, ...]]]) -> Iterator[str]:
    """Lines about pieces, given by split and labels: how often the part by notes is the one by name outside the
    training split, and how many notes are OTHER by names alone and by their labels. Tracks of fewer than eight notes,
    and those alone in their piece, are not compared."""
    compared, agree = Counter[int](), Counter[int]()
    for split, labels in pieces:
        if split == "train" or len(labels) < 2:
            continue
        for label in labels:
            if label.named in LABELS and label.notes >= FEWEST:
                compared[label.named] += 1
                agree[label.named] += label.predicted == label.named
    if compared:
        parts = (f"{p.name.lower()} {agree[p] / compared[p]:.2f} of {compared[p]}" for p in LABELS if compared[p])
        yield f"parts by notes agree with clear names of valid and test tracks: {', '.join(parts)}"
    every = [label for _, labels in pieces for label in labels]
    total = sum(label.notes for label in every)
    if total:
        before = sum(label.notes for label in every if label.named is None or label.named == Part.OTHER)
        after = sum(label.notes for label in every if label.part == Part.OTHER)
        yield (
            f"pitched notes without a part: {after} of {total} ({after / total:.1%}); by names alone it would be "
            f"{before} ({before / total:.1%})"
        )
