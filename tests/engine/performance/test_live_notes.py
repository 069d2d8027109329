from instrument.engine.performance.live_notes import HeldNotes, LiveNote
from instrument.music.notes import Note, Part


def note(tick: int, pitch: int) -> Note:
    return Note(tick, 0, pitch, 12, 90, Part.MELODY)


def live(tick: int, pitch: int, channel: int = 0) -> LiveNote:
    return LiveNote(channel, note(tick, pitch))


def test_a_note_lasts_from_its_onset_to_its_release():
    held = HeldNotes()
    held.strike(0, [live(10, 60), live(10, 64)])
    held.strike(1, [live(12, 60, channel=1)])
    assert held.keys == [(0, 60), (0, 64), (1, 60)], "the same key on two channels is two notes"
    assert held.release(0, 60, 33.6) == (0, note(10, 60)._replace(duration=24))
    assert held.release(1, 60, 12.1) == (1, note(12, 60)._replace(duration=1)), "a tick at least"
    assert held.keys == [(0, 64)]


def test_what_is_not_held_is_not_released():
    held = HeldNotes()
    assert held.release(0, 60, 5) is None
    held.strike(0, [live(10, 60)])
    held.strike(0, [live(20, 60)])  # struck again: the first has ended
    assert held.release(0, 60, 30) == (0, note(20, 60)._replace(duration=10))
    assert held.release(0, 60, 30) is None
