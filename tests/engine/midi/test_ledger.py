from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.engine.midi.ledger import MAX_DURATION, Ledger
from instrument.midi_spec import NOTE_OFF, NOTE_ON

calls = st.lists(
    st.one_of(
        st.tuples(
            st.just("on"),
            st.floats(0, 100),
            st.integers(0, 15),
            st.integers(0, 127),
            st.integers(0, 127),
            st.floats(-5, 1e6),
        ),
        st.tuples(st.just("off"), st.integers(0, 15), st.integers(0, 127)),
        st.tuples(st.just("due"), st.floats(0, 200)),
        st.tuples(st.just("release_all")),
    ),
    max_size=60,
)


def on(key: int, channel: int = 0, velocity: int = 90) -> bytes:
    return bytes((NOTE_ON | channel, key, velocity))


def off(key: int, channel: int = 0) -> bytes:
    return bytes((NOTE_OFF | channel, key, 0))


@settings(deadline=None)
@given(calls)
def test_any_order_of_calls_leaves_nothing_sounding_and_never_two_ons_without_an_off(what):
    ledger = Ledger()
    sounding = set()

    def hear(message):
        kind, key, velocity = message[0] & 0xF0, (message[0] & 0x0F, message[1]), message[2]
        if kind == NOTE_ON:
            assert velocity > 0, "velocity 0 would mean note-off"
            assert key not in sounding
            sounding.add(key)
        else:
            assert key in sounding, "an off for what does not sound"
            sounding.remove(key)

    for name, *arguments in what:
        messages = getattr(ledger, name)(*arguments)
        for message in messages:
            hear(message[1] if name == "due" else message)
        assert len(ledger) == len(sounding)
        assert (ledger.next_end() is None) == (not sounding)
    for message in ledger.release_all():
        hear(message)
    assert not sounding
    assert ledger.release_all() == []


def test_a_note_ends_when_it_is_due_and_not_before():
    ledger = Ledger()
    assert ledger.on(10.25, 0, 60, 90, 24) == [on(60)]
    assert ledger.next_end() == 34.25
    assert ledger.due(34) == []
    assert ledger.due(50) == [(34.25, off(60))]
    assert ledger.next_end() is None


def test_a_note_struck_again_ends_first_and_keeps_its_new_end():
    ledger = Ledger()
    ledger.on(0, 9, 36, 90, 24)
    assert ledger.on(12, 9, 36, 90, 24) == [off(36, 9), on(36, 9)]
    assert ledger.due(24) == [], "the end of the first one no longer holds"
    assert ledger.due(36) == [(36, off(36, 9))]


def test_ends_come_in_order_and_channels_are_apart():
    ledger = Ledger()
    ledger.on(0, 0, 60, 90, 30)
    ledger.on(0, 1, 60, 90, 10)
    ledger.on(0, 0, 64, 90, 20)
    assert ledger.due(30) == [(10, off(60, 1)), (20, off(64)), (30, off(60))]


def test_over_long_notes_are_ended():
    ledger = Ledger()
    ledger.on(0, 0, 60, 90, 1e9)
    assert ledger.due(MAX_DURATION) == [(MAX_DURATION, off(60))]


def test_release_all_ends_just_what_sounds():
    ledger = Ledger()
    for key in (60, 64, 67):
        ledger.on(0, 2, key, 90, 100)
    ledger.off(2, 64)
    assert ledger.release_all() == [off(60, 2), off(67, 2)]
    assert len(ledger) == 0
    assert ledger.due(1e9) == []
