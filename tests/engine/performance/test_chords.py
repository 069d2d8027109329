"""The chords that the band plays, as the tuner asks for them."""

from hypothesis import given
from hypothesis import strategies as st

from instrument.engine.performance.chords import LASTS, LATE, Chords
from instrument.music.notes import Note, Part

C, F, G7 = (0, 4, 7), (0, 5, 9), (2, 5, 7, 11)


def chord(tick: int, tones: tuple[int, ...], duration: int = 48, part: Part = Part.CHORDS) -> list[Note]:
    return [Note(tick, 0, 48 + tone, duration, 80, part) for tone in tones]


def test_a_chord_holds_from_a_sixteenth_after_its_onset_until_the_next():
    chords = Chords()
    chords.add_notes([*chord(0, C), *chord(48, F), *chord(96, G7)])
    assert chords.at(0) == ()
    assert chords.at(LATE) == chords.at(47 + LATE) == C
    assert chords.at(48 + LATE) == F
    assert chords.at(96 + LATE) == G7
    assert chords.at(96 + LATE + LASTS) == ()
    assert chords.at(float("inf")) == ()


def test_bass_and_broken_chords_count_melody_and_drums_do_not():
    chords = Chords()
    chords.add_notes(
        chord(0, (0,), 96, Part.BASS) + chord(0, (1, 3, 6), 96, Part.MELODY) + chord(0, (2, 4), 9, Part.DRUMS)
    )
    assert chords.at(12) == ()
    chords.add_notes(chord(24, (4,)) + chord(36, (7,)))
    assert chords.at(24 + LATE) == ()
    assert chords.at(36 + LATE) == C


def test_what_is_stopped_is_forgotten():
    chords = Chords()
    chords.add_notes(chord(0, C))
    chords.clear()
    assert chords.at(LATE) == ()


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 11), st.integers(1, 60)), max_size=30), st.randoms())
def test_players_may_be_heard_in_turns(notes, rng):
    """One after another a little way, as they commit their notes, or all at once: the same chords."""
    notes = sorted(Note(tick, 0, 48 + tone, last, 80, Part.CHORDS) for tick, tone, last in notes)
    whole, parts = Chords(), Chords()
    whole.add_notes(notes)
    for begin in range(0, 201, 24):
        window = [note for note in notes if begin <= note.tick < begin + 24]
        rng.shuffle(window)
        parts.add_notes(window[::2])
        parts.add_notes(window[1::2])
    assert [whole.at(tick) for tick in range(0, 300, 2)] == [parts.at(tick) for tick in range(0, 300, 2)]
