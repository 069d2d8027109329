"""Makes anchors for the latent pad: from files, from what was just played, at random, from genres. For a worker thread,
as it takes tenths of a second."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from instrument.engine.ipc.messages import AddAnchor, Anchor
from instrument.engine.midi_reading import read_beginning
from instrument.engine.performance.anchors import prepare
from instrument.engine.performance.knobs import knob_name
from instrument.engine.performance.pad import removed
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input, Released
from instrument.errors import HocketError
from instrument.models.latent import Point, to_text
from instrument.models.notes.player import LatentPlayer
from instrument.music.notes import Note, Part
from instrument.music.timebase import MetreMap

RECENT = 4000  # notes of all players that are searched for what was just played
ANY = "none"  # the genre that stands for all genres


def make_anchor(wanted: AddAnchor, performances: Iterable[Performance]) -> Anchor:
    """The wanted anchor. performances: the present one first, then earlier ones whose notes may be captured.
    HocketError for a player without a latent space, or if there is nothing to encode."""
    performances = list(performances)
    pad = performances[0].pad(wanted.player)
    name, point = _SOURCES[wanted.source](wanted, pad.model, performances)
    anchor = Anchor(name, wanted.x, wanted.y, to_text(point))
    prepare(pad.model, (*pad.anchors, anchor))
    return anchor


def without_anchor(performance: Performance, name: str, player: int) -> Callable[[Sequence[Anchor]], Sequence[Anchor]]:
    """A function that removes an anchor from a pad. The ways between the remaining anchors are measured before.
    HocketError if there is no such anchor."""
    without = partial(removed, name=name)
    pad = performance.pad(player)
    prepare(pad.model, without(pad.anchors))
    return without


def just_played(performance: Performance, player: int, bars: int) -> list[Note]:
    """The notes of the last `bars` bars and the present one: those of a person if there are any, else the player's."""
    metres = performance.metres
    start = metres.start_of(max(0, metres.locate(performance.floor).bar - bars))
    entries = list(performance.take.entries)  # another thread appends to it
    lengths = {(e.tick, e.pitch, int(e.part)): e.duration for e in entries if isinstance(e, Released)}
    live = chain.from_iterable(e.live for e in entries if isinstance(e, Input) and e.player == player)
    played = [
        note._replace(duration=lengths.get((note.tick, note.pitch, note.part), note.duration))
        for note in live
        if note.tick >= start
    ]
    if not played:
        heard = performance.take.heard(max(0, performance.take.heard_count - RECENT))
        played = [note for number, note in heard if number == player and note.tick >= start]
    return sorted(played, key=lambda note: note.order)


Source = Callable[[AddAnchor, LatentPlayer, Sequence[Performance]], tuple[str, Point]]


def _file(wanted: AddAnchor, player: LatentPlayer, _: Sequence[Performance]) -> tuple[str, Point]:
    path = Path(wanted.what)
    piece = read_beginning(str(path))
    try:
        return path.stem.replace("_", " "), _encode(player, piece.as_notes(), MetreMap(piece.metres))
    except HocketError as error:
        raise HocketError(f"{path} cannot be an anchor: {error}") from error


def _phrase(wanted: AddAnchor, player: LatentPlayer, performances: Sequence[Performance]) -> tuple[str, Point]:
    for performance in performances:
        if notes := just_played(performance, wanted.player, player.shape.bars):
            return "Phrase", _encode(player, notes, performance.metres)
    raise HocketError("nothing has been played yet: play a bar or two, then capture them")


def _sample(wanted: AddAnchor, player: LatentPlayer, performances: Sequence[Performance]) -> tuple[str, Point]:
    space = player.space
    genre = str(performances[0].values.get(knob_name(wanted.player, "genre"), ANY))
    return "Sample", space.sample(genre, secrets.randbits(63))


def _genre(wanted: AddAnchor, player: LatentPlayer, _: Sequence[Performance]) -> tuple[str, Point]:
    genre = wanted.what
    if genre != ANY and genre not in player.space.genres:
        raise HocketError(f"unknown genre {genre!r}: choose one of {', '.join((ANY, *player.space.genres))}")
    name = "All genres" if genre == ANY else genre.replace("_", " ").capitalize()
    return name, player.space.anchor(genre)


_SOURCES: dict[str, Source] = {"file": _file, "phrase": _phrase, "sample": _sample, "genre": _genre}


def _encode(player: LatentPlayer, notes: Sequence[Note], metres: MetreMap) -> Point:
    """Encode the notes of the player's part; if there are none, all pitched notes, or all drums for a drum model."""
    own = [note for note in notes if note.part == player.part]
    return player.encode(own or [note for note in notes if (note.part == Part.DRUMS) == player.shape.drums], metres)
