"""Clocks: the system's keeps deadlines, the manual one needs no waiting."""

import threading
import time

from instrument.io.clocks import ManualClock, SystemClock


def test_system_clock_never_returns_early() -> None:
    clock = SystemClock()
    for wait in (0, 200_000, 3_000_000):
        deadline = clock.now() + wait
        clock.sleep_until(deadline)
        assert clock.now() >= deadline
    assert abs(clock.now() - time.perf_counter_ns()) < 1_000_000_000


def test_manual_clock_stands_still_until_told() -> None:
    clock = ManualClock(100)
    assert [clock.now(), clock.now()] == [100, 100]
    clock.advance(50)
    assert clock.now() == 150
    clock.sleep_until(400)
    assert clock.now() == 400
    clock.sleep_until(300)
    assert clock.now() == 400


def test_manual_clock_counts_every_thread() -> None:
    clock = ManualClock(0)
    threads = [threading.Thread(target=lambda: [clock.advance(1) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert clock.now() == 4000
