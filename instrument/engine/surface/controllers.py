"""Sorts what arrives at the MIDI input: what a controller turns or presses, and what is played."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from instrument import midi_spec
from instrument.engine.ipc.bindings import Binding
from instrument.engine.surface.bindings import matching
from instrument.engine.surface.buttons import BUTTONS
from instrument.midi_spec import BANK_LSB, BANK_MSB, CONTROL, FIRST_MODE_MESSAGE, PROGRAM, SUSTAIN

TURN_S = 0.03  # least time between two turns of knobs by controllers

_BUTTONS = frozenset(button.name for button in BUTTONS)

Arrived = tuple[int, bytes]  # when (ns), and a short MIDI message


class ControllerInput:
    """Takes bound messages and programs out of what arrives. For the thread of the input."""

    def __init__(
        self,
        bindings: Callable[[], Sequence[Binding]],
        learning: Callable[[], bool],
        pass_on: Callable[[list[Arrived]], object],
    ) -> None:
        """pass_on: takes what was moved; it must not wait."""
        self._bindings = bindings
        self._learning = learning
        self._pass_on = pass_on
        self._moved: dict[tuple[int, ...], Arrived] = {}  # the last message of each controller, not passed on yet
        self._turned = 0.0

    def sort(self, arrived: Sequence[Arrived]) -> list[Arrived]:
        """Take what is for knobs, buttons and patches. Returns the rest. To be called some hundred times a second, also
        when nothing has arrived."""
        left: list[Arrived] = []
        bindings, learning = self._bindings(), self._learning()
        for each in arrived:
            message = each[1]
            found = matching(bindings, message)
            chosen = midi_spec.parse(message).kind == PROGRAM or _is_bank(message)
            if found and not learning and all(_is_slow(binding) for binding in found):
                self._moved[tuple(message[:2])] = each
            elif found or chosen or (learning and _can_be_learnt(message)):
                self._flush()
                self._pass_on([each])
            if not found and not chosen and not (learning and _can_be_learnt(message) and _is_control(message)):
                left.append(each)
        if self._moved and time.monotonic() - self._turned > TURN_S:
            self._flush()
        return left

    def _flush(self) -> None:
        if self._moved:
            moved, self._moved = list(self._moved.values()), {}
            self._turned = time.monotonic()
            self._pass_on(moved)


def _is_slow(binding: Binding) -> bool:
    """Whether only the last value of a controller counts, so that it may wait for `TURN_S`."""
    turns = binding.kind == "control" and binding.mode in ("absolute", "fine")
    return turns and binding.name not in _BUTTONS


def _is_control(message: bytes) -> bool:
    return midi_spec.parse(message).kind == CONTROL


def _is_bank(message: bytes) -> bool:
    parsed = midi_spec.parse(message)
    return parsed.kind == CONTROL and parsed.first in (BANK_MSB, BANK_LSB)


def _can_be_learnt(message: bytes) -> bool:
    parsed = midi_spec.parse(message)
    return parsed.starts or (parsed.kind == CONTROL and parsed.first != SUSTAIN and parsed.first < FIRST_MODE_MESSAGE)
