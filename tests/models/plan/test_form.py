"""The features of a section."""

import numpy as np

from instrument.models.plan.form import (
    COLUMNS,
    DISTINCT,
    END,
    LONGEST,
    NEW,
    NO_SECTION,
    SIZES,
    form_features,
)
from instrument.models.plan.slots import ENDING, INTRO, Section

SONG = [Section(0, 4, INTRO), Section(1, 8), Section(2, 8), Section(1, 8), Section(2, 10), Section(3, 80, ENDING)]


def test_what_is_right_is_the_earlier_section_a_new_one_or_the_end():
    rows, right = form_features(0, SONG)
    assert right[:, 0].tolist() == [NEW, NEW, NEW, 1, 2, NEW, END]
    assert right[:, 1].tolist() == [0, 0, 0, 8, 8, 0, 0]  # how long it was at its last appearance
    assert right[:-1, 2].tolist() == [3, 7, 7, 7, 9, LONGEST - 1]
    assert right[:-1, 3].tolist() == [INTRO, 0, 0, 0, 0, ENDING]
    assert rows[:, DISTINCT].tolist() == [0, 1, 2, 3, 3, 3, 4]


def test_what_followed_the_same_sections_before_is_a_feature():
    rows, _ = form_features(0, [Section(id, 8) for id in (0, 0, 1, 0)])
    after = rows[:, COLUMNS.index("after_previous")].tolist()
    assert after == [NO_SECTION, NO_SECTION, 0, NO_SECTION, 1]
    rows, _ = form_features(0, [Section(id, 8) for id in (0, 1, 2, 0, 1)])
    assert rows[-1, COLUMNS.index("after_both")] == 2


def test_many_sections_stay_in_range():
    rows, right = form_features(6, [Section(id, 1000) for id in range(40)] * 2)
    assert (rows >= 0).all()
    assert (rows < np.array(list(SIZES.values()))).all()
    assert right[:, 0].max() == END
    assert right[:, 2].max() == LONGEST - 1
