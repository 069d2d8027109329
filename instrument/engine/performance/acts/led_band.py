"""A band that a person leads: the plan, its chords and its form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.band import Band
from instrument.engine.performance.harmony.form import check_action
from instrument.engine.performance.harmony.leading import read_lead
from instrument.engine.performance.harmony.left_hand import HandSettings
from instrument.engine.performance.harmony.plan_in_force import TYPED, check_chords, check_text
from instrument.engine.performance.knobs import INSTRUMENT
from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.music.chords.names import chord_name
from instrument.music.harmony import KEYS
from instrument.music.plan import Plan


class LedBand(Band):
    """What a person does to the plan. A `Performance` says how it reaches the players."""

    _floor = 0

    def put(self, number: int, **what: Any) -> None:
        """Apply an input (fields of `Input`) to a player here."""
        raise NotImplementedError

    def set(self, knob: str, value: object, player: int = 0) -> Value:
        """Turn a knob."""
        raise NotImplementedError

    @property
    def floor(self) -> int:
        """The tick before which everything has been committed: no player may place an onset before it."""
        return self._floor

    @property
    def plan(self) -> Plan | None:
        """The plan, written well beyond the commit horizon; None while the players are free."""
        return next((player.plan.until(self._floor) for player in self.players if player.plan), None)

    @property
    def written_plan(self) -> Plan | None:
        """The plan as far as it was asked for. It may be read in any thread."""
        return next((player.plan.written for player in self.players if player.plan), None)

    @property
    def ends(self) -> int | None:
        """The tick at which the music ends, None if it goes on."""
        return next((player.plan.ends for player in self.players if player.plan), None)

    def set_progression(self, text: str) -> None:
        """Type another progression: the plan of the knob "plan" at "typed" follows it from the next bar on. HocketError
        if it cannot be read."""
        check_text(text)
        for line in self.lines:
            self.put(line.number, progression=text)

    def play_typed(self, text: str) -> None:
        """Play typed chords as the plan, from the next bar on. HocketError if they cannot be read."""
        self.set_progression(text)
        self.set("plan", TYPED, INSTRUMENT)

    def write_chords(self, bar: int, text: str) -> None:
        """Write chords into a bar, counted from 0, and into those after it where | divides the text: see
        `ipc.messages.SetChords`. HocketError for a bar that has begun, and where they cannot be read."""
        bars = {bar + place: " ".join(each.split()) for place, each in enumerate(text.split("|"))}
        if self.metres.start_of(bar) < self._floor:
            first = self.metres.locate(bar_line(self.metres, self._floor)).bar + 1
            raise HocketError(f"bar {bar + 1} has begun: write chords into bar {first} or later")
        key = KEYS.index(str(self._instrument["key"])), "major"
        for number, each in bars.items():
            metre = self.metres.locate(self.metres.start_of(number)).metre
            if each and metre:
                check_chords(each, (metre.numerator, metre.denominator), key)
        for line in self.lines:
            self.put(line.number, bars=bars)

    @property
    def written_chords(self) -> Mapping[int, str]:
        """The chords that a person wrote into bars, by number."""
        return next((player.plan.written_chords for player in self.players if player.plan), {})

    @property
    def led(self) -> str:
        """The chord that a person leads with, "" while the plan's hold."""
        return next((player.plan.led for player in self.players if player.plan), "")

    @property
    def left_hand(self) -> HandSettings:
        """Which keys lead the band."""
        return HandSettings.of(self._instrument)

    def lead(self, symbol: str) -> None:
        """Follow a chord ("Dm9") from the next place that the knob "turn" allows; "" goes back to the plan. HocketError
        if it cannot be read."""
        read_lead(symbol)
        for line in self.lines:
            self.put(line.number, chord=symbol)

    def hold_chord(self) -> None:
        """Stay on the present chord of the plan, if there is one."""
        chord = self.plan.chord_at(self._floor) if self.plan else None
        if chord and chord.tones:
            self.lead(chord_name(chord))

    def act(self, action: str) -> None:
        """Act on the form from the next bar on: one of `harmony.form.ACTIONS`. HocketError for another."""
        check_action(action)
        for line in self.lines:
            self.put(line.number, form=action)
