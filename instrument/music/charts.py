"""Charts in MIDI files: the plan of a piece, from its markers, its chord track, or its notes."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from instrument.errors import HocketError
from instrument.music.chords.analysis import recognise
from instrument.music.chords.changes import PREFIX, ChordChange, block_chords, marked_chords
from instrument.music.chords.names import Chord, chord_name, parse_chord
from instrument.music.midifile import read_midi
from instrument.music.notes import Marker, Part, Piece
from instrument.music.plan import LONGEST_LABEL, MOST_BARS, Plan, PlanBar, PlannedChord
from instrument.music.timebase import Metre, MetreMap

SECTIONS = ("form ", "section ")  # how markers of sections may begin
KEY = "key "
GRID = 12  # ticks: chords begin on eighths
_BLOCKS = 0.7  # share of its onsets that are chords, in a track of chords
_SIXTEENTH = 6


def plan_markers(plan: Plan, start: int, end: float) -> list[Marker]:
    """Markers of the sections ("section A") and of the chords ("Dm7") of a plan from one tick until before another, as
    `read_chart` reads them. The first chord is that which holds at the start."""
    sections: list[Marker] = []
    chords: dict[int, Chord] = {}
    for bar, began in zip(plan.bars, plan.starts, strict=False):
        if bar.begins and bar.section and start <= began < end:
            sections.append(Marker(began, SECTIONS[1] + bar.section))
        chords |= {max(start, began + offset): chord for offset, chord in bar.chords if began + offset < end}
    changes = (next(same) for _, same in groupby(chords.items(), key=lambda each: each[1]))
    return sorted(sections + [Marker(tick, chord_name(chord)) for tick, chord in changes], key=lambda m: m.tick)


def read_chart(source: Path | str | bytes) -> Plan:
    """The plan in a MIDI file, given by path or contents. It is read from the first of these that the file has: markers
    with chords ("chord Dm7", "Dm7"), a track of block chords, or its notes, by chord recognition.

    Sections come from markers that are not chords, metres from the file. Raises HocketError for a file that cannot be
    read.
    """
    piece = read_midi(source, noteless=True)
    if not len(piece) and not piece.markers:
        raise HocketError("this MIDI file has neither notes nor markers: give one with chords")
    return chart_plan(piece)


def chart_plan(piece: Piece) -> Plan:
    """The plan of a piece, see `read_chart`. Raises HocketError for a piece without notes and chords."""
    chords, labels = _markers(piece)
    changes = chords or _chord_track(piece) or _recognised(piece)
    end = max([marker.tick + 1 for marker in piece.markers] + (piece.notes[:, 0] + piece.notes[:, 3]).tolist())
    bars = MetreMap(piece.metres)
    first = bars.locate(0).bar
    plan: list[PlanBar] = []
    queue = [ChordChange((tick + GRID // 2) // GRID * GRID, chord) for tick, chord in changes]
    now: Chord | None = None
    label = ""
    number = first
    while (start := max(0, bars.start_of(number))) < end:
        until = bars.start_of(number + 1)
        bar = PlanBar(_metre(bars.locate(start).metre, until - start))
        inside: dict[int, Chord] = {}
        while queue and queue[0].tick < until:
            tick, chord = queue.pop(0)
            inside[min(max(0, tick - start), bar.ticks - 1)] = chord
        if now is not None and 0 not in inside:
            inside[0] = now
        began = [text for tick, text in labels if start <= tick + GRID // 2 < until]
        label = began[-1] if began else label
        plan.append(bar._replace(section=label, begins=bool(began), chords=_distinct(inside)))
        now = inside[max(inside)] if inside else now
        number += 1
        if len(plan) > MOST_BARS:
            raise HocketError(f"a chart of over {MOST_BARS} bars is too long: cut it")
    return Plan(tuple(plan), _key(piece))


def typed(plan: Plan) -> str:
    """The plan as `parse_progression` reads it, bar by bar: a chord where a beat has one, / where it goes on."""
    return " | ".join(map(_typed_bar, plan.bars))


def _typed_bar(bar: PlanBar) -> str:
    beats = max(1, bar.metre[0])
    names = ["/"] * beats
    for offset, chord in bar.chords:
        names[min(round(offset * beats / bar.ticks), beats - 1)] = chord_name(chord)
    if names[0] == "/":
        names[0] = "?"
    return names[0] if set(names[1:]) <= {"/"} else " ".join(names)


def _markers(piece: Piece) -> tuple[list[ChordChange], list[tuple[int, str]]]:
    """The chords and the sections of markers. Without the prefix "chord ", every marker that can be read as a chord is
    one. If all of these are single letters in order of the alphabet (A, A, B, A, C), they are sections instead."""
    named = [(m.tick, text) for m in piece.markers if (text := _section_of(m))]
    if any(marker.text.startswith(PREFIX) for marker in piece.markers):
        return marked_chords(piece), named
    plain = [m for m in piece.markers if not m.text.startswith((*SECTIONS, KEY)) and m.text.strip()]
    read = [marker for marker in plain if _chord_of(marker)]
    letters = list(dict.fromkeys(marker.text.strip() for marker in read))
    if letters == list("ABCDEFG"[: len(letters)]):
        read = []
    sections = [(m.tick, m.text.strip()[:LONGEST_LABEL]) for m in plain if m not in read]
    return [change for marker in read if (change := _chord_of(marker))], named or sections


def _section_of(marker: Marker) -> str:
    """The section that a marker names after "section " or, in its first word, after "form "; "" for others."""
    form, section = SECTIONS
    if marker.text.startswith(form):
        return " ".join(marker.text.removeprefix(form).split()[:1])[:LONGEST_LABEL]
    return marker.text.removeprefix(section).strip()[:LONGEST_LABEL] if marker.text.startswith(section) else ""


def _chord_of(marker: Marker) -> ChordChange | None:
    try:
        return ChordChange(marker.tick, parse_chord(marker.text))
    except HocketError:
        return None


def _chord_track(piece: Piece) -> list[ChordChange]:
    """The chords of a part CHORDS that plays mostly blocks; none if there is no such part."""
    onsets = piece.notes[piece.notes[:, 5] == Part.CHORDS, 0].tolist()
    sizes = [len(list(struck)) for _, struck in groupby(onsets)]
    if not sizes or sum(size > 2 for size in sizes) < _BLOCKS * len(sizes):
        return []
    return block_chords(piece)


def _recognised(piece: Piece) -> list[ChordChange]:
    beats, chords = recognise(piece)
    return [
        ChordChange(int(tick), chord)
        for tick, chord, before in zip(beats.edges[:-1], chords, [None, *chords[:-1]], strict=True)
        if chord != before
    ]


def _distinct(chords: dict[int, Chord]) -> tuple[PlannedChord, ...]:
    """The chords in order without repeats; none if there is no chord at the start of the bar."""
    if 0 not in chords:
        return ()
    ordered = [PlannedChord(offset, chords[offset]) for offset in sorted(chords)]
    return tuple(c for i, c in enumerate(ordered) if not i or c.chord != ordered[i - 1].chord)


def _metre(metre: Metre | None, ticks: int) -> tuple[int, int]:
    """The metre of a bar, in sixteenths where a change of metre cuts it short."""
    if metre is None:
        return (4, 4)
    if ticks == metre.bar_ticks:
        return (metre.numerator, metre.denominator)
    return (max(1, round(ticks / _SIXTEENTH)), 16)


def _key(piece: Piece) -> tuple[int, str] | None:
    keys = [Marker(m.tick, m.text.removeprefix(KEY)) for m in piece.markers if m.text.startswith(KEY)]
    for found in map(_chord_of, keys):
        if found and found.chord.root is not None:
            return found.chord.root, "minor" if found.chord.kind == "min" else "major"
    return None
