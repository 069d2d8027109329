"""Finding devices and ports by name, since their numbers change."""

from __future__ import annotations

from collections.abc import Sequence

from instrument.errors import HocketError


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
