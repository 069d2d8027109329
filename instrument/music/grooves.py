"""Swing, and the rows by which grooves have their accents and microtiming."""

from __future__ import annotations

from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT

SLOTS = 16  # sixteenths of a bar of four beats
STRAIGHT = 0.5  # of a beat: where the off-beat eighth falls without swing
MOST_SWING = 0.75
OFF_BEAT = (10, 17)  # ticks of a beat, at which a note is an off-beat eighth, straight or swung
KICKS, SNARES, HATS = (35, 36), (37, 38, 39, 40), (42, 44, 46, 51, 53, 59)  # General MIDI percussion keys
ROWS = ("melody", "chords", "bass", "kick", "snare", "hat", "drums")


def row_of(part: int, pitch: int) -> str:
    """The row of the table for a note: one of `ROWS`."""
    if part != Part.DRUMS:
        return {Part.MELODY: "melody", Part.BASS: "bass"}.get(Part(part), "chords")
    for row, keys in (("kick", KICKS), ("snare", SNARES), ("hat", HATS)):
        if pitch in keys:
            return row
    return "drums"


def swung(note: Note, offset: int, swing: float) -> Note:
    """A note moved so that off-beat eighths fall at `swing` of the beat and what lies between moves along, with its
    end where it would be without. At `STRAIGHT` nothing moves. offset: ticks since the beat began."""
    if swing <= STRAIGHT:
        return note
    begin, end = moved(offset, swing), offset + note.duration
    whole, rest = divmod(end, TICKS_PER_BEAT)
    steps = round(begin * MICRO_STEPS) + note.micro
    ticks, micro = divmod(steps + MICRO_STEPS // 2, MICRO_STEPS)
    ending = whole * TICKS_PER_BEAT + (moved(rest, swing) if rest else 0.0)
    return note._replace(
        tick=note.tick - offset + ticks, micro=micro - MICRO_STEPS // 2, duration=max(1, round(ending) - ticks)
    )


def moved(offset: int, swing: float) -> float:
    """Where in the beat, in ticks, a tick of the straight beat falls with swing: never earlier, as notes are committed
    when they are due without it. An eighth that is swung already stays where it is."""
    off_beat = swing * TICKS_PER_BEAT
    if OFF_BEAT[0] <= offset <= OFF_BEAT[1]:
        return max(float(offset), off_beat)
    half = TICKS_PER_BEAT / 2
    if offset < half:
        return offset * off_beat / half
    return off_beat + (offset - half) * (TICKS_PER_BEAT - off_beat) / half
