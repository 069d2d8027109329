"""Notes that come back are recognised, a person who plays along is not taken for them."""

import random

from instrument.engine.midi.loops import ENOUGH, MEMORY_NS, LoopWatch

MS = 1_000_000


def test_notes_that_come_back_are_a_loop_until_they_stop() -> None:
    watch = LoopWatch()
    left_out = []
    for i in range(6):
        watch.sent(i * 200 * MS, 60 + i, 80 + i)
        left_out.append(watch.is_echo(i * 200 * MS + 12 * MS, 60 + i, 80 + i))
    assert left_out == [False] * (ENOUGH - 1) + [True] * (7 - ENOUGH)
    assert watch.is_loop(1000 * MS)
    assert not watch.is_loop(1000 * MS + MEMORY_NS), "it has ended"
    assert not watch.is_echo(5000 * MS, 60, 80)


def test_a_person_who_plays_along_is_heard() -> None:
    watch, draw = LoopWatch(), random.Random(1)
    for i in range(500):
        ns = i * 120 * MS
        watch.sent(ns, draw.randrange(48, 84), draw.randrange(40, 110))
        assert not watch.is_echo(ns + draw.randrange(-30, 30) * MS, draw.randrange(48, 84), draw.randrange(40, 110))
    watch.sent(0, 60, 80)
    assert not watch.is_echo(21 * MS, 60, 80), "too late"
