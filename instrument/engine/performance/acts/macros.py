"""Macros: knobs of the instrument that turn other knobs.

A macro moves each of its knobs from where that knob is, so that nothing jumps. Turned back, it puts back what was
there. Only the turns of those knobs reach the players, so that a take plays what was heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from instrument.engine.ipc.messages import KnobInfo, Value
from instrument.engine.performance.knobs import INSTRUMENT, MACROS, checked, knob_name, place_of, value_at
from instrument.engine.performance.performance import Performance
from instrument.errors import HocketError

MOST = 64  # knobs of a macro
_MIDDLE = 0.5  # place from which a knob moves whose zero is no amount
_BY_DEFAULT = {  # macro -> id of a knob of any player, or name of one of the instrument -> how far it moves
    "surprise": {"temperature": 0.7, "wander": 0.6},
    "busy": {"density": 0.8},
    "bright": {"register": 0.5, "brightness": 1.0},
    "groove": {"band/feel": 1.0, "band/dynamics": 0.8},
}


class _Base(NamedTuple):
    """Where a knob was when its macro began to move it. at: of the macro; value: of the knob; last: what the macro set
    it to."""

    at: float
    value: Value
    last: Value


def moves(performance: Performance, macro: str, before: float, now: float) -> list[tuple[KnobInfo, Value]]:
    """The turns of other knobs that a turn of a macro brings."""
    turns = []
    for name, amount in targets(performance.patch.macros, macro, performance.table.infos).items():
        info, value = performance.table.infos[name], performance.values[name]
        base = _Base(*performance.macro_bases.get((macro, name), (before, value, value)))
        if base.last != value:  # it was turned by other means since
            base = _Base(before, value, value)
        wanted = base.value
        if now != base.at:
            start = _MIDDLE if info.zero and not base.value else place_of(info, base.value)
            wanted = checked(info, value_at(info, min(max(start + (now - base.at) * amount, 0.0), 1.0)))
        performance.macro_bases[macro, name] = base._replace(last=wanted)
        if wanted != value:
            turns.append((info, wanted))
    return turns


def targets(mapped: Mapping[str, Mapping[str, float]], macro: str, infos: Mapping[str, KnobInfo]) -> dict[str, float]:
    """The knobs that a macro moves, by name, and how far. mapped: those that a patch gives, by macro; a macro that is
    not there has its own."""
    if macro in mapped:
        return {name: amount for name, amount in mapped[macro].items() if _can_move(infos.get(name))}
    own = _BY_DEFAULT.get(macro, {})
    of_players = {name: info.id for name, info in infos.items() if info.player != INSTRUMENT}
    found = {name: own.get(of_players.get(name, name), 0.0) for name in infos}
    return {name: amount for name, amount in found.items() if amount and _can_move(infos[name])}


def map_knob(performance: Performance, macro: str, knob: str, amount: float) -> None:
    """Map a knob to a macro of the patch; amount 0: no longer. HocketError for what cannot be mapped."""
    if macro not in MACROS:
        raise HocketError(f"there is no macro {macro!r}: choose one of {', '.join(MACROS)}")
    info = performance.table.find(knob)
    if not _can_move(info):
        raise HocketError(f"{info.label} is no number that a macro could move: choose another knob")
    now = targets(performance.patch.macros, macro, performance.table.infos)
    now[knob_name(info.player, info.id)] = amount
    now = {name: by for name, by in now.items() if by}
    if len(now) > MOST:
        raise HocketError(f"a macro moves {MOST} knobs at most: remove one first")
    performance.patch = replace(performance.patch, macros={**performance.patch.macros, macro: now})


def _can_move(info: KnobInfo | None) -> bool:
    return info is not None and info.kind == "number" and (info.player != INSTRUMENT or info.id not in MACROS)
