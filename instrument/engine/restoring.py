"""Brings a performance back to an earlier moment, by what a person could do as well."""

from __future__ import annotations

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.note_thread import NoteThread
from instrument.engine.performance.arrangement import GENRE
from instrument.engine.performance.knobs import INSTRUMENT, MACROS
from instrument.engine.performance.patches import Patch
from instrument.engine.performance.sound_seats import NOTES
from instrument.engine.surface.history import Moment, seats
from instrument.errors import HocketError


def go_to(notes: NoteThread, wanted: Moment) -> None:
    """Give the performance the players, knobs, anchors and chords of a moment. For the notes thread; the models must be
    loaded. HocketError for chords of bars that have begun; the rest is done all the same."""
    history = notes.view.history
    history.restoring = True
    try:
        if not _seat(notes, wanted.patch):
            notes.use(wanted.patch)
        _turn(notes, wanted.patch)
        _write(notes, wanted)
    finally:
        history.restoring = False


def _seat(notes: NoteThread, patch: Patch) -> bool:
    """Give the players their models. Returns False if that needs another performance."""
    performance = notes.performance
    here, there = notes.view.snapshot.patch.players, patch.players
    if seats(notes.view.snapshot.patch) == seats(patch):
        return True
    if any(player.kept for player in performance.players):
        return False
    known = dict(zip((player.model for player in here), performance.kinds, strict=True))
    kinds = [known.get(player.model) or notes.models.kind(player.model) for player in there]  # it was loaded for this
    both = min(len(here), len(there))
    same = all(now.parts == then.parts for now, then in zip(here, there, strict=False))
    if (
        not same
        or tuple(kinds[:both]) != performance.kinds[:both]
        or NOTES in (*performance.kinds[both:], *kinds[both:])
    ):
        return False
    for number in reversed(range(both, len(here))):
        notes.remove(number)
    for number, player in enumerate(there):
        if number >= len(here) or here[number].model != player.model:
            performance.load(player.model, number)
    return True


def _turn(notes: NoteThread, patch: Patch) -> None:
    """Turn the knobs that are not as they were; set anchors and MIDI learn."""
    now = notes.performance.current_patch()
    for info in sorted(notes.performance.table.all, key=_rank):
        ours, theirs = (
            (one.knobs if info.player == INSTRUMENT else one.players[info.player].knobs) for one in (now, patch)
        )
        held = info.id == "tempo" and notes.following.holds
        if info.id in theirs and not held and (info.id == GENRE or ours.get(info.id) != theirs[info.id]):
            notes.turn(info, theirs[info.id])
            now = notes.performance.current_patch()
    for number, player in enumerate(patch.players):
        if notes.performance.pads[number] is not None:
            notes.performance.anchor(player.anchors, number)
    if now.routing.bindings != patch.routing.bindings:
        notes.midi_learn.bind(patch.routing.bindings)
    notes.set_fields(name=patch.name, about=patch.about, voices=patch.voices, macros=patch.macros)


def _rank(info: KnobInfo) -> int:
    """Macros and genres first, as they bring others with them."""
    return 0 if info.player == INSTRUMENT and info.id in MACROS else 1 if info.id == GENRE else 2


def _write(notes: NoteThread, wanted: Moment) -> None:
    """Write progression and chords that are not as they were."""
    performance, problem = notes.performance, ""
    if performance.current_patch().progression != wanted.patch.progression:
        performance.set_progression(wanted.patch.progression)
    there = dict(performance.written_chords)
    for bar in {*there, *wanted.chords}:
        if there.get(bar, "") != wanted.chords.get(bar, ""):
            try:
                performance.write_chords(bar, wanted.chords.get(bar, ""))
            except HocketError as error:
                problem = str(error)
    notes.set_fields()
    if problem:
        raise HocketError(f"the chords cannot be taken back: {problem}")
