"""Parts that rest and fills of the drums, where the plan says so, around what a player proposes."""

from __future__ import annotations

from dataclasses import replace

from instrument.models.notes.player import AsHeard, Ask, NotePlayer, checked_note
from instrument.music.notes import Note, Part
from instrument.music.plan import Plan

FULLEST = 1.0
TRIES = 4  # how often another note is asked for; then the player goes on after the bar
STEP = 6  # ticks of a sixteenth
# Fills of half a bar of four beats, (sixteenth, General MIDI percussion key, velocity): snare and toms, downwards.
SNARE, HIGH, MIDDLE, LOW, KICK = 38, 50, 47, 43, 36
FILLS: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((0, SNARE, 84), (1, SNARE, 70), (2, HIGH, 88), (3, HIGH, 74), (4, MIDDLE, 92), (5, MIDDLE, 78), (6, LOW, 98)),
    ((0, KICK, 86), (2, SNARE, 88), (3, SNARE, 72), (4, HIGH, 92), (6, MIDDLE, 94), (7, LOW, 102)),
    ((0, SNARE, 80), (2, SNARE, 86), (4, SNARE, 92), (5, SNARE, 82), (6, SNARE, 100), (7, SNARE, 92)),
)  # fmt: skip


def next_note(player: NotePlayer, ask: Ask, plan: Plan | None, last: Note | None, drums: bool) -> Note:
    """The next note of a player: its own, unless the part rests there or a fill of the drums comes first.

    last: the note before; drums: whether the player has drummed, so that fills are its own. HocketError for an
    impossible note.
    """
    note = checked_note(player.propose(replace(ask, plan=plan)))
    if plan is None or isinstance(player, AsHeard):
        return note
    for turn in range(TRIES + 1):
        end = _silent_until(plan, note, drums)
        if end is None:
            break
        resting = {part for part in Part if _silent_until(plan, note._replace(part=part), drums) is not None}
        others = frozenset(ask.parts or Part) - resting
        only = replace(ask, parts=others) if others and turn < TRIES else ask.at(max(ask.floor, end))
        note = checked_note(player.propose(replace(only, plan=plan)))
    return _fill_before(plan, note, max(ask.floor, 0), last) if drums else note


def _silent_until(plan: Plan, note: Note, drums: bool) -> int | None:
    """The tick until which the part of a note rests at its onset, None if it does not rest."""
    bar = plan.bar_at(note.tick)
    if bar is None:
        return None
    fullness = plan.bars[bar].fullness[note.part]
    if fullness == 0:
        return plan.starts[bar + 1]
    fills = note.part == Part.DRUMS and drums and fullness == FULLEST
    return plan.starts[bar + 1] if fills and note.tick >= _fill_start(plan, bar) else None


def _fill_start(plan: Plan, bar: int) -> int:
    return plan.starts[bar] + plan.bars[bar].ticks // 2 // STEP * STEP


def _fill_before(plan: Plan, note: Note, floor: int, last: Note | None) -> Note:
    """The next note of a fill, if it comes before `note`, else that."""
    after = last.order if last else -1
    first = plan.bar_at(max(floor, last.tick if last else 0))
    until = plan.bar_at(note.tick)
    if first is None:
        return note
    for bar in range(first, (len(plan) - 1 if until is None else until) + 1):
        if plan.bars[bar].fullness[Part.DRUMS] != FULLEST:
            continue
        start = _fill_start(plan, bar)
        for sixteenth, key, velocity in FILLS[bar % len(FILLS)]:
            hit = Note(start + sixteenth * STEP, 0, key, STEP, velocity, int(Part.DRUMS))
            if hit.tick >= max(floor, 0) and after < hit.order < note.order and hit.tick < plan.starts[bar + 1]:
                return hit
    return note
