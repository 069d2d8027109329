"""Sections in sequence: the features that the form network reads before each section, and the answers it gives.

The network first predicts which section comes next: an earlier one, numbered by first appearance, a new one, or the
end. From this answer it predicts the section's length and kind. `FormTracker` computes the features from the sections
so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from instrument.models.plan.slots import GENRES, Section

KNOWN = 12  # earlier sections that have a number of their own
NEW, END = KNOWN, KNOWN + 1
ANSWERS = KNOWN + 2
NO_SECTION = KNOWN  # as an id
LONGEST = 64  # bars of a section
OTHER_FORMS = len(GENRES)  # genre number of pieces of which only the form is known: recent pop songs

SIZES: Mapping[str, int] = {
    "previous": KNOWN + 1,
    "before": KNOWN + 1,
    "after_previous": KNOWN + 1,  # what followed the previous section at its last appearance
    "after_both": KNOWN + 1,  # what followed the last two sections when they last came in this order
    "genre": len(GENRES) + 1,
    "count": 24,
    "distinct": KNOWN + 1,
    "repeats": 5,
    "was_new": 2,
    "kind": 3,
    "length": 34,
    "total": 16,
}
COLUMNS = tuple(SIZES)
DISTINCT = COLUMNS.index("distinct")


class FormTracker:
    """The features of the form network, section after section of one piece."""

    def __init__(self, genre: int) -> None:
        """genre: its number in `GENRES`, or `OTHER_FORMS`."""
        self._genre = genre
        self._sections: list[Section] = []
        self._lengths: dict[int, int] = {}

    @property
    def distinct(self) -> int:
        """How many different sections there are so far."""
        return len(self._lengths)

    def row(self) -> NDArray[np.int64]:
        """The features before the next section, (columns,)."""
        ids = [min(section.id, KNOWN - 1) for section in self._sections]
        last = self._sections[-1] if self._sections else None
        previous = ids[-1] if ids else NO_SECTION
        repeats = next((i for i, id in enumerate(reversed(ids)) if id != previous), len(ids))
        total = sum(section.bars for section in self._sections)
        values = [
            previous,
            ids[-2] if len(ids) > 1 else NO_SECTION,
            _followed(ids, 1),
            _followed(ids, 2),
            self._genre,
            min(len(ids), SIZES["count"] - 1),
            min(self.distinct, KNOWN),
            min(repeats, SIZES["repeats"] - 1),
            int(ids.count(previous) == 1),
            last.kind if last else 0,
            min(last.bars, SIZES["length"] - 1) if last else 0,
            min(total // 8, SIZES["total"] - 1),
        ]
        return np.array(values, np.int64)

    def answer(self, section: Section) -> int:
        """The answer that is right when this section comes next."""
        return min(section.id, KNOWN - 1) if section.id in self._lengths else NEW

    def length_before(self, answer: int) -> int:
        """Bars of an answer's section at its last appearance, 0 for a new one."""
        return min(self._lengths.get(answer, 0), LONGEST)

    def push(self, section: Section) -> None:
        """Append a section."""
        self._sections.append(section)
        self._lengths[section.id] = section.bars


def _followed(ids: Sequence[int], length: int) -> int:
    """What followed the last earlier appearance of the last `length` ids."""
    if len(ids) <= length:
        return NO_SECTION
    end = list(ids[-length:])
    for at in range(len(ids) - length - 1, -1, -1):
        if list(ids[at : at + length]) == end:
            return ids[at + length]
    return NO_SECTION


def form_features(genre: int, sections: Sequence[Section]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Features and targets of each section of a piece and of its end.

    Features have shape (sections + 1, columns). Targets have shape (sections + 1, 4): answer, length at the last
    appearance, length - 1, kind.
    """
    tracker = FormTracker(genre)
    rows, right = [], []
    for section in sections:
        answer = tracker.answer(section)
        rows.append(tracker.row())
        right.append((answer, tracker.length_before(section.id), min(section.bars, LONGEST) - 1, section.kind))
        tracker.push(section)
    rows.append(tracker.row())
    right.append((END, 0, 0, 0))
    return np.stack(rows), np.array(right, np.int64)
