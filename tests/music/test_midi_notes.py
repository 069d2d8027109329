"""Events to notes: who releases what, what the pedal holds, who drums."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music import midi_notes
from instrument.music.midi_notes import raw_midi
from instrument.music.midifile import read_midi
from instrument.music.notes import Part
from tests.support.midifuzz import smf

DOWN, UP = b"\x00\xb0\x40\x7f", b"\x00\xb0\x40\x00"


def spans(data: bytes) -> list[tuple[int, int, int]]:
    """(start, end, pitch) of all notes, in the file's ticks."""
    return sorted(
        (int(start), int(start + length), int(pitch))
        for track in raw_midi(data).tracks
        for start, length, pitch in zip(track.starts, track.durations, track.pitches, strict=True)
    )


def struck(pitch: int, *, delta: int = 0, channel: int = 0) -> bytes:
    return bytes((delta, 0x90 | channel, pitch, 80))


def let_go(pitch: int, *, delta: int = 0, channel: int = 0) -> bytes:
    return bytes((delta, 0x80 | channel, pitch, 0))


def test_the_pedal_holds_until_it_is_up():
    held = struck(60) + DOWN + let_go(60, delta=10) + b"\x14\xb0\x40\x00"
    assert spans(smf(held)) == [(0, 30, 60)]
    assert spans(smf(held.replace(DOWN, b"\x00\xb0\x40\x3f"))) == [(0, 10, 60)]  # 63 is up
    assert spans(smf(held.replace(DOWN, b"\x00\xb1\x40\x7f"))) == [(0, 10, 60)]  # another channel's
    assert spans(smf(held, b"\x0f\xb0\x79\x00")) == [(0, 15, 60)]  # a reset of all controllers
    assert spans(smf(struck(60) + let_go(60, delta=10) + b"\x14\xb0\x40\x00", DOWN)) == [(0, 30, 60)]  # another track's
    pedal = b"\x05\xb0\x40\x7f\x0f\xb0\x40\x00"
    assert spans(smf(struck(60) + let_go(60, delta=10), pedal)) == [(0, 20, 60)]  # all of it another track's
    assert spans(smf(struck(60) + let_go(60, delta=10) + DOWN)) == [(0, 10, 60)]  # pressed too late


def test_a_pedal_that_is_never_lifted_holds_to_the_end_of_the_track():
    assert spans(smf(DOWN + struck(60) + let_go(60, delta=10) + b"\x40\xff\x01\x00")) == [(0, 74, 60)]


def test_a_key_struck_again_ends_what_the_pedal_holds():
    twice = DOWN + struck(60) + let_go(60, delta=10) + struck(60, delta=10) + let_go(60, delta=10) + b"\x0a" + UP[1:]
    assert spans(smf(twice)) == [(0, 20, 60), (20, 40, 60)]


@pytest.mark.parametrize("between", [0, 1])
def test_a_pedal_up_for_a_moment_parts_two_chords(between):
    up_and_down = b"\x20\xb0\x40\x00" + bytes((between,)) + DOWN[1:]
    chords = (
        DOWN + struck(60) + let_go(60, delta=10) + up_and_down + struck(62) + let_go(62, delta=10) + b"\x20" + UP[1:]
    )
    later = 42 + between
    assert spans(smf(chords)) == [(0, 42, 60), (later, later + 42, 62)]


def test_drums_have_no_pedal():
    assert spans(
        smf(b"\x00\xb9\x40\x7f" + struck(36, channel=9) + let_go(36, delta=5, channel=9) + b"\x40\xff\x01\x00")
    ) == [(0, 5, 36)]


def test_notes_may_be_released_by_another_track():
    assert spans(smf(struck(60) + struck(64, delta=10), let_go(60, delta=40) + let_go(64, delta=10))) == [
        (0, 40, 60),
        (10, 50, 64),
    ]
    both = struck(60) + let_go(60, delta=20)
    assert spans(smf(both, struck(60, delta=10) + let_go(60, delta=30))) == [(0, 20, 60), (10, 40, 60)]  # each its own


def test_ports_have_channels_of_their_own():
    other_port = b"\x00\xff\x21\x01\x01" + DOWN + let_go(60, delta=5)
    assert spans(smf(struck(60) + let_go(60, delta=10) + b"\x40\xff\x01\x00", other_port)) == [(0, 10, 60)]


def parts(*tracks: bytes, kind: int = 1) -> list[int]:
    return read_midi(smf(*tracks, kind=kind), aligned=False).notes[:, 5].tolist()


