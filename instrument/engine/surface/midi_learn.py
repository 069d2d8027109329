"""MIDI learn: assigns MIDI controllers and keys to knobs and buttons, and turns and presses these by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from instrument import midi_spec
from instrument.engine.ipc.bindings import Binding, Mode
from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import knob_name, moved_up
from instrument.engine.performance.performance import Performance
from instrument.engine.surface.bindings import Grip, matching
from instrument.engine.surface.buttons import BUTTONS
from instrument.errors import HocketError
from instrument.io.ports import Clock
from instrument.midi_spec import BANK_LSB, BANK_MSB, CONTROL, FINE, PROGRAM

LEARN_NS = 30_000_000_000  # how long a knob waits for a controller
HALF_NS = 50_000_000  # within it the fine half of a 14-bit controller follows the coarse one

Bindings = tuple[Binding, ...]


class MidiLearnHost(Protocol):
    """What MIDI learn needs of the notes thread."""

    @property
    def performance(self) -> Performance:
        """The performance whose knobs are turned. Its patch holds the bindings."""
        ...

    def turn(self, info: KnobInfo, value: object) -> int:
        """Turn a knob."""
        ...

    def press(self, name: str, ns: int) -> None:
        """Press a button or a knob."""
        ...

    def set_fields(self, **fields: Any) -> None:
        """Set fields of the patch that no note depends on."""
        ...


class MidiLearn:
    """Binds controllers, and turns and presses by them. For the notes thread; others may read `learning`.

    choose_patch: called with bank and number of a program change; problem: why the last press was refused.
    """

    def __init__(self, notes: MidiLearnHost, clock: Clock) -> None:
        self.choose_patch: Callable[[int, int], object] = lambda bank, program: None
        self.problem = ""
        self._notes = notes
        self._clock = clock
        self._waiting: tuple[str, Mode, int] = ("", "absolute", 0)  # what waits, how it is turned, until when (ns)
        self._coarse: tuple[Binding, int] | None = None  # learnt just now, and when: its fine half may follow
        self._grips: dict[Binding, Grip] = {}
        self._banks = [[0, 0] for _ in range(midi_spec.CHANNELS)]  # coarse and fine number of the bank, by channel

    @property
    def learning(self) -> str:
        """The name of what waits for a controller, empty if there is none."""
        name, _, until = self._waiting
        return name if self._clock.now() < until else ""

    def learn(self, knob: str, player: int, on: bool, mode: Mode = "absolute") -> None:
        """Bind the next controller that is moved to a knob or button, or unbind it; an empty name: stop waiting.
        HocketError for an unknown name."""
        if not knob:
            self._waiting = ("", "absolute", 0)
            return
        name = knob
        if knob not in {button.name for button in BUTTONS}:
            info = self._notes.performance.table.find(knob, player)
            name = knob_name(info.player, info.id)
        self._waiting = (name, mode, self._clock.now() + LEARN_NS) if on else ("", "absolute", 0)
        if not on:
            self.bind(self._others(name))

    def control(self, moved: Sequence[tuple[int, bytes]]) -> None:
        """A person moved controllers, pressed keys or chose programs: (ns, message), in order."""
        for ns, message in moved:
            parsed = midi_spec.parse(message)
            if parsed.kind == PROGRAM:
                coarse, fine = self._banks[parsed.channel]
                self.choose_patch(coarse << 7 | fine, parsed.first)
                continue
            if parsed.kind == CONTROL and parsed.first in (BANK_MSB, BANK_LSB):
                self._banks[parsed.channel][parsed.first == BANK_LSB] = parsed.second
            if name := self.learning:
                self._learn(name, ns, parsed)
            elif self._coarse:
                self._widen(ns, parsed)
            for binding in matching(self.bindings, message):
                self._move(binding, ns, message)

    def bind(self, bindings: Bindings) -> None:
        """Replace all bindings."""
        self._notes.set_fields(routing=replace(self._notes.performance.patch.routing, bindings=bindings))

    def without(self, player: int) -> Bindings:
        """The bindings after a player was removed and the numbers of those behind it went down."""
        moved = (replace(each, name=moved_up(each.name, player)) for each in self.bindings)
        return tuple(each for each in moved if each.name)

    @property
    def bindings(self) -> Bindings:
        """All bindings."""
        return self._notes.performance.patch.routing.bindings

    def _learn(self, name: str, ns: int, moved: midi_spec.ShortMessage) -> None:
        """Bind what was moved, if it fits: a key presses, it does not turn a number."""
        info = self._notes.performance.table.infos.get(name)
        if moved.starts and (info is None or info.kind != "number"):
            binding = Binding(name, moved.first, "note", moved.channel + 1)
        elif moved.kind == CONTROL:
            binding = Binding(name, moved.first, "control", moved.channel + 1, self._waiting[1])
            self._coarse = (binding, ns) if binding.mode == "absolute" and moved.first < FINE else None
        else:
            return
        place = (binding.kind, binding.number, binding.channel)
        kept = [each for each in self._others(name) if (each.kind, each.number, each.channel) != place]
        self._waiting = ("", "absolute", 0)
        self.bind((*kept, binding))

    def _widen(self, ns: int, moved: midi_spec.ShortMessage) -> None:
        """The controller that was just learnt is one of 14 bits, if its fine half follows at once."""
        assert self._coarse
        binding, since = self._coarse
        self._coarse = None
        half = (CONTROL, binding.number + FINE, binding.channel - 1)
        if (moved.kind, moved.first, moved.channel) == half and ns - since < HALF_NS:
            self.bind((*self._others(binding.name), replace(binding, mode="fine")))

    def _move(self, binding: Binding, ns: int, message: bytes) -> None:
        grip = self._grips.setdefault(binding, Grip(binding))
        performance = self._notes.performance
        info = performance.table.infos.get(binding.name)
        try:
            if info is None or binding.kind == "note":
                if grip.pressed(message):
                    self._notes.press(binding.name, ns)
            elif (value := grip.turned(message, info, performance.values[binding.name])) is not None:
                self._notes.turn(info, value)
                grip.keep(performance.values[binding.name])
            self.problem = ""
        except HocketError as error:
            self.problem = str(error)

    def _others(self, name: str) -> Bindings:
        """The bindings of all other knobs and buttons."""
        return tuple(each for each in self.bindings if each.name != name)
