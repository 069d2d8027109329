"""What OSC messages mean: addresses are the names of knobs and buttons below /hocket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from instrument.engine.ipc.messages import (
    AnyCommand,
    KnobInfo,
    LoadPatch,
    Press,
    Remake,
    SetKnob,
    SetProgression,
    Value,
)
from instrument.engine.surface.buttons import BUTTONS
from instrument.errors import HocketError

ROOT = "/hocket/"
LONGEST = 20_000  # characters of a text
_BUTTONS = frozenset(button.name for button in BUTTONS)
_TEXTS = ("patch", "chords")
REMAKE = "remake"


def command(address: str, values: Sequence[object], knobs: Mapping[str, KnobInfo]) -> AnyCommand | None:
    """The command of a message; None: the button was released. knobs: by name. HocketError for one that means
    nothing."""
    name = address.removeprefix(ROOT)
    if name == address:
        raise HocketError(f"{address[:100]!r} is no address of Hocket: begin with {ROOT}")
    value = values[0] if values else None
    if name in _BUTTONS:
        return None if values and not value else Press(name)
    if name == REMAKE:
        if len(values) != 2 or not all(type(each) is int and 0 <= each <= 1_000_000 for each in values):
            raise HocketError(f"{address} needs two whole numbers: the player, and a bar from 1")
        return Remake(bar=int(str(values[1])), player=int(str(values[0])))
    if name in _TEXTS:
        if not isinstance(value, str) or len(value) > LONGEST:
            raise HocketError(f"{address} needs a text of up to {LONGEST} characters")
        return LoadPatch(value) if name == "patch" else SetProgression(value)
    info = knobs.get(name)
    if info is None:
        raise HocketError(f"there is nothing called {name[:100]!r}: ask {ROOT}? for all names")
    if value is None:
        return Press(name)
    if isinstance(value, str):
        return SetKnob(name, value[:LONGEST])
    if not isinstance(value, int | float) or not isfinite(value):
        raise HocketError(f"{address} needs a number or a text")
    if info.kind == "choice" and not isinstance(value, bool):
        place = min(max(int(value), 0), len(info.choices) - 1)  # by its number, for controllers that send no text
        return SetKnob(name, info.choices[place])
    return SetKnob(name, float(value))


def answers(address: str, values: Mapping[str, Value], state: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
    """The messages that answer a query, an address with ? at its end: a knob, a state, or all of them. HocketError for
    an unknown one. values: of knobs, by name; state: playing, position, ..."""
    name = address.removeprefix(ROOT).removesuffix("?")
    everything: dict[str, list[Value]] = {ROOT + knob: [value] for knob, value in values.items()}
    everything |= {ROOT + what: list(each) for what, each in state.items()}
    if not name:
        return everything
    if ROOT + name not in everything:
        raise HocketError(f"there is nothing called {name[:100]!r}: ask {ROOT}? for all names")
    return {ROOT + name: everything[ROOT + name]}
