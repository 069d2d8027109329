"""Chord symbols and what they mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.music.chords.degrees import degree_name, parse_degree
from instrument.music.chords.names import (
    KIND,
    KINDS,
    NO_CHORD,
    QUALITIES,
    TYPICAL,
    Chord,
    chord,
    chord_name,
    identify,
    parse_chord,
)

SOUNDING = [quality for quality in QUALITIES if quality != "N"]
CHORDS = st.builds(chord, st.integers(0, 11), st.sampled_from(SOUNDING), st.integers(0, 11)) | st.just(
    NO_CHORD
)


@pytest.mark.parametrize(
    ("symbol", "root", "quality", "bass"),
    [
        ("Dm9", 2, "min9", 2),
        ("G13", 7, "13", 7),
        ("F#m7b5", 6, "hdim7", 6),
        ("Bbmaj7", 10, "maj7", 10),
        ("C/E", 0, "maj", 4),
        ("e♭/g♭", 3, "min", 6),
        ("F♯7", 6, "7", 6),
        ("B##", 1, "maj", 1),
        ("Bbb", 9, "maj", 9),
        ("CΔ", 0, "maj7", 0),
        ("C△9", 0, "maj9", 0),
        ("C^7", 0, "maj7", 0),
        ("CM7", 0, "maj7", 0),
        ("Cm7", 0, "min7", 0),
        ("C-7", 0, "min7", 0),
        ("CMI7", 0, "min7", 0),
        ("C-7b5", 0, "hdim7", 0),
        ("C-9", 0, "min9", 0),
        ("C7-9", 0, "7b9", 0),
        ("Co7", 0, "dim7", 0),
        ("C°", 0, "dim", 0),
        ("Cø", 0, "hdim7", 0),
        ("C+", 0, "aug", 0),
        ("C+7", 0, "aug7", 0),
        ("C7+5", 0, "aug7", 0),
        ("C7#5", 0, "aug7", 0),
        ("C7(b9)", 0, "7b9", 0),
        ("C7(#9,b13)", 0, "7alt", 0),
        ("Calt", 0, "7alt", 0),
        ("C6/9", 0, "69", 0),
        ("C6/9/E", 0, "69", 4),
        ("Cm(maj7)", 0, "minmaj7", 0),
        ("C-Δ7", 0, "minmaj7", 0),
        ("Csus", 0, "sus4", 0),
        ("C9sus4", 0, "9sus4", 0),
        ("Cmadd9", 0, "minadd9", 0),
        ("C5", 0, "5", 0),
        ("am7", 9, "min7", 9),
        ("d7", 2, "min7", 2),
        ("cmaj7", 0, "maj7", 0),
        ("bb", 10, "min", 10),
        ("B:min/b3", 11, "min", 2),
        ("Bb:7/b7", 10, "7", 8),
        ("A:sus4(b7)", 9, "7sus4", 9),
        ("C:aug/Ab", 0, "aug", 8),
    ],
)
def test_symbols_are_read_as_musicians_mean_them(symbol, root, quality, bass):
    assert parse_chord(symbol) == Chord(root, quality, bass)


@pytest.mark.parametrize("symbol", ["N.C.", "NC", "n.c.", "N", " N "])
def test_silence_is_a_chord(symbol):
    assert parse_chord(symbol) == NO_CHORD
    assert NO_CHORD.tones == frozenset()
    assert NO_CHORD.transposed(5) == NO_CHORD


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("H7", "'H7' is no chord: it begins with a note name"),
        ("", "'' is no chord"),
        ("Cfoo", "'Cfoo' has an unknown ending 'foo'"),
        ("C/5", "'C/5' has no note after the slash"),
        ("C/", "'C/' has an unknown ending '/'"),
        ("Cm7m7", "unknown ending"),
        ("C:maj/8", "'C:maj/8' has 8 after the slash"),
        ("C" * 4000, "is no chord"),
    ],
)
def test_what_is_no_chord_is_named_in_one_line(symbol, reason):
    with pytest.raises(HocketError, match=reason) as caught:
        parse_chord(symbol)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@given(CHORDS, st.booleans())
def test_names_are_read_again(given_chord, sharps):
    assert parse_chord(chord_name(given_chord, sharps=sharps)) == given_chord


@given(CHORDS, st.integers(0, 11), st.sampled_from(["major", "minor"]))
def test_numbers_are_read_again_in_any_key(given_chord, tonic, mode):
    assert parse_degree(degree_name(given_chord, tonic), tonic, mode) == given_chord


@given(CHORDS, st.integers(-30, 30))
def test_transposition_moves_every_tone(given_chord, semitones):
    moved = given_chord.transposed(semitones)
    assert moved.tones == {(tone + semitones) % 12 for tone in given_chord.tones}
    assert moved.transposed(-semitones) == given_chord


@given(st.text(max_size=40))
def test_any_text_is_a_chord_or_an_error(text):
    try:
        found = parse_chord(text)
    except HocketError:
        return
    assert found == NO_CHORD or found.bass in found.tones


def test_every_quality_has_a_kind_and_the_kinds_stand_for_themselves():
    assert set(KIND) == set(QUALITIES)
    assert set(KIND.values()) == set(KINDS)
    assert {kind: KIND[quality] for kind, quality in TYPICAL.items()} == {kind: kind for kind in KINDS}


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("1", "C"),
        ("6-", "Am"),
        ("2m7", "Dm7"),
        ("5/7", "G/B"),
        ("b7", "Bb"),
        ("#4o7", "F#o7"),
        ("57", "G7"),
        ("ii7", "Dm7"),
        ("V7", "G7"),
        ("V7/V", "D7"),
        ("viio7/V", "F#o7"),
        ("iiø7/ii", "Em7b5"),
        ("bVII", "Bb"),
        ("♭VImaj7", "Abmaj7"),
        ("I/3", "C/E"),
        ("imaj7", "Cm(maj7)"),
        ("iii7b5", "Em7b5"),
        ("N.C.", "N.C."),
    ],
)
def test_numbers_and_numerals_count_from_the_tonic(symbol, expected):
    assert parse_degree(symbol, 0) == parse_chord(expected)
    assert parse_degree(symbol, 7) == parse_chord(expected).transposed(7)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("i", "Am"),
        ("VI", "F"),
        ("bVI", "F"),
        ("III", "C"),
        ("VII", "G"),
        ("viio7", "G#o7"),
        ("V7", "E7"),
        ("b3", "C"),
    ],
)
def test_in_minor_large_numerals_are_those_of_the_minor_scale(symbol, expected):
    assert parse_degree(symbol, 9, "minor") == parse_chord(expected)


@pytest.mark.parametrize("symbol", ["8", "0", "x", "IIX", "", "Dm7"])
def test_what_is_no_degree_is_named(symbol):
    with pytest.raises(HocketError, match=f"'{symbol}'"):
        parse_degree(symbol, 0)


def test_an_unknown_mode_is_named():
    with pytest.raises(HocketError, match="unknown mode 'dorian'"):
        parse_degree("1", 0, "dorian")


@pytest.mark.parametrize(
    ("pitches", "bass", "expected"),
    [
        ({60, 64, 67}, 48, "C"),
        ({60, 64, 67}, 40, "C/E"),
        ({64, 70}, 48, "C7"),  # no fifth
        ({58, 61, 67}, 39, "Eb7"),  # rootless, over its bass
        ({60, 63, 67, 69}, 48, "Cm6"),  # not Am7b5/C
        ({60, 63, 66, 69}, 51, "Eb°7"),
        ({60, 62, 67}, 48, "Csus2"),
        (set(), 0, "N.C."),
    ],
)
def test_chords_are_found_by_their_tones(pitches, bass, expected):
    assert identify(frozenset(pitches), bass) == parse_chord(expected)


def test_over_a_bass_line_a_voicing_may_lack_more_than_its_fifth():
    assert identify(frozenset({59, 65}), 38) == parse_chord("Bdim/D")
    assert identify(frozenset({59, 65}), 38, rooted=True) == parse_chord("Dm6")
    assert identify(frozenset({60, 64, 67}), 40, rooted=True) == parse_chord("C/E")


@given(st.integers(0, 11), st.sampled_from(SOUNDING))
def test_the_tones_of_a_chord_over_its_root_are_a_chord_of_the_same_tones(root, quality):
    asked = chord(root, quality)
    assert identify(asked.tones, root).tones == asked.tones
