"""Files that go wrong elsewhere: the instrument and training read them alike, and right."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music.midifile import read_midi
from instrument.music.notes import Part
from instrument.music.timebase import Metre
from tests.support.midifuzz import CASES, REAL, check_agreement, fuzz, mutant, smf
from training.data.notes import midi

ROOT = Path(__file__).parents[2]
SCALE = [60, 62, 64, 65, 67, 69, 71, 72]
FOUR = (Metre(0, 4, 4),)
TRUNCATED = (
    "track 1 is damaged and ends early: the file ends within its last event; the last 9 of its 68 bytes are missing"
)

# Of each file: pitches in order, parts, lengths in ticks, metres, first tempo, the beginning of a warning.
READ = {
    "tempo_twice": (SCALE, {Part.MELODY}, {22}, FOUR, 60, ""),
    "type0_bass_title": (
        [p + i for i in range(4) for p in (36, 60, 64, 72)],
        {Part.MELODY, Part.CHORDS, Part.BASS},
        {24},
        FOUR,
        120,
        "",
    ),
    "drum_ch11": ([36, 42, 38, 42] * 4, {Part.DRUMS}, {22}, FOUR, 120, ""),
    "gs_drum_ch11": ([36, 42, 38, 42] * 4, {Part.DRUMS}, {22}, FOUR, 120, ""),
    "keysig_9flats": (SCALE, {Part.MELODY}, {22}, FOUR, 120, ""),
    "ts_short": (SCALE, {Part.MELODY}, {22}, FOUR, 120, "bad events left out of track 1: 1"),
    "pedal": ([48, 60, 50], {Part.MELODY}, {96, 94}, FOUR, 120, ""),
    "trunc": (SCALE[:7], {Part.MELODY}, {22}, FOUR, 120, TRUNCATED),
    "rmid": (SCALE, {Part.MELODY}, {22}, FOUR, 120, ""),
    "alien_chunk": (SCALE, {Part.MELODY}, {22}, FOUR, 120, ""),  # on both channels, as one
    "no_off": ([60, 64, 67], {Part.MELODY}, {72, 48, 24}, FOUR, 120, ""),
    "data_bad": (SCALE, {Part.MELODY}, {22}, FOUR, 120, "bad events left out of track 1: 1"),
    "prog_elsewhere": ([36, 38, 40, 41], {Part.BASS}, {22}, FOUR, 120, ""),
    "smpte": (SCALE, {Part.MELODY}, {2}, (), 120, ""),
}
REFUSED = {
    "type2": "it is of type 2 (independent patterns): save it as type 0 or 1",
    "delta_ten_bytes": "the delta time at byte 22 is longer than MIDI allows (4 bytes)",
    "note_far_away": "it is 698,922 beats long: at most 100,000 are read",
}


def case(name: str) -> bytes:
    return next(path for path in CASES if path.stem == name).read_bytes()


def test_every_case_has_its_right_value():
    assert {path.stem for path in CASES} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("reader", ["instrument", "training"])
def test_what_can_be_read_is_read_right(name, reader):
    pitches, parts, lengths, metres, tempo, warning = READ[name]
    warnings: list[str] = []
    if reader == "instrument":
        piece = read_midi(case(name), warn=lambda line: warnings.append(line.removeprefix("this MIDI data: ")))
    else:
        piece, _ = midi.read(case(name), warnings.append)
    assert piece.notes[:, 2].tolist() == pitches
    assert set(piece.notes[:, 5].tolist()) == parts
    assert set(piece.notes[:, 3].tolist()) == lengths
    assert (piece.metres, piece.tempos) == (metres, ((0, pytest.approx(tempo)),))
    assert [line.startswith(warning) for line in warnings] == [True] * bool(warning)


def test_three_channels_of_a_titled_file_are_three_parts():
    notes = read_midi(case("type0_bass_title")).notes
    assert {(pitch, part) for pitch, part in notes[:4, [2, 5]].tolist()} == {
        (72, Part.MELODY),
        (60, Part.CHORDS),
        (64, Part.CHORDS),
        (36, Part.BASS),
    }


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("read", [read_midi, midi.read])
def test_what_cannot_be_read_says_why_in_one_line(name, read):
    with pytest.raises(HocketError) as error:
        read(case(name))
    assert REFUSED[name] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", [*CASES, *REAL], ids=lambda path: path.stem)
def test_both_readers_agree(path):
    check_agreement(path.read_bytes())


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([*CASES, *REAL]), st.integers(1, 4))
def test_both_readers_agree_on_damaged_files(seed, path, times):
    rng, data = random.Random(seed), path.read_bytes()
    for _ in range(times):
        data = mutant(data, rng)
    check_agreement(data)


def test_thousands_of_mutants_are_read_or_refused():
    found = fuzz(2000, 1, [path.read_bytes() for path in (*CASES, *REAL)])
    assert min(found["read"], found["refused"]) > 200  # the mutants are neither harmless nor hopeless


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_whole_files_have_the_notes_that_mido_finds(path):
    file = mido.MidiFile(path)
    assert not any(m.type == "control_change" and m.control == 64 for track in file.tracks for m in track)
    expected = []
    for track in file.tracks:
        tick, held = 0, {}
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                held.setdefault((message.channel, message.note), []).append((tick, message.velocity))
            elif message.type in ("note_on", "note_off"):
                start, velocity = held[message.channel, message.note].pop(0)
                expected.append((start, tick - start, message.note, velocity))
    raw = midi.parse(path.read_bytes())
    columns = [np.stack([t.starts, t.durations, t.pitches, t.velocities], 1) for t in raw.tracks]
    assert sorted(map(tuple, np.concatenate(columns).tolist())) == sorted(expected)
    assert raw.resolution == file.ticks_per_beat


def large(size: int) -> bytes:
    """A valid file of so many bytes: notes of a pianist, in running status as most programs write them."""
    rng = random.Random(1)
    track = bytearray(b"\x00\x90\x3c\x40")
    while len(track) < size - 40:
        pitch = rng.randrange(30, 90)
        track += bytes((rng.randrange(3), pitch, 80, rng.randrange(10), pitch, 0))
    return smf(bytes(track))


PEAK = """
import re, sys, time
from pathlib import Path
from instrument.music.midifile import read_midi
started = time.process_time()
count = len(read_midi(sys.argv[1]))
print(count, time.process_time() - started, *re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak of memory")
def test_the_largest_file_is_read_within_three_seconds_and_300_mb(tmp_path):
    path = tmp_path / "large.mid"
    path.write_bytes(large(4 << 20))
    done = subprocess.run([sys.executable, "-c", PEAK, path], cwd=ROOT, capture_output=True, text=True, check=True)
    notes, seconds, kilobytes = (float(number) for number in done.stdout.split())
    assert notes > 600_000
    assert seconds < 3
    assert kilobytes < 300 * 1024


@pytest.mark.parametrize(
    ("track", "says"),
    [
        (b"\xff" * 400_000, "the delta time at byte 22 is longer than MIDI allows (4 bytes)"),
        (b"\x00\x90\x3c\x40" + b"\xff\xff\xff\x7f\xff\x01\x00" * 100_000, "ticks long: at most"),
        (b"\x00\xff\x01\xff\xff\xff\x7f", "is 268435455 bytes long"),
        (b"\x00\x3c\x40", "has no status"),
    ],
)
def test_endless_numbers_end_at_once(track, says):
    started = time.process_time()
    with pytest.raises(HocketError) as error:
        read_midi(smf(track))
    assert time.process_time() - started < 1
    assert says in str(error.value)


def test_a_damaged_track_costs_the_others_nothing():
    good = b"\x00\x90\x40\x50\x60\x80\x40\x00"
    warnings: list[str] = []
    piece = read_midi(smf(b"\x00\x90\x3c\x50\x60\x80\x3c\x00\xff\xff\xff\xff\x7f", good), warn=warnings.append)
    assert piece.notes[:, 2].tolist() == [60, 64]
    assert len(warnings) == 1
    assert "track 1 is damaged and ends early: the delta time at byte 30" in warnings[0]


@pytest.mark.parametrize("length", [0, 3, 0x7FFFFFFF])
def test_a_wrong_length_of_a_track_does_not_hide_the_next(length):
    data = bytearray(smf(b"\x00\x90\x3c\x50\x60\x80\x3c\x00", b"\x00\x90\x40\x50\x60\x80\x40\x00"))
    data[18:22] = length.to_bytes(4, "big")
    assert 64 in read_midi(bytes(data)).notes[:, 2]


def test_running_status_is_kept_through_other_events():
    assert read_midi(smf(b"\x00\x90\x3c\x50\x60\xff\x01\x01a\x00\x3c\x00")).notes[:, 2:4].tolist() == [[60, 24]]
