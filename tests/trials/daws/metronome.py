"""A process on JACK that strikes a key at each beat of the transport: what a DAW records of it is the control.

python metronome.py NAME BPM
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from math import ceil

import jack

KEY = 60
client = jack.Client(sys.argv[1], no_start_server=True)
out = client.midi_outports.register("out")
step = client.samplerate * 60 / float(sys.argv[2])  # frames of a beat


@client.set_process_callback
def process(frames: int) -> None:
    state, position = client.transport_query_struct()
    out.clear_buffer()
    if state != jack.ROLLING:
        return
    beat = ceil(position.frame / step)
    if (frame := round(beat * step) - position.frame) < frames:
        out.write_midi_event(frame, (0x90, KEY, 100))
        out.write_midi_event(frame, (0x80, KEY, 0))


with suppress(PermissionError):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
gc.freeze()
gc.disable()
client.activate()
print("ready", flush=True)
sys.stdin.readline()  # until the parent is done
os._exit(0)
