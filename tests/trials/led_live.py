"""How soon a band in a real engine obeys a person on JACK's dummy driver: `python -m tests.trials.led_live` prints the
last section of docs/led.md. Keys are sent to a MIDI port, and notes are heard at another, each on its frame."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from instrument.bench.run import private_home
from instrument.bench.tools import percentiles, quit_engine, telemetry_of
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.messages import Play, Press, Record, Stop
from instrument.engine.note_thread import LATEST
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.takes import Input, Take, load_take
from instrument.io.midi.jack_port import JackMidiInput, JackMidiOutput
from instrument.midi_spec import note_off, note_on, parse
from instrument.music.midifile import CHANNELS
from instrument.music.notes import Part
from instrument.music.timebase import MICRO_STEPS, ns_per_tick
from tests.support.jack import JackServer, wait_for

MODEL, GENRE, TEMPO = "lstm-band", "pop", 120
TICK_NS = ns_per_tick(TEMPO)
BEAT_NS = 24 * TICK_NS
CHANGES, QUESTIONS = 24, 12
HANDS = ((48, 52, 55), (45, 48, 52), (41, 45, 48), (43, 47, 50), (50, 53, 57), (40, 43, 47))
TUNE = (72, 74, 76, 79)
QUICK_S = 0.2
MELODY = CHANNELS[Part.MELODY]
HEADER = """
## In a real engine

Printed by `python -m tests.trials.led_live`: an engine with {model} ({genre}, {tempo} beats a minute) on JACK's dummy
driver with {period} frames; keys go to its MIDI input, and notes are heard at its MIDI output. ms, p50 and p95.

| | p50 | p95 | times |
|---|---|---|---|"""


class Band:
    """An engine that plays and is recorded, a keyboard, and what is heard of it: (ns, message)."""

    def __init__(self, home: Path, **knobs: float | str) -> None:
        patch, self._take = home / "live.json", home / "live.take.json"
        values = {"seed": 3.0, "tempo": float(TEMPO), **knobs}
        seats = (PlayerPatch(MODEL, {"genre": GENRE}),)
        patch.write_bytes(msgspec.json.encode(Patch(knobs=values, players=seats)))
        self.keys = JackMidiOutput("keys")
        self.client = EngineClient.connect(
            options={"patch": str(patch), "midi": "virtual", "midi-in": "keys"}, timeout_s=60
        )
        self._port = JackMidiInput("heard", telemetry_of(self.client).midi.rpartition(" ")[0])
        wait_for(lambda: telemetry_of(self.client).midi_in == "Hocket in:in (jack)", what="the keyboard")
        self.heard: list[tuple[int, bytes]] = []
        self.client.ask(Record(str(self._take)))
        self.client.ask(Play())
        self.listen(2.0)

    def listen(self, seconds: float) -> None:
        """Hear the band for so long."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self.client.wait(min(left, 0.02))
            self.client.poll()
            self.heard += self._port.read()

    def press(self, *messages: bytes) -> int:
        """Send messages now. Returns when."""
        now = time.perf_counter_ns()
        for message in messages:
            self.keys.send(message, 0)
        return now

    def melody(self, after: float) -> int:
        """When the first note of the melody begins at or after a time."""
        starts = (ns for ns, message in self.heard if parse(message).starts and parse(message).channel == MELODY)
        return next(ns for ns in starts if ns >= after)

    def silent(self, after: int, until: float) -> int:
        """When the last note of the melody that sounds at a time ends; no other may begin up to `until`."""
        ours = ((ns, message) for ns, message in self.heard if parse(message).channel == MELODY and ns < until)
        return max([after, *(ns for ns, message in ours if parse(message).ends and ns > after)])

    def end(self) -> tuple[Take, float]:
        """Stop it. Returns the take, and when its tick 0 was heard."""
        self.client.ask(Stop())
        self.client.ask(Record(""))
        self.listen(0.3)
        take = load_take(self._take)
        quit_engine(self.client)
        for port in (self.keys, self._port):
            port.close()
        live = {(note.tick, note.pitch) for entry in take.entries if isinstance(entry, Input) for note in entry.live}
        ticks = sorted(n.tick + n.micro / MICRO_STEPS for _, n in take.sounded() if (n.tick, n.pitch) not in live)
        starts = [ns for ns, message in self.heard if parse(message).starts]
        return take, float(np.median([ns - tick * TICK_NS for ns, tick in zip(starts[:30], ticks[:30], strict=False)]))


