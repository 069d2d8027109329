"""Measures how late what is sent to a MIDI output comes back over a loop, to find the offset of the output."""

from __future__ import annotations

import time
from statistics import median

from instrument import midi_spec
from instrument.engine.midi.midi_input import Listener
from instrument.engine.midi.scheduler import Scheduler
from instrument.errors import HocketError
from instrument.io.ports import Clock

NOTES, ENOUGH = 8, 5  # notes that are sent, and how many have to come back
AHEAD_NS, APART_NS, LENGTH_NS = 20_000_000, 80_000_000, 10_000_000
WAIT_S = 0.6  # for the last one to come back
_CHANNEL, _KEY = 15, 60
NO_LOOP = "no loop is heard: connect the MIDI output {} to the MIDI input {}, by a cable or in JACK, and try again"


def find_offset_ms(sender: Scheduler, listener: Listener, clock: Clock) -> float:
    """The offset (ms) by which notes have to be sent earlier (negative), so that they arrive when they are to be heard:
    the median of some quiet notes on channel 16. Takes a second and a half. HocketError if they do not come back."""
    sent: dict[int, int] = {}
    back: dict[int, int] = {}  # key -> when
    end = 0.0

    def take(arrived: list[tuple[int, bytes]]) -> None:
        for ns, message in arrived:
            parsed = midi_spec.parse(message)
            if parsed.starts and parsed.channel == _CHANNEL and parsed.second == 1 and parsed.first in sent:
                back.setdefault(parsed.first, ns)

    listener.tap = take
    try:
        for key in range(_KEY, _KEY + NOTES):
            sent[key] = at = clock.now() + sender.port.early_ns + AHEAD_NS
            sender.send_at(midi_spec.note_on(_CHANNEL, key, 1), at)
            sender.send_at(midi_spec.note_off(_CHANNEL, key), at + LENGTH_NS)
            clock.sleep_until(at + APART_NS)
        end = time.monotonic() + WAIT_S
        while len(back) < NOTES and time.monotonic() < end:
            clock.sleep_until(clock.now() + LENGTH_NS)
    finally:
        listener.tap = None
    if len(back) < ENOUGH:
        raise HocketError(NO_LOOP.format(sender.port.status().port, listener.port.status().port))
    on_the_way = sender.port.latency_ns
    return round(-median(back[key] + on_the_way - sent[key] for key in back) / 1e6, 1)
