from instrument.engine.performance.overload import RECOVERED, THINNING, Overload

FLOOR = 500


def test_each_plan_that_runs_dry_thins_out_further_and_brings_a_rest():
    overload = Overload()
    for spacing, rest in THINNING[1:]:
        assert overload.update(known=99, overdue=100, floor=FLOOR) == 100 + rest
        assert overload.spacing == spacing
    assert overload.update(known=99, overdue=100, floor=FLOOR) is None, "more than this cannot be done"
    assert overload.spacing == THINNING[-1][0]


def test_what_is_planned_far_ahead_goes_back_level_by_level():
    overload = Overload()
    while overload.level < len(THINNING) - 1:
        overload.update(known=0, overdue=1, floor=FLOOR)
    assert overload.update(FLOOR + RECOVERED - 1, FLOOR, FLOOR) is None, "not far enough"
    for level in reversed(range(len(THINNING) - 1)):
        changes = THINNING[level][0] != THINNING[level + 1][0]
        assert overload.update(FLOOR + RECOVERED, FLOOR, FLOOR) == (FLOOR if changes else None)
        assert overload.level == level
    assert overload.update(FLOOR + RECOVERED, FLOOR, FLOOR) is None
    assert overload.level == 0


def test_a_player_that_keeps_up_is_left_alone():
    overload = Overload()
    assert overload.update(known=100, overdue=100, floor=100) is None
    assert (overload.level, overload.spacing) == (0, 0)
