"""Variations of a patch: other values of its knobs, near the present ones or far from them."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from instrument.engine.ipc.messages import Description, KnobInfo, Value
from instrument.engine.performance.arrangement import GENRE, SENDING
from instrument.engine.performance.knobs import INSTRUMENT, checked, knob_name, place_of, value_at

STYLE, NOTES, SOUND, BAND = "Style", "Notes", "Sound", "Band"
LOCKS = {
    STYLE: "The genre of each player stays",
    NOTES: "How players choose their notes stays",
    SOUND: "The sound of the sound players stays",
    BAND: "Swing, feel, dynamics and what belongs to the band stay",
}
LITTLE, LOT = 0.12, 0.45  # how far a knob moves at most, in shares of it
COUNT = 4
_OF_BAND = ("chromatic", "harmony", "vary", "swing", "feel", "dynamics")
_LEFT = SENDING | {"level", "volume", "mute", "solo", "pan", "width", "part", "freeze", "hear", "guidance"}


def variations(description: Description, far: float, locked: Collection[str], seed: int) -> list[dict[str, Value]]:
    """The values of the knobs that each of `COUNT` variations changes, by name. far: `LITTLE` or `LOT`; locked: names
    of `LOCKS`; seed: of the draws."""
    draw = random.Random(seed)
    free = [info for info in description.knobs if (group := group_of(info, description.kinds)) and group not in locked]
    return [
        {name: value for info in free if (name := knob_name(info.player, info.id)) in description.values
         for value in [_other(info, description.values[name], far, draw)]}
        for _ in range(COUNT)
    ]  # fmt: skip


def group_of(info: KnobInfo, kinds: tuple[str, ...]) -> str:
    """The name of the lock that holds a knob, "" for one that no variation changes."""
    if info.player == INSTRUMENT:
        return BAND if info.id in _OF_BAND else ""
    if info.id in _LEFT or info.player >= len(kinds):
        return ""
    if info.id == GENRE:
        return STYLE
    if info.kind != "number":
        return ""
    return NOTES if kinds[info.player] == "notes" else SOUND


def _other(info: KnobInfo, value: Value, far: float, draw: random.Random) -> Value:
    if info.kind == "choice":
        return draw.choice(info.choices) if far > LITTLE and draw.random() < 0.5 else value
    if info.zero and not value:  # it is left to the genre
        return value
    place = place_of(info, value) + draw.uniform(-far, far)
    return checked(info, value_at(info, min(max(place, 0.0), 1.0)))


def changed(before: Mapping[str, Value], after: Mapping[str, Value]) -> dict[str, Value]:
    """The values of `after` that are not those of `before`."""
    return {name: value for name, value in after.items() if before.get(name) != value}
