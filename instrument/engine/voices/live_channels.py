"""What a person plays, channel by channel: bend ranges, the zones of MPE keyboards, pressure, and what holds now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from instrument import midi_spec
from instrument.midi_spec import (
    BEND_CENTRE,
    BEND_RANGE,
    CHANNELS,
    CHORUS,
    DATA,
    DATA_FINE,
    EXPRESSION,
    MODULATION,
    MPE_ZONE,
    NOTES_OFF,
    NRPN,
    NRPN_FINE,
    PAN,
    PRESSURE,
    RESET_CONTROLLERS,
    REVERB,
    RPN,
    RPN_FINE,
    SOFT,
    SOSTENUTO,
    SOUND_OFF,
    SUSTAIN,
    VOLUME,
)

PLAYED = frozenset((MODULATION, VOLUME, PAN, EXPRESSION, SUSTAIN, SOSTENUTO, SOFT, REVERB, CHORUS))  # what sounds
PARAMETERS = frozenset((DATA, DATA_FINE, NRPN_FINE, NRPN, RPN_FINE, RPN))
RESET = frozenset((MODULATION, EXPRESSION, SUSTAIN, SOSTENUTO, SOFT))  # by controller 121 (MMA RP-015)
SEMITONES, MEMBER_SEMITONES, MOST_SEMITONES = 2.0, 48.0, 96.0  # bend ranges: of a channel, of a member of a zone
_LOWER, _UPPER = 0, CHANNELS - 1  # the channels that may be masters of a zone


class LiveMessage(NamedTuple):
    """A short MIDI message for the voices that play the keyboard. semitones: of a bend, with that of its zone."""

    message: bytes
    semitones: float = 0.0


@dataclass(slots=True)
class _Channel:
    """bend: -8192..8191, over `semitones`; parameter: the registered one that is selected; pressures: by key."""

    semitones: float = SEMITONES
    bend: int = 0
    pressure: int = 0
    parameter: tuple[int, int] = (127, 127)
    controls: dict[int, int] = field(default_factory=dict)
    pressures: dict[int, int] = field(default_factory=dict)


class LiveChannels:
    """Turns the messages of keyboards into those that the voices play. For one thread.

    A bend is of its channel alone, over the range that the keyboard has set. The master channel of an MPE zone acts on
    the whole zone (MIDI Polyphonic Expression, version 1.0). Pressure of a key counts as pressure of its channel.
    Programs and controllers without effect on the sound are left out.
    """

    def __init__(self) -> None:
        self._channels = [_Channel() for _ in range(CHANNELS)]
        self._members: dict[int, int] = {}  # of the zone of a master channel: how many

    def take(self, message: bytes) -> list[LiveMessage]:
        """The messages for the voices that follow from a message of a keyboard."""
        kind, channel, first, second = midi_spec.parse(message)
        match kind:
            case midi_spec.NOTE_ON:
                return [LiveMessage(message)]
            case midi_spec.NOTE_OFF:
                pressed = self._channels[channel].pressures.pop(first, None)
                return [LiveMessage(message), *(self._press(channel) if pressed else ())]
            case midi_spec.POLY_PRESSURE:
                self._channels[channel].pressures[first] = second
                return self._press(channel)
            case midi_spec.PRESSURE:
                for each in self.zone(channel):
                    self._channels[each].pressure = first
                return [LiveMessage(bytes((PRESSURE | each, first))) for each in self.zone(channel)]
            case midi_spec.BEND:
                self._channels[channel].bend = (first | second << 7) - BEND_CENTRE
                return [self._bent(each) for each in self.zone(channel)]
            case midi_spec.CONTROL if first in PARAMETERS:
                return [self._bent(each) for each in self._set_parameter(channel, first, second)]
            case midi_spec.CONTROL:
                return [sent for each in self.zone(channel) for sent in self._control(each, first, second)]
        return []

    def setup(self) -> list[bytes]:
        """The messages after which new channels are as these are now, apart from the notes."""
        messages = []
        for master, members in self._members.items():
            messages += midi_spec.parameter(master, MPE_ZONE, members)
        for number, channel in enumerate(self._channels):
            if channel.semitones != self._usual_range(number):
                whole = int(channel.semitones)
                messages += midi_spec.parameter(number, BEND_RANGE, whole, round((channel.semitones - whole) * 100))
        for number, channel in enumerate(self._channels):
            messages += [midi_spec.control(number, of, value) for of, value in channel.controls.items()]
            messages += [midi_spec.bend(number, channel.bend)] if channel.bend else []
            messages += [bytes((PRESSURE | number, channel.pressure))] if channel.pressure else []
        return messages

    def zone(self, channel: int) -> list[int]:
        """The channels on which a channel acts: itself, and of a zone's master its members."""
        count = self._members.get(channel, 0)
        step = -1 if channel == _UPPER else 1
        return [channel + step * i for i in range(count + 1)]

    def _control(self, number: int, controller: int, value: int) -> Iterator[LiveMessage]:
        """A controller of one channel."""
        channel = self._channels[number]
        if controller in PLAYED:
            channel.controls[controller] = value
            yield LiveMessage(midi_spec.control(number, controller, value))
        elif controller == SOUND_OFF:
            yield LiveMessage(midi_spec.control(number, SOUND_OFF, 0))
        elif controller >= NOTES_OFF:  # the later ones change modes, and end the notes as this one does
            yield LiveMessage(midi_spec.control(number, NOTES_OFF, 0))
        elif controller == RESET_CONTROLLERS:
            channel.bend = channel.pressure = 0
            channel.pressures.clear()
            channel.parameter = (127, 127)
            for reset in RESET & channel.controls.keys():
                del channel.controls[reset]
            yield LiveMessage(midi_spec.control(number, RESET_CONTROLLERS, 0))
            yield self._bent(number)

    def _press(self, number: int) -> list[LiveMessage]:
        """The pressure of a channel: the greatest of its keys and its own."""
        channel = self._channels[number]
        return [LiveMessage(bytes((PRESSURE | number, max([channel.pressure, *channel.pressures.values()]))))]

    def _bent(self, number: int) -> LiveMessage:
        """The bend of a channel, with that of its zone."""
        bent = sum(
            channel.semitones * channel.bend / BEND_CENTRE
            for channel in (self._channels[each] for each in (number, self._master(number)) if each is not None)
        )
        return LiveMessage(midi_spec.bend(number, self._channels[number].bend), bent)

    def _master(self, number: int) -> int | None:
        """The master of the zone of which a channel is a member."""
        return next((master for master in self._members if number in self.zone(master)[1:]), None)

    def _usual_range(self, number: int) -> float:
        """The bend range of a channel until it is set."""
        return SEMITONES if self._master(number) is None else MEMBER_SEMITONES

    def _set_parameter(self, number: int, controller: int, value: int) -> list[int]:
        """Select a parameter or set it. Returns the channels whose bends have changed."""
        channel = self._channels[number]
        coarse, fine = channel.parameter
        match controller:
            case midi_spec.RPN:
                channel.parameter = (value, fine)
            case midi_spec.RPN_FINE:
                channel.parameter = (coarse, value)
            case midi_spec.NRPN | midi_spec.NRPN_FINE:
                channel.parameter = (127, 127)
            case midi_spec.DATA if channel.parameter == (0, MPE_ZONE) and number in (_LOWER, _UPPER):
                return self._set_zone(number, value)
            case midi_spec.DATA | midi_spec.DATA_FINE if channel.parameter == (0, BEND_RANGE):
                whole = int(channel.semitones)
                semitones = whole + value / 100 if controller == DATA_FINE else float(value)
                master = self._master(number)
                changed = [number] if master is None else self.zone(master)[1:]  # members have one range
                for each in changed:
                    self._channels[each].semitones = min(semitones, MOST_SEMITONES)
                return changed if master is not None else self.zone(number)
        return []

    def _set_zone(self, master: int, members: int) -> list[int]:
        """Let a master channel have so many members. The other zone gives way."""
        before = {each for zone in self._members for each in self.zone(zone)}
        members = min(members, CHANNELS - 1)
        other = _UPPER if master == _LOWER else _LOWER
        counts = {other: min(self._members.get(other, 0), CHANNELS - 2 - members), master: members}
        self._members = {of: count for of, count in counts.items() if count > 0}
        changed = sorted(before.union(*(self.zone(zone) for zone in self._members)))
        for each in changed:
            self._channels[each].semitones = self._usual_range(each)
            self._channels[each].bend = 0
        return changed
