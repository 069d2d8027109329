"""What the settings of the keyboard do, and that each key ends as it began."""

from instrument.engine.midi.keys import Keys, KeySettings, Through
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS, knob_name
from instrument.midi_spec import NOTES_OFF, RESET_CONTROLLERS, SUSTAIN, bend, control, note_off, note_on

PLAIN = KeySettings()


def test_the_knobs_leave_the_keyboard_as_it_is_unless_they_are_turned() -> None:
    values = {knob_name(info.player, info.id): info.default for info in INSTRUMENT_KNOBS}
    assert KeySettings.of(values) == PLAIN
    turned = values | {"band/keys_channel": "10", "band/keys_transpose": -12.0, "band/keys_velocity": 0.5}
    assert KeySettings.of(turned) == KeySettings(9, -12, 0.5)


def test_transposed_keys_end_as_they_began() -> None:
    keys = Keys()
    up = KeySettings(transpose=12)
    assert keys.take(note_on(0, 60, 90), up) == note_on(0, 72, 90)
    assert keys.held == (72,)
    assert keys.take(bytes((0xA0, 60, 50)), up) == bytes((0xA0, 72, 50))
    assert keys.take(note_off(0, 60), PLAIN) == note_off(0, 72), "although the setting is another by now"
    assert keys.held == ()
    assert keys.take(note_off(0, 60), PLAIN) == b""
    assert keys.take(note_on(9, 36, 90), up) == note_on(9, 36, 90), "drums stay"
    assert keys.take(note_on(0, 120, 90), up) == note_on(0, 120, 90), "by octaves into the range"


def test_touch_is_a_curve_with_fixed_ends() -> None:
    harder, softer = KeySettings(velocity=1.0), KeySettings(velocity=-1.0)
    assert [softer.struck(64), PLAIN.struck(64), harder.struck(64)] == [32, 64, 90]
    for settings in (softer, PLAIN, harder):
        struck = [settings.struck(velocity) for velocity in range(1, 128)]
        assert struck == sorted(struck)
        assert struck[0] >= 1
        assert struck[-1] == 127


def test_one_channel_is_heard_alone_but_no_key_hangs() -> None:
    keys = Keys()
    assert keys.take(note_on(3, 60, 90), PLAIN) == note_on(3, 60, 90)
    alone = KeySettings(channel=0)
    assert keys.take(note_on(3, 62, 90), alone) == b""
    assert keys.take(bend(3, 100), alone) == b""
    assert keys.take(note_on(0, 64, 90), alone) == note_on(0, 64, 90)
    assert keys.take(note_off(3, 60), alone) == note_off(3, 60)
    assert keys.held == (64,)


def test_what_is_released_with_its_keyboard() -> None:
    keys = Keys()
    assert keys.is_idle
    for message in (note_on(0, 60, 90), control(1, SUSTAIN, 127), bend(2, 500)):
        keys.take(message, KeySettings(transpose=1))
    assert keys.release() == [note_off(0, 61), *(control(channel, RESET_CONTROLLERS, 0) for channel in (0, 1, 2))]
    assert keys.is_idle
    assert keys.release() == []


def test_keys_go_through_to_the_output_as_the_patch_says() -> None:
    through = Through()
    assert through.take(note_on(2, 60, 90)) == [], "off"
    through.sends = True
    assert through.take(note_on(2, 60, 90)) == [note_on(2, 60, 90)]
    assert through.take(bend(2, 100)) == [bend(2, 100)]
    through.channel = 4
    assert through.take(note_off(2, 60)) == [note_off(2, 60)], "where it began"
    assert through.take(note_on(2, 60, 90)) == [note_on(4, 60, 90)]
    assert through.take(bytes((0xD2, 30))) == [bytes((0xD4, 30))]
    assert through.take(note_on(9, 36, 90)) == [note_on(9, 36, 90)], "drums stay"
    through.sends = False
    assert through.take(control(2, NOTES_OFF, 0)) == [note_off(4, 60)], "the band may be on that channel"
    assert through.release() == [note_off(9, 36)]
    assert through.release() == []