GS = b"\x00\xf0\x0a\x41\x10\x42\x12\x40%c\x15%c\x10\xf7"
DRUMS, OTHER = [Part.DRUMS], [Part.MELODY]  # a tune alone is a melody


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        (struck(40, channel=9), DRUMS),
        (GS % (0x10, 0) + struck(40, channel=9), OTHER),  # channel 10 switched off
        (GS % (0x10, 2) + struck(40, channel=9), DRUMS),
        (GS % (0x11, 1) + struck(40, channel=0), DRUMS),
        (GS % (0x19, 1) + struck(40, channel=8), DRUMS),
        (GS % (0x1A, 1) + struck(40, channel=10), DRUMS),
        (GS % (0x1A, 1) + struck(40, channel=11), OTHER),
        (GS % (0x1A, 1) + GS % (0x1A, 0) + struck(40, channel=10), OTHER),
        (struck(40, channel=10) + b"\x01" + (GS % (0x1A, 1))[1:], OTHER),  # too late
        (b"\x00\xba\x00\x7f\x00\xca\x00" + struck(40, channel=10), DRUMS),  # XG
        (b"\x00\xba\x00\x78\x00\xca\x00" + struck(40, channel=10), DRUMS),  # GM2
        (b"\x00\xb9\x00\x79\x00\xc9\x00" + struck(40, channel=9), OTHER),  # GM2 melody
        (b"\x00\xb9\x00\x00\x00\xc9\x00" + struck(40, channel=9), DRUMS),
        (b"\x00\xff\x03\x08Drum kit" + struck(40, channel=3), DRUMS),
        (b"\x00\xff\x03\x0bSteel Drums" + struck(40, channel=3), OTHER),
    ],
)  # fmt: skip
def test_who_drums(track, expected):
    assert parts(track) == expected


def test_only_a_track_of_its_own_has_a_name():
    named = b"\x00\xff\x03\x09Bass line" + struck(60) + struck(64)
    assert parts(named) == [Part.BASS, Part.BASS]
    assert parts(named, kind=0) == [Part.CHORDS, Part.CHORDS]  # two notes at once


def test_a_program_counts_from_its_tick_on_in_any_track():
    line = struck(40) + let_go(40, delta=10) + struck(42) + let_go(42, delta=10)
    assert [t.program for t in raw_midi(smf(line, b"\x00\xc0\x21")).tracks] == [33]
    assert [t.program for t in raw_midi(smf(line, b"\x0a\xc0\x21")).tracks] == [0, 33]
    assert [t.program for t in raw_midi(smf(line, b"\x00\xc1\x21")).tracks] == [0]


def test_time_in_film_frames_is_seconds():
    raw = raw_midi(smf(struck(60) + let_go(60, delta=120), division=0xE250))  # 30 frames a second of 80 ticks
    assert raw.in_seconds
    assert raw.tracks[0].durations[0] / raw.resolution == pytest.approx(120 / 2400 * 2)  # quarter notes of 0.5 s
    drop = raw_midi(smf(struck(60) + let_go(60, delta=120), division=0xE350))
    assert drop.tracks[0].durations[0] / drop.resolution == pytest.approx(120 / 2397.6 * 2)
    with pytest.raises(HocketError, match="it counts 31 frames a second"):
        raw_midi(smf(struck(60), division=0xE150))


def test_more_voices_than_anybody_has_are_refused(monkeypatch):
    monkeypatch.setattr(midi_notes, "MAX_VOICES", 3)
    tracks = [struck(60, channel=channel) for channel in range(4)]
    assert len(raw_midi(smf(*tracks[:3])).tracks) == 3
    with pytest.raises(HocketError, match="it has 4 voices"):
        raw_midi(smf(*tracks))


# The same, event by event ------------------------------------------------------------------------------------

MESSAGES = st.one_of(
    st.tuples(st.sampled_from([0x90, 0x90, 0x80]), st.sampled_from([60, 61]), st.sampled_from([0, 70, 80])),
    st.tuples(st.just(0xB0), st.just(64), st.sampled_from([0, 63, 64, 127])),
)
TRACKS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), MESSAGES), max_size=30), min_size=1, max_size=3
)


def one_by_one(tracks: list[list[tuple[int, int, tuple[int, int, int]]]]) -> list[tuple[int, int, int]]:
    """The notes of tracks of which none releases another's, found event by event."""
    events, ends = [], []
    for number, track in enumerate(tracks):
        tick = 0
        for delta, channel, message in track:
            tick += delta
            events.append((tick, number, channel, message))
        ends.append(tick)
    found: list[tuple[int, int, int]] = []
    keys: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    pedalled: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    down = [False, False]
    for tick, number, channel, (status, first, second) in sorted(events, key=lambda event: event[0]):
        if status == 0xB0:
            down[channel] = second >= 64
            if not down[channel]:
                for pitch in range(60, 66):
                    found += [(start, tick, pitch) for start, _ in pedalled.pop((channel, pitch), [])]
        elif status == 0x90 and second:
            found += [(start, tick, first) for start, _ in pedalled.pop((channel, first), [])]
            keys[number, channel, first].append(tick)
        elif held := keys[number, channel, first]:
            start = held.pop(0)
            if down[channel]:
                pedalled[channel, first].append((start, number))
            else:
                found.append((start, tick, first))
    for (_, pitch), notes in pedalled.items():
        found += [(start, ends[number], pitch) for start, number in notes]
    for (number, _, pitch), starts in keys.items():
        found += [(start, ends[number], pitch) for start in starts]
    return sorted(found)


@settings(max_examples=300, deadline=None)
@given(TRACKS)
def test_columns_find_what_one_finds_event_by_event(tracks):
    for number, track in enumerate(tracks):  # pitches apart by track, so that no track releases another's
        track[:] = [(d, c, (s, f + 2 * number if s != 0xB0 else f, v)) for d, c, (s, f, v) in track]
    data = smf(*(b"".join(bytes((d, s | c, f, v)) for d, c, (s, f, v) in track) for track in tracks))
    assert spans(data) == one_by_one(tracks)
