"""What a person plays, from a MIDI file, in a rendering."""

import numpy as np
import pytest

from instrument.engine.offline.playing_along import keyboard_messages
from instrument.engine.offline.render import Options, differences, render
from instrument.errors import HocketError
from instrument.midi_spec import note_off, note_on
from instrument.music.chords.names import parse_chord
from instrument.music.midifile import write_midi
from instrument.music.notes import Note, Part, Piece
from tests.support.players import open_scale

BAR = 96
KEYS = [
    (BAR * bar, pitch) for bar, chord in ((1, (48, 52, 55)), (2, (50, 53, 57)), (3, (43, 47, 50))) for pitch in chord
]
TUNE = [(BAR + 24 * beat, 72 + beat) for beat in range(8)]


@pytest.fixture
def played(tmp_path):
    def write(keys, length=90):
        notes = [Note(tick, 0, pitch, length, 90, Part.MELODY) for tick, pitch in sorted(keys)]
        path = tmp_path / "keys.mid"
        write_midi(Piece(np.array(notes, np.int32)), path)
        return str(path)

    return write


def rendered(keys, *sets, **options):
    return render(Options(model="scale", bars=6, keys=keys, sets=sets, **options), open_scale)


def test_notes_become_messages_in_order():
    notes = [
        Note(0, 0, 60, 24, 90, Part.MELODY),
        Note(24, 0, 60, 24, 80, Part.MELODY),
        Note(24, 0, 36, 6, 70, Part.DRUMS),
    ]
    assert keyboard_messages(notes) == [
        (0, [note_on(0, 60, 90)]), (24, [note_off(0, 60), note_on(0, 60, 80), note_on(9, 36, 70)]),
        (30, [note_off(9, 36)]), (48, [note_off(0, 60)]),
    ]  # fmt: skip


def test_a_left_hand_leads_the_band(played):
    found = rendered(played(KEYS), "lead=held", "split=60")
    for bar, symbol in ((1, "C"), (2, "Dm"), (3, "G")):
        assert found.plan.chord_at(BAR * bar + 24) == parse_chord(symbol)
    assert not {(note.tick, note.pitch) for _, note in found.played} & set(KEYS), "its keys are silent"
    assert not differences(found.take, open_scale)


@pytest.mark.parametrize(("mode", "rests"), [("jam", False), ("answer", True), ("accompany", True), ("duet", True)])
def test_the_band_plays_beside_a_person(played, mode, rests):
    found = rendered(played(TUNE, 20), f"mode={mode}")
    by_hand = [note for _, note in found.played if (note.tick, note.pitch) in TUNE]
    assert len(by_hand) == len(TUNE)
    assert all(note.duration == 20 for note in by_hand)
    lead = [note for _, note in found.played if note.part == Part.MELODY and note not in by_hand]
    assert rests == (not [note for note in lead if BAR < note.tick < 3 * BAR - 4])
    assert not differences(found.take, open_scale)
    assert rendered(played(TUNE, 20), f"mode={mode}").played == found.played


def test_it_is_refused_with_a_take(played):
    with pytest.raises(HocketError, match="--keys cannot be given with --take"):
        render(Options(take="a.take.json", keys=played(TUNE)), open_scale)
