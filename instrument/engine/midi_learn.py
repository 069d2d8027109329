"""MIDI learn: assigns MIDI controllers to knobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import knob_name, moved_up, value_at
from instrument.engine.performance.performance import Performance
from instrument.io.ports import Clock

LEARN_NS = 30_000_000_000  # how long a knob waits for a controller

Controllers = dict[int, str]  # number of a MIDI controller -> name of the knob that it turns ("0/temperature")


class MidiLearnHost(Protocol):
    """What MIDI learn needs of the notes thread."""

    @property
    def performance(self) -> Performance:
        """The performance whose knobs are turned. Its patch holds the controllers."""
        ...

    def turn(self, info: KnobInfo, value: object) -> int:
        """Turn a knob."""
        ...

    def set_fields(self, **fields: Any) -> None:
        """Set fields of the patch that no note depends on."""
        ...


class MidiLearn:
    """Binds controllers to knobs and turns knobs by them. For the notes thread; others may read `learning`."""

    def __init__(self, notes: MidiLearnHost, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock
        self._waiting = ("", 0)  # a knob that waits for a controller, and until when (ns)

    @property
    def learning(self) -> str:
        """The name of the knob that waits for a controller, empty if there is none."""
        name, until = self._waiting
        return name if self._clock.now() < until else ""

    def learn(self, knob: str, player: int, on: bool) -> None:
        """Bind the next controller that is moved to a knob, or unbind the knob. HocketError for an unknown knob."""
        info = self._notes.performance.table.find(knob, player)
        name = knob_name(info.player, info.id)
        self._waiting = (name, self._clock.now() + LEARN_NS) if on else ("", 0)
        if not on:
            self.bind(self._others(name))

    def control(self, moved: Mapping[int, int]) -> None:
        """A person moved controllers: number -> value 0..127."""
        for number, value in moved.items():
            if name := self.learning:
                self.bind({**self._others(name), number: name})
                self._waiting = ("", 0)
            info = self._notes.performance.table.infos.get(self._controllers.get(number, ""))
            if info:
                self._notes.turn(info, value_at(info, value / 127))

    def bind(self, controllers: Controllers) -> None:
        """Replace all bindings."""
        self._notes.set_fields(routing=replace(self._notes.performance.patch.routing, controllers=controllers))

    def without(self, player: int) -> Controllers:
        """The bindings after a player was removed and the numbers of those behind it went down."""
        moved = {number: moved_up(name, player) for number, name in self._controllers.items()}
        return {number: name for number, name in moved.items() if name}

    @property
    def _controllers(self) -> Controllers:
        return self._notes.performance.patch.routing.controllers

    def _others(self, name: str) -> Controllers:
        """The bindings of all other knobs."""
        return {number: bound for number, bound in self._controllers.items() if bound != name}
