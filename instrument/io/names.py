"""Finding devices and ports by name, since their numbers change."""

from __future__ import annotations

import re
from collections.abc import Sequence

from instrument.errors import HocketError

_NUMBERS = re.compile(r" \d+:\d+$")  # ALSA's client and port, which change when a device is connected again
_OWN = re.compile(r"Hocket( \d+| in| list| in list)?")


def plain(name: str) -> str:
    """The name of a MIDI port without the numbers that ALSA adds."""
    return _NUMBERS.sub("", name)


def plain_names(names: Sequence[str]) -> list[str]:
    """The names without ALSA's numbers; a name that comes again is counted: "Synth:MIDI 1", "Synth:MIDI 1 #2"."""
    found: list[str] = []
    for name in map(plain, names):
        count = sum(each == name or each.startswith(f"{name} #") for each in found)
        found.append(f"{name} #{count + 1}" if count else name)
    return found


def is_own(port: str) -> bool:
    """Whether a MIDI port is one of Hocket's own, which are not offered."""
    return _OWN.fullmatch(port.partition(":")[0]) is not None


def pick(wanted: str, names: Sequence[str], kind: str, otherwise: str) -> int:
    """The index of the name that is `wanted`, or the only one containing it, whatever the case.

    kind and otherwise complete the sentence of the HocketError raised when none or several do: "an audio
    device", "null".
    """
    folded = wanted.casefold()
    exact = [i for i, name in enumerate(names) if name.casefold() == folded]
    near = exact or [i for i, name in enumerate(names) if folded in name.casefold()]
    if exact or len(near) == 1:
        return near[0]
    problem = f"fits more than {kind}" if near else f"is not the name of {kind} here"
    choice = ", ".join(repr(names[i]) for i in near or range(len(names)))
    raise HocketError(f"{wanted!r} {problem}: use {choice + ' or ' if choice else ''}{otherwise}")
