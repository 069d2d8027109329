import contextlib
import tempfile
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music.midifile import CHANNELS, MAX_BYTES, read_midi, write_midi
from instrument.music.notes import Marker, Part, Piece, tidy
from instrument.music.timebase import Metre
from tests.support.midifuzz import check_sound

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "midi").glob("*.mid"))

rows = st.tuples(
    st.integers(0, 3000),
    st.integers(-4, 3),
    st.integers(0, 127),
    st.integers(1, 400),
    st.integers(1, 127),
    st.sampled_from(list(Part)),
)
metres = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 12), st.sampled_from([2, 4, 8, 16])),
    max_size=4,
    unique_by=lambda m: m[0],
)


def piece_of(found: list[tuple[int, ...]], **facts: object) -> Piece:
    return Piece(tidy(np.array(found, np.int32)), **facts)  # type: ignore[arg-type]


def without_overlaps(piece: Piece) -> np.ndarray:
    """What a MIDI channel can hold of a piece: a pitch struck again ends the note before."""
    notes = piece.notes.copy()
    steps = np.maximum(notes[:, 0] * 8 + notes[:, 1], 0)
    notes[:, 0] = (steps + 4) // 8
    notes[:, 1] = steps - notes[:, 0] * 8
    for i in range(len(notes)):
        same = (notes[:, 2] == notes[i, 2]) & (notes[:, 5] == notes[i, 5]) & (steps > steps[i])
        if same.any():
            room = steps[same].min() - steps[i]
            if room < notes[i, 3] * 8:
                notes[i, 3] = max(1, round(room / 8))
    return tidy(notes)


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), metres)
def test_what_is_written_is_read_again(found, changes):
    written = tuple(Metre((tick - 1) * 24, n, d) for tick, n, d in sorted(changes))
    if written:
        written = (Metre(0, 7, 8), *(m for m in written if m.tick))
    piece = piece_of(found, metres=written, tempos=((0, 90.0), (480, 150.0)), markers=(Marker(5, "chord B:maj"),))
    read = read_midi(_written(piece), aligned=False)
    np.testing.assert_array_equal(read.notes, without_overlaps(piece))
    assert _changes(read.metres) == _changes(written)
    assert [(t, round(b, 2)) for t, b in read.tempos] == [(0, 90.0), (480, 150.0)]
    assert read.markers == piece.markers


def _changes(found: tuple[Metre, ...]) -> list[Metre]:
    """Metres without those that repeat the one before."""
    return [
        m
        for i, m in enumerate(found)
        if i == 0 or (m.numerator, m.denominator) != (found[i - 1].numerator, found[i - 1].denominator)
    ]


def _written(piece: Piece) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mid"
        write_midi(piece, path)
        assert [p.name for p in path.parent.iterdir()] == ["piece.mid"]
        return path.read_bytes()


def test_parts_have_their_channels_and_programs(tmp_path):
    piece = piece_of([(24 * i, 0, 60 + i, 24, 80, part) for i, part in enumerate(Part)])
    write_midi(piece, tmp_path / "a.mid", [(0, b"\xc2\x21"), (0, b"\xc0\x49"), (12, b"\xb0\x07\x50")])
    file = mido.MidiFile(tmp_path / "a.mid")
    assert file.ticks_per_beat == 192
    channels = {t.name: {m.channel for m in t if not m.is_meta} for t in file.tracks[1:]}
    assert channels == {part.name.capitalize(): {CHANNELS[part]} for part in Part}
    programs = {m.channel: m.program for t in file.tracks for m in t if m.type == "program_change"}
    assert programs == {2: 33, 0: 73}
    volume = [m for m in file.tracks[1] if m.type == "control_change"]
    assert [(m.control, m.value) for m in volume] == [(7, 80)]


