from instrument.engine.performance.live_notes import HeldNotes
from instrument.music.notes import Note, Part


def note(tick: int, pitch: int, part: Part = Part.MELODY) -> Note:
    return Note(tick, 0, pitch, 12, 90, part)


def test_a_note_lasts_from_its_onset_to_its_release():
    held = HeldNotes()
    held.strike(0, [note(10, 60), note(10, 64)])
    held.strike(1, [note(12, 60, Part.DRUMS)])
    assert held.keys == [(60, Part.MELODY), (64, Part.MELODY), (60, Part.DRUMS)]
    assert held.release(60, Part.MELODY, 33.6) == (0, note(10, 60)._replace(duration=24))
    assert held.release(60, Part.DRUMS, 12.1) == (1, note(12, 60, Part.DRUMS)._replace(duration=1)), "a tick at least"
    assert held.keys == [(64, Part.MELODY)]


def test_what_is_not_held_is_not_released():
    held = HeldNotes()
    assert held.release(60, Part.MELODY, 5) is None
    held.strike(0, [note(10, 60)])
    held.strike(0, [note(20, 60)])  # struck again: the first has ended
    assert held.release(60, Part.MELODY, 30) == (0, note(20, 60)._replace(duration=10))
    assert held.release(60, Part.MELODY, 30) is None
