"""The line from frames to nanoseconds."""

import numpy as np
import pytest

from instrument.io.audio.timing import FrameClock

RATE = 48_000
START = 5_000_000_000_000


def pairs(
    count: int, rate: float = RATE, block: int = 256, late_ns: float = 0, seed: int = 0, first: int = 0
) -> list[tuple[int, int]]:
    """What a device publishes whose callback is late by an exponential time."""
    late = np.random.default_rng(seed).exponential(late_ns, count) if late_ns else np.zeros(count)
    return [
        (f, START + round(f * 1e9 / rate + late[i])) for i, f in enumerate(range(first, first + count * block, block))
    ]


def test_an_exact_device_is_followed_exactly() -> None:
    clock = FrameClock(RATE)
    clock.add(pairs(100))
    assert clock.ns(48_000) == pytest.approx(START + 1_000_000_000, abs=100)


@pytest.mark.parametrize("rate", [RATE, RATE * 1.0003, RATE * 0.9995])
def test_late_callbacks_do_not_shift_the_line(rate: float) -> None:
    clock = FrameClock(RATE)
    stream = pairs(1500, rate, late_ns=500_000)
    for start in range(0, len(stream), 8):
        clock.add(stream[start : start + 8])
    frame = stream[-1][0] + 1440  # what the mixer asks: a lead ahead
    assert abs(clock.ns(frame) - (START + frame * 1e9 / rate)) < 300_000


def test_the_line_moves_gently() -> None:
    clock = FrameClock(RATE)
    stream = pairs(2000, late_ns=300_000)
    told = []
    for start in range(0, len(stream), 8):
        clock.add(stream[start : start + 8])
        told.append(clock.ns(10_000_000) - START)
    steps = np.abs(np.diff(told[len(told) // 2 :]))
    assert np.median(steps) < 1e9 / RATE * 500  # even half a minute and more ahead


def test_a_lost_period_is_a_step_and_not_a_slope() -> None:
    clock = FrameClock(RATE)
    clock.add(pairs(400, late_ns=50_000))
    after = [(f, ns + 20_000_000) for f, ns in pairs(40, late_ns=50_000, first=400 * 256)]
    for pair in after:
        clock.add([pair])
    frame, ns = after[-1]
    assert abs(clock.ns(frame) - ns) < 300_000


def test_one_late_callback_is_no_step() -> None:
    clock = FrameClock(RATE)
    clock.add(pairs(400))
    clock.add([(400 * 256, START + round(400 * 256e9 / RATE) + 80_000_000)])
    assert abs(clock.ns(400 * 256) - (START + 400 * 256e9 / RATE)) < 1_000_000


def test_without_pairs_it_still_answers() -> None:
    clock = FrameClock(RATE)
    clock.add([])
    assert clock.ns(48_000) - clock.ns(0) == 1_000_000_000