def left_hand(home: Path) -> list[float]:
    """ms from the last key of a chord to the time from which all notes of the parts that obey are made with it, apart
    from the wait for the sixteenth."""
    band, chance, pressed, down = Band(home, lead="hold", chords="on", bass="on"), random.Random(1), [], ()
    for number in range(CHANGES):
        band.press(*(note_off(0, key) for key in down))
        down = HANDS[number % len(HANDS)]
        pressed.append(band.press(*(note_on(0, key, 90) for key in down)))
        band.listen(0.7 + 0.3 * chance.random())
    take, start = band.end()
    led = [entry.floor for entry in take.entries if isinstance(entry, Input) and entry.chord]
    heard = [start + (floor - 1 + LATEST) * TICK_NS for floor in led]
    return [(max(ns for ns in heard if 0 < ns - at < 5e8) - at) / 1e6 for at in pressed]


def answers(home: Path, question: str) -> tuple[list[float], list[float]]:
    """ms from the declared end of a question to the first note of its answer; and from the first key of the next, which
    interrupts it, until the lead is silent."""
    band, chance = Band(home, mode="answer", question=question), random.Random(2)
    asked, declared = [], []
    for _ in range(QUESTIONS):
        begun = released = 0
        for pitch in TUNE:
            begun = begun or time.perf_counter_ns()
            band.press(note_on(0, pitch, 90))
            band.listen(QUICK_S)
            released = band.press(note_off(0, pitch))
        asked.append(begun)
        if question == "pedal":
            released = time.perf_counter_ns()
            band.client.send(Press("answer/now"))
        declared.append(released + (BEAT_NS if question == "silence" else 0.0))
        band.listen(2.5 + chance.random())
    take, start = band.end()
    if question not in ("silence", "pedal"):  # the bar line
        begins = [
            entry.floor for entry in take.entries
            if isinstance(entry, Input) and entry.manner and entry.manner.melody == "answers"
        ]  # fmt: skip
        declared = [start + floor * TICK_NS for floor in begins]
    late = [(band.melody(at - 3 * TICK_NS if question != "pedal" else at) - at) / 1e6 for at in declared]
    yields = [(band.silent(at, at + QUICK_S * 1e9) - at) / 1e6 for at in asked[1:]]
    return late, yields


@contextmanager
def server(period: int) -> Iterator[None]:
    """A JACK server."""
    jack = JackServer(period)
    jack.start()
    os.environ["JACK_DEFAULT_SERVER"] = jack.name
    try:
        yield
    finally:
        jack.stop()


def main() -> None:
    """Print the section."""
    period = 128
    print(HEADER.format(model=MODEL, genre=GENRE, tempo=TEMPO, period=period))

    def row(what: str, found: list[float]) -> None:
        figures = percentiles(found, 50, 95)
        print(f"| {what} | {figures['p50']:.1f} | {figures['p95']:.1f} | {len(found)} |", flush=True)

    with server(period), private_home() as home:
        row("left hand: last key to the chord of all notes, without the wait for the sixteenth", left_hand(home))
        yields: list[float] = []
        for question, ends in (("silence", "a beat of silence"), ("1 bar", "the bar line"), ("pedal", "the button")):
            late, interrupted = answers(home, question)
            row(f"answer: end of the question ({ends}) to its first note", late)
            yields += interrupted
        row("yield: first key to the silence of the lead", yields)


if __name__ == "__main__":
    main()