def test_the_pedal_is_written_where_the_music_has_one(tmp_path):
    pedal = [(0, b"\xb0\x40\x7f"), (48, b"\xb0\x40\x00"), (48, b"\xb0\x40\x7f"), (96, b"\xb0\x40\x00")]
    rows = [(0, 0, 60, 12, 80, 0), (12, 0, 64, 12, 80, 0), (48, 0, 62, 12, 80, 0), (60, 0, 62, 12, 80, 0)]
    piece = piece_of([*rows, (0, 0, 40, 12, 80, 2), (90, 0, 67, 6, 80, 0), (96, 0, 69, 6, 80, 0)])
    write_midi(piece, tmp_path / "a.mid", pedal)
    written = [m for m in mido.MidiFile(tmp_path / "a.mid").tracks[1] if m.type == "control_change"]
    assert [(m.control, m.value) for m in written] == [(64, 127), (64, 0), (64, 127), (64, 0)]
    sounding = {(n.tick, n.pitch): n.duration for n in read_midi(tmp_path / "a.mid", aligned=False).as_notes()}
    held = {(0, 60): 48, (12, 64): 36, (48, 62): 12, (60, 62): 36}  # until the pedal is up or the key struck again
    assert sounding == held | {(0, 40): 12, (90, 67): 6, (96, 69): 6}


def test_a_pedal_pressed_as_a_key_is_released_does_not_hold_it(tmp_path):
    write_midi(piece_of([(0, 0, 60, 24, 80, 0), (24, 0, 62, 24, 80, 0)]), tmp_path / "a.mid", [(24, b"\xb0\x40\x7f")])
    assert read_midi(tmp_path / "a.mid", aligned=False).notes[:, 3].tolist() == [24, 24]


def test_a_piece_without_notes_can_be_written_but_not_read(tmp_path):
    write_midi(Piece(np.zeros((0, 6), np.int32)), tmp_path / "a.mid")
    with pytest.raises(HocketError, match=r"a\.mid cannot be read: it has no notes"):
        read_midi(tmp_path / "a.mid")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no MIDI file"),
        (b"not a midi file at all", "no MIDI file"),
        (b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\xe7\x28MTrk\x00\x00\x00\x04\x00\xff\x2f\x00", "no notes"),
        (b"MThd\x00\x00\x00\x06\x00\x02\x00\x01\x00\x60MTrk\x00\x00\x00\x04\x00\xff\x2f\x00", "type 2"),
        (
            b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x00MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
            "resolution is 0",
        ),
        (b"MThd\xff\xff\xff\xff\x00\x01\x00\x01\x00\x60", "no notes; tracks that its header names: 1, found: 0"),
        (
            b"MThd\x00\x00\x00\x06\x00\x01\xff\xff\x00\x60" + b"MTrk\xff\xff\xff\xff" * 4,
            "more than 4096 tracks|no notes",
        ),
        (b"\x00" * (MAX_BYTES + 1), "larger than"),
    ],
)
def test_what_cannot_be_read_is_named(data, reason):
    with pytest.raises(HocketError, match=reason):
        read_midi(data)


def test_paths_are_named_in_errors(tmp_path):
    with pytest.raises(HocketError, match=r"missing\.mid cannot be read: No such file"):
        read_midi(tmp_path / "missing.mid")
    with pytest.raises(HocketError, match="cannot be read: it is no file"):
        read_midi(tmp_path)
    with pytest.raises(HocketError, match="cannot be read"):
        read_midi("a\0b.mid")
    with pytest.raises(HocketError, match="cannot be written"):
        write_midi(piece_of([(0, 0, 60, 1, 1, 0)]), tmp_path / "nowhere" / "a.mid")
    with pytest.raises(HocketError, match="cannot be a MIDI file"):
        write_midi(piece_of([(0, 0, 60, 1, 1, 0)], metres=(Metre(0, 4, 5),)), tmp_path / "a.mid")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    for contents in (data, b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x01\x90" + data):
        with contextlib.suppress(HocketError):
            check_sound(read_midi(contents))


def test_real_files_have_their_parts_and_bars():
    pieces = {path.stem: read_midi(path) for path in FIXTURES}
    parts = {name: {Part(p) for p in piece.notes[:, 5].tolist()} for name, piece in pieces.items()}
    assert parts["pop909_098"] >= {Part.MELODY, Part.CHORDS}
    assert parts["openewld_scarborough_fair"] == {Part.MELODY, Part.CHORDS}
    assert parts["lieder_an_laura"] == {Part.MELODY, Part.CHORDS}
    assert parts["groove_jazz_fill"] == {Part.DRUMS}
    assert all(piece.metres for piece in pieces.values())
    assert {m.text.split()[0] for m in pieces["pop909_098"].markers} == {"chord", "key"}
