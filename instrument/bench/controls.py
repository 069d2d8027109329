"""The controls of `hocket bench`: processes that do only what is measured, as the machine itself may wake threads late
or starve a stream.

    python -m instrument.bench.controls sleep     wakes at the deadlines (ns) on standard input, a line each
    python -m instrument.bench.controls stream    feeds silence to the audio device

Each prints a line when it is ready and ends when its standard input is closed. Then it prints JSON: the list of
latenesses in ns, or the number of starved blocks.
"""

from __future__ import annotations

import heapq
import json
import sys
import threading
import time

import numpy as np

from instrument.engine.devices import best_audio
from instrument.engine.sound.lead import LEAD_S
from instrument.engine.sound.mixer import BLOCK
from instrument.io.clocks import SystemClock

SOON_NS = 20_000_000  # from here on the process sleeps to a deadline and ignores new ones


def sleep() -> list[int]:
    """Sleep to every deadline. Returns the latenesses in ns."""
    clock = SystemClock()
    deadlines: list[int] = []
    ended = threading.Event()

    def listen() -> None:
        for line in sys.stdin:
            if int(line) > clock.now():  # else it has passed already
                heapq.heappush(deadlines, int(line))
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    print("ready", flush=True)
    late = []
    while not ended.is_set():
        if deadlines and deadlines[0] < clock.now() + SOON_NS:
            deadline = heapq.heappop(deadlines)
            clock.sleep_until(deadline)
            late.append(clock.now() - deadline)
        else:
            time.sleep(0.005)
    return late


def stream() -> int:
    """Feed silence to the device as the mixer feeds sound. Returns the number of starved blocks."""
    audio, _ = best_audio("")
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    silence = np.zeros((BLOCK, 2), np.float32)
    print("ready", flush=True)
    while not ended.wait(BLOCK / audio.rate / 2):
        for _ in range(audio.free(int(LEAD_S * audio.rate)) // BLOCK):
            audio.write(silence)
    starved = audio.status().starved
    audio.close()
    return starved


def main(arguments: list[str]) -> int:
    """Run the control that the one argument names."""
    print(json.dumps({"sleep": sleep, "stream": stream}[arguments[0]]()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
