"""What the voices are told of what a person plays: by channel, by zone, and by the ranges that the keyboard sets."""

import pytest

from instrument.engine.voices.live_channels import LiveChannels, LiveMessage
from instrument.midi_spec import (
    BEND_RANGE,
    EXPRESSION,
    MODULATION,
    MPE_ZONE,
    NOTES_OFF,
    RESET_CONTROLLERS,
    SOUND_OFF,
    SUSTAIN,
    VOLUME,
    bend,
    control,
    note_off,
    note_on,
    parameter,
)

UP = 4096  # half of a bend's way


def pressed(channel: int, key: int, value: int) -> bytes:
    return bytes((0xA0 | channel, key, value))


def pressure(channel: int, value: int) -> bytes:
    return bytes((0xD0 | channel, value))


def take(channels: LiveChannels, *messages: bytes) -> list[LiveMessage]:
    return [sent for message in messages for sent in channels.take(message)]


def bends(sent: list[LiveMessage]) -> dict[int, float]:
    return {live.message[0] & 15: live.semitones for live in sent if live.message[0] & 0xF0 == 0xE0}


def test_a_bend_is_of_its_channel_over_two_semitones() -> None:
    channels = LiveChannels()
    sent = take(channels, note_on(0, 60, 90), note_on(1, 60, 90), bend(1, UP))
    assert sent == [(note_on(0, 60, 90), 0.0), (note_on(1, 60, 90), 0.0), (bend(1, UP), 1.0)]


def test_the_bend_range_is_a_parameter_of_the_channel() -> None:
    channels = LiveChannels()
    take(channels, bend(3, UP), bend(4, UP))
    assert bends(take(channels, *parameter(3, BEND_RANGE, 12, 50))) == {3: 6.25}, "at once"
    assert bends(take(channels, bend(4, -8192))) == {4: -2.0}
    assert take(channels, control(3, 6, 24)) == [], "no parameter is selected any more"
    assert bends(take(channels, control(3, 99, 0), control(3, 98, 0), control(3, 6, 24), bend(3, UP))) == {3: 6.25}
    assert bends(take(channels, *parameter(3, BEND_RANGE, 127))) == {3: 48.0}, "at most 96"


def test_a_zone_has_its_own_ranges_and_its_master_acts_on_all_of_it() -> None:
    channels = LiveChannels()
    take(channels, *parameter(0, MPE_ZONE, 3))
    assert bends(take(channels, bend(2, UP))) == {2: 24.0}
    assert bends(take(channels, bend(0, UP))) == {0: 1.0, 1: 1.0, 2: 25.0, 3: 1.0}
    assert bends(take(channels, bend(4, UP))) == {4: 1.0}, "outside"
    assert bends(take(channels, *parameter(1, BEND_RANGE, 12))) == {1: 1.0, 2: 7.0, 3: 1.0}, "of all members"
    down = [live.message for live in take(channels, control(0, SUSTAIN, 127), pressure(0, 50))]
    assert down == [control(i, SUSTAIN, 127) for i in range(4)] + [pressure(i, 50) for i in range(4)]
    off = [live.message for live in take(channels, control(0, NOTES_OFF, 0))]
    assert off == [control(i, NOTES_OFF, 0) for i in range(4)]


def test_two_zones_share_the_channels_and_the_later_one_has_its_way() -> None:
    channels = LiveChannels()
    take(channels, *parameter(0, MPE_ZONE, 10), *parameter(15, MPE_ZONE, 6))
    assert channels.zone(15) == [15, 14, 13, 12, 11, 10, 9]
    assert channels.zone(0) == list(range(9))
    take(channels, *parameter(0, MPE_ZONE, 15))
    assert channels.zone(0) == list(range(16))
    assert channels.zone(15) == [15]
    take(channels, *parameter(0, MPE_ZONE, 0))
    assert bends(take(channels, bend(3, UP))) == {3: 1.0}, "no zone any more"
    assert take(channels, *parameter(5, MPE_ZONE, 4)) == [], "no channel of a master"


def test_pressure_of_a_key_is_the_greatest_of_its_channel_until_it_is_up() -> None:
    channels = LiveChannels()
    sent = take(channels, pressed(2, 60, 40), pressed(2, 64, 90), note_off(2, 64), note_off(2, 60))
    assert [live.message for live in sent] == [
        pressure(2, 40), pressure(2, 90), note_off(2, 64), pressure(2, 40), note_off(2, 60), pressure(2, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("number", [NOTES_OFF, 124, 125, 126, 127])
def test_modes_end_notes_softly(number: int) -> None:
    assert take(LiveChannels(), control(5, number, 1)) == [(control(5, NOTES_OFF, 0), 0.0)]


def test_the_other_mode_messages() -> None:
    channels = LiveChannels()
    take(channels, bend(5, UP), control(5, EXPRESSION, 30), control(5, VOLUME, 80))
    assert take(channels, control(5, SOUND_OFF, 0)) == [(control(5, SOUND_OFF, 0), 0.0)]
    assert take(channels, control(5, RESET_CONTROLLERS, 0)) == [
        (control(5, RESET_CONTROLLERS, 0), 0.0), (bend(5, 0), 0.0),
    ]  # fmt: skip
    assert channels.setup() == [control(5, VOLUME, 80)], "volume stays"
    assert take(channels, control(5, 122, 0)) == [], "local control is of the keyboard itself"
    assert take(channels, bytes((0xC5, 7)), control(5, 20, 64)) == []


def test_new_channels_can_be_set_up_alike() -> None:
    channels = LiveChannels()
    messages = (
        *parameter(15, MPE_ZONE, 4), *parameter(12, BEND_RANGE, 24), *parameter(2, BEND_RANGE, 7, 25),
        bend(12, UP), bend(15, -UP), bend(2, UP), control(2, SUSTAIN, 127), control(15, MODULATION, 9), pressure(1, 33),
    )  # fmt: skip
    take(channels, *messages)
    again = LiveChannels()
    take(again, *channels.setup())
    assert again.setup() == channels.setup()
    for channel in range(16):
        assert bends(take(again, bend(channel, 1000))) == bends(take(channels, bend(channel, 1000)))
    assert LiveChannels().setup() == []
