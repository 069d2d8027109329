"""What buttons do to a performance, and knobs that act on the beat or bar."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from instrument.engine.ipc.messages import (
    AnyCommand,
    KnobInfo,
    Lead,
    MapMacro,
    Remake,
    SetChords,
    SetProgression,
    Value,
)
from instrument.engine.performance.acts.macros import map_knob, moves
from instrument.engine.performance.acts.waiting import Change, place, when_of
from instrument.engine.performance.harmony.form import ACTIONS
from instrument.engine.performance.knobs import INSTRUMENT, MACROS, checked, knob_name, next_seed
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Laid
from instrument.engine.performance.transport import bar_line


def ask_for(performance: Performance, info: KnobInfo, value: object) -> Value:
    """Turn a knob as `Performance.turn`, at the place that the knobs "changes" and "mutes" give it. Until then it
    counts as turned, but the players do not know of it."""
    value, name = checked(info, value), knob_name(info.player, info.id)
    if info.id in MACROS and info.player == INSTRUMENT:
        before = float(performance.values[name])
        performance.turn(info, value)
        for each, wanted in moves(performance, info.id, before, float(value)):
            ask_for(performance, each, wanted)
        return value
    performance.waiting.drop(name)
    tick = place(when_of(info, performance.values), performance.metres, performance.floor)
    if tick == performance.floor or performance.values[name] == value:
        return performance.turn(info, value)
    performance.waiting.add(name, Change(tick, partial(performance.set, name, value), {name: value}))
    return value


def new_idea(performance: Performance) -> None:
    """Another seed and a memory without what was played, on the same plan."""
    seed = next_seed(performance.seed)
    for line in performance.lines:
        performance.put(line.number, knobs={"seed": float(seed)}, fresh=True)
    if not performance.lines:
        performance.set("seed", seed, INSTRUMENT)


COMMANDS: dict[type[AnyCommand], Callable[[Performance, Any], None]] = {
    Lead: lambda performance, led: performance.lead(led.chord),
    SetProgression: lambda performance, typed: performance.play_typed(typed.text),
    SetChords: lambda performance, wanted: performance.write_chords(wanted.bar - 1, wanted.text),
    MapMacro: lambda performance, of: map_knob(performance, of.macro, of.knob, of.amount),
    Remake: lambda performance, of: performance.remaking.begin(of.player, of.bar - 1),
}
"""Commands that act on a performance and do nothing else."""


def redraw(performance: Performance) -> None:
    """Other notes from the next bar line on, on the same plan and with the same memory: another seed. What is planned
    up to there stays."""
    seed = next_seed(performance.seed)
    start, end = performance.floor, bar_line(performance.metres, performance.floor)
    for line in performance.lines:
        stays = tuple(note for note in line.plan if start <= note.tick < end)
        laid = Laid(start, min(end, line.known), stays) if line.known > start else None
        performance.put(line.number, knobs={"seed": float(seed)}, redrawn=True, laid=laid, ahead=stays if laid else ())
    if not performance.lines:
        performance.set("seed", seed, INSTRUMENT)


BUTTON_ACTIONS: dict[str, Callable[[Performance], None]] = {
    "chord/hold": Performance.hold_chord,
    "chord/release": lambda performance: performance.lead(""),
    "idea/new": new_idea,
    "idea/reroll": redraw,
    "answer/now": lambda performance: performance.company.end_question(),
    "remake/bar": lambda performance: performance.remaking.begin_next(int(performance.values["band/remake"])),
    "remake/other": lambda performance: performance.remaking.other(),
    "remake/keep": lambda performance: performance.remaking.keep(),
    "remake/undo": lambda performance: performance.remaking.undo(),
    **{f"form/{action}": partial(Performance.act, action=action) for action in ACTIONS},
}
