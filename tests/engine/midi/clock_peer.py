"""A second process on JACK for tests of clocks: it sends a MIDI clock, records what it hears, and is a timebase master.

Takes commands as JSON lines and answers each with one. All times are frames of the server.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import jack

client = jack.Client(sys.argv[1], no_start_server=True)
out = client.midi_outports.register("out")
into = client.midi_inports.register("in")
draw = random.Random(1)

bpm, jitter = 120.0, 0.0
echo_ms = 0.0  # what comes is sent back so much later
running = False
waiting: list[bytes] = []  # messages before the next pulse
due = 0.0  # frame of the next pulse
true: list[float] = []  # frames of the pulses without jitter
late: list[tuple[int, bytes]] = []  # pulses placed on their frames, in order
heard: list[tuple[int, str]] = []
place: list[object] = []  # whether the transport rolls, its frame, and the frame of the cycle


@client.set_process_callback
def process(frames: int) -> None:
    global due, place
    start = client.last_frame_time
    state, position = client.transport_query_struct()
    place = [state == jack.ROLLING, position.frame, start]
    arrived = [(start + frame, bytes(message)) for frame, message in into.incoming_midi_events()]
    heard.extend((frame, message.hex()) for frame, message in arrived)
    if echo_ms:
        late.extend((frame + round(echo_ms * client.samplerate / 1000), message) for frame, message in arrived)
    out.clear_buffer()
    most = jitter * client.samplerate / 1000
    while running and due < start + frames + 2 * most:
        due = max(due, start + most)
        late.extend((round(due - most), message) for message in waiting)
        waiting.clear()
        true.append(due)
        late.append((round(due + draw.uniform(-most, most)), b"\xf8"))
        due += client.samplerate * 60 / bpm / 24
    late.sort(key=lambda each: each[0])
    while late and late[0][0] < start + frames:
        frame, message = late.pop(0)
        out.write_midi_event(max(0, frame - start), message)


@client.set_timebase_callback
def timebase(_: int, __: int, position: object, ___: bool) -> None:
    beats = position.frame / position.frame_rate * bpm / 60  # type: ignore[attr-defined]
    position.valid = 0x10  # type: ignore[attr-defined]
    position.beats_per_bar, position.beat_type, position.ticks_per_beat = 4, 4, 1920  # type: ignore[attr-defined]
    position.beats_per_minute = bpm  # type: ignore[attr-defined]
    position.bar = int(beats // 4) + 1  # type: ignore[attr-defined]
    position.beat = int(beats % 4) + 1  # type: ignore[attr-defined]
    position.tick = int(beats % 1 * 1920)  # type: ignore[attr-defined]
    position.bar_start_tick = position.frame * 170.0  # type: ignore[attr-defined]  (nonsense, as Ardour 7 gives)


def clock(tempo: float, jitter_ms: float) -> None:
    global bpm, jitter, running, due
    bpm, jitter = tempo, jitter_ms
    waiting.append(b"\xfa")
    true.clear()
    due, running = 0.0, True


def tempo(value: float) -> None:
    global bpm
    bpm = value


def echo(ms: float) -> None:
    global echo_ms
    echo_ms = ms


def stop() -> None:
    global running
    running = False
    late.append((client.frame_time, b"\xfc"))


COMMANDS: dict[str, Callable[..., object]] = {
    "clock": clock,
    "tempo": tempo,
    "stop": stop,
    "echo": echo,
    "sent": lambda: list(true),
    "heard": lambda: list(heard),
    "connect": client.connect,
    "ports": lambda: [port.name for port in client.get_ports()],
    "roll": client.transport_start,
    "halt": client.transport_stop,
    "locate": client.transport_locate,
    "transport": lambda: place,
}


with suppress(PermissionError):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
gc.freeze()
gc.disable()
client.activate()
print("true", flush=True)
for line in sys.stdin:
    name, *rest = json.loads(line)
    print(json.dumps(COMMANDS[name](*rest)), flush=True)
threading.Timer(1, os._exit, [0]).start()
client.deactivate()
client.close()
os._exit(0)
