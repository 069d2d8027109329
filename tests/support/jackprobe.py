"""The process behind `JackProbe`: takes commands as JSON lines, answers each with one."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import threading
import time
from contextlib import suppress

import jack
import numpy as np

client = jack.Client(sys.argv[1], no_start_server=True)
inputs = [client.inports.register(f"in_{i}") for i in (0, 1)]
client.outports.register("out")  # silent; it gives what we hear a way to the ear
midi = client.midi_inports.register("midi_in")

lib = ctypes.CDLL(jack._libname)
lib.jack_get_time.restype = ctypes.c_uint64
pointer = ctypes.c_void_p(int(jack._ffi.cast("uintptr_t", client._ptr)))
cycle = (ctypes.c_uint32(), ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_float())
cycle_out = [ctypes.byref(value) for value in cycle]

sound: list[np.ndarray] = []
blocks: list[tuple[int, int]] = []
events: list[tuple[float, str]] = []
xruns: list[int] = []


def clock_offset_us() -> float:
    """JACK's microseconds to those of perf_counter, by the tightest of some readings."""
    readings = []
    for _ in range(5):
        before, there, after = time.perf_counter_ns(), lib.jack_get_time(), time.perf_counter_ns()
        readings.append((after - before, (before + after) / 2000 - there))
    return min(readings)[1]


@client.set_xrun_callback
def on_xrun(_: float) -> None:
    xruns.append(time.perf_counter_ns())


@client.set_process_callback
def process(frames: int) -> None:
    lib.jack_get_cycle_times(pointer, *cycle_out)
    start = cycle[1].value + clock_offset_us()
    length = cycle[2].value - cycle[1].value
    blocks.append((cycle[0].value, round(start * 1000)))
    sound.append(np.stack([port.get_array() for port in inputs], axis=1))
    for frame, message in midi.incoming_midi_events():
        events.append(((start + frame * length / frames) * 1000, bytes(message).hex()))


def connect(source: str, destination: str) -> None:
    """Connect two ports, of which one may be registered by a client that is not active yet."""
    end = time.monotonic() + 5
    while True:
        try:
            return client.connect(source, destination)
        except jack.JackError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def answer(command: str, arguments: list[str]) -> object:
    if command == "ports":
        while True:
            with suppress(jack.JackError):  # a port went while it was looked at
                return [port.name for port in client.get_ports()]
    if command == "connect":
        connect(*arguments)
        cycles, end = len(blocks) + 4, time.monotonic() + 2
        while len(blocks) < cycles and time.monotonic() < end:  # it carries from the next cycles on
            time.sleep(0.001)
        return True
    if command == "connections":
        return [port.name for port in client.get_all_connections(client.get_port_by_name(arguments[0]))]
    if command == "xruns":
        return list(xruns)
    if command == "events":
        return list(events)
    if command == "save":
        count = min(len(sound), len(blocks))
        lengths = [len(block) for block in sound[:count]]
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        table = np.column_stack([first, np.array(blocks[:count], np.int64)])
        np.savez(arguments[0], sound=np.concatenate(sound[:count]), blocks=table, xruns=xruns)
        return True
    raise ValueError(command)


if lib.jack_is_realtime(pointer):  # else the interpreter, held by this thread, would keep the server waiting
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
gc.freeze()
gc.disable()
client.activate()
print("true", flush=True)
for line in sys.stdin:
    name, *rest = json.loads(line)
    print(json.dumps(answer(name, rest)), flush=True)
    if name == "save":
        break
threading.Timer(1, os._exit, [0]).start()
client.deactivate()
client.close()
os._exit(0)
