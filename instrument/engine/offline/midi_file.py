"""Writes what was played to a MIDI file: a track for each player and part, with the sound, key, tempo and bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from instrument.engine.performance.arrangement import Sending, arrange
from instrument.engine.performance.knobs import INSTRUMENT, NEVER, knob_name, split_name
from instrument.engine.performance.performance import Played
from instrument.engine.performance.sound_seats import SoundModels, scenes
from instrument.engine.performance.takes import Input, Joined, Take, Turn
from instrument.engine.voices.programs import PartProgram, part_messages
from instrument.midi_spec import CHANNELS, CONTROL, DRUM_CHANNEL, PROGRAM, parse
from instrument.music.charts import plan_markers
from instrument.music.harmony import KEYS, key_signature
from instrument.music.midifile import MidiTrack, write_tracks
from instrument.music.notes import COLUMNS, Marker, Note, Part, Piece
from instrument.music.parts.labels import PLAYER
from instrument.music.plan import Plan
from instrument.music.timebase import MICRO_STEPS, MetreMap

Value = TypeVar("Value")

KEYBOARD = "keyboard"  # the player in the name of a track that a person played
Timed = tuple[float, bytes]  # tick, short MIDI message


def write_notes(
    played: Iterable[Played],
    take: Take,
    metres: MetreMap,
    end: float,
    path: Path,
    start: int = 0,
    plan: Plan | None = None,
) -> None:
    """Write the notes played from the tick `start` (the file's tick 0) until the tick `end` to a .mid file. Its tracks
    have the ports and channels to which the notes were sent at the end, and the programs of the band where the patch
    wants them. Sections and chords of the plan are markers. HocketError if it cannot be written."""
    band, by_hand = divided(played, take)
    keyboard = take.keyboard  # takes up to version 2 have only the notes of it
    notes = kept(band if keyboard else [*band, *by_hand], end)
    sending, arranged, names = sending_of(take, end), arrangements(take), _models(take)

    def programs(channel: int, part: Part) -> list[Timed]:
        given = _programs(arranged, channel, part, end)
        return [each for each in given if sending.programs[part] != NEVER or parse(each[1]).kind != PROGRAM]

    tracks = []
    for player, part in sorted({(player, note.part) for player, note in notes}, key=lambda each: (each[1], each[0])):
        rows = [note for number, note in notes if (number, note.part) == (player, part)]
        port, channel = sending.of(player, part)
        name = f"{Part(part).name.capitalize()}{PLAYER}{names.get(player, KEYBOARD)}"
        tracks.append(MidiTrack(name, channel, np.array(rows, np.int32), programs(channel, Part(part)), port))
    for part, channel, messages in _by_channel(keyboard, sending, end):
        struck, others = _keyboard_notes(messages, part, end)
        name = f"{part.name.capitalize()}{PLAYER}{KEYBOARD}"
        tracks.append(MidiTrack(name, channel, struck, [*programs(channel, part), *others]))
    whole = Piece(
        np.zeros((0, len(COLUMNS)), np.int32),
        tuple(replace(metre, tick=at) for at, metre in _since(start, [(m.tick, m) for m in metres.metres], end)),
        tuple(_since(start, tempos(take, end).items(), end)),
        tuple(Marker(m.tick - start, m.text) for m in plan_markers(plan, start, end)) if plan else (),
    )
    if start:
        tracks = [cut for cut in (_cut(track, start) for track in tracks) if len(cut.notes)]
    write_tracks(tracks, path, whole, _since(start, key_signatures(take, end), end))


def _since(start: int, timed: Iterable[tuple[int, Value]], end: float) -> list[tuple[int, Value]]:
    """(tick, value from there on) of a file that begins at `start`: what holds there, then what changes until `end`."""
    return list({max(0, tick - start): value for tick, value in sorted(timed, key=_tick) if tick < end}.items())


def _cut(track: MidiTrack, start: int) -> MidiTrack:
    """The track from a tick on, with the programs and controllers that hold there."""
    notes = track.notes[track.notes[:, 0] >= start].copy()
    notes[:, 0] -= start
    holding: dict[bytes, bytes] = {}
    later = []
    for tick, message in sorted(track.messages, key=_tick):
        if tick > start:
            later.append((tick - start, message))
        else:
            kind = message[:2] if message[0] & 0xF0 == CONTROL else message[:1]
            holding.pop(kind, None)
            holding[kind] = message  # the last of each kind, in their order
    return track._replace(notes=notes, messages=[*((0, message) for message in holding.values()), *later])


def _tick(timed: tuple[float, object]) -> float:
    return timed[0]


def divided(played: Iterable[Played], take: Take) -> tuple[list[Played], list[Played]]:
    """The notes of the band, and those of a person."""
    inputs = [entry for entry in take.entries if isinstance(entry, Input)]
    live = Counter((entry.player, note.order) for entry in inputs for note in entry.live)
    band: list[Played] = []
    by_hand: list[Played] = []
    for player, note in played:
        theirs = live[player, note.order] > 0
        live[player, note.order] -= theirs
        (by_hand if theirs else band).append((player, note))
    return band, by_hand


def _by_channel(keyboard: Iterable[Timed], sending: Sending, end: float) -> Iterator[tuple[Part, int, list[Timed]]]:
    """(part, channel of the file, messages) of each channel of a keyboard, so that bends and pedals are its own. Drums
    join those of the band."""
    found: dict[int, list[Timed]] = {}
    for tick, message in keyboard:
        if tick < end:
            found.setdefault(message[0] & 0x0F, []).append((tick, message))
    taken = {DRUM_CHANNEL, *(channel for channel, _ in sending.parts(0))}
    free = [channel for channel in range(CHANNELS) if channel not in taken] or [CHANNELS - 1]
    for number, channel in enumerate(sorted(found.keys() - {DRUM_CHANNEL})):
        yield Part.MELODY, free[min(number, len(free) - 1)], found[channel]
    if DRUM_CHANNEL in found:
        yield Part.DRUMS, sending.usual[Part.DRUMS], found[DRUM_CHANNEL]


def _keyboard_notes(messages: Iterable[Timed], part: Part, end: float) -> tuple[NDArray[np.int32], list[Timed]]:
    """Rows of the notes of a keyboard, which last while the key is down, and its other messages."""
    held: dict[int, tuple[float, int]] = {}
    rows: list[Note] = []
    others: list[Timed] = []

    def release(pitch: int, tick: float) -> None:
        if pitch in held:
            start, velocity = held.pop(pitch)
            steps = round(start * MICRO_STEPS)
            at = (steps + MICRO_STEPS // 2) // MICRO_STEPS
            rows.append(Note(at, steps - at * MICRO_STEPS, pitch, max(1, round(tick - start)), velocity, part))

    for tick, message in messages:
        parsed = parse(message)
        if parsed.starts or parsed.ends:
            release(parsed.first, tick)
            held |= {parsed.first: (tick, parsed.second)} if parsed.starts else {}
        else:
            others.append((tick, message))
    for pitch in list(held):
        release(pitch, end)
    return np.array(rows, np.int32).reshape(-1, len(COLUMNS)), others


def _programs(
    arranged: Iterable[tuple[int, dict[Part, PartProgram]]], channel: int, part: Part, end: float
) -> list[Timed]:
    """The programs of a part from each change of genre on."""
    return [
        (at, message) for at, seats in arranged if at < end or not at for message in part_messages(channel, seats[part])
    ]


def kept(played: Iterable[Played], end: float) -> list[Played]:
    """The notes played before the tick `end`, in order. Longer ones end there; of equal notes of several players at one
    tick, the longest is kept."""
    notes: dict[tuple[int, int, int], Played] = {}
    for player, note in played:
        if note.tick + note.micro / MICRO_STEPS < end:
            note = note._replace(duration=max(1, min(note.duration, int(end - note.tick))))
            _, same = notes.setdefault((note.tick, note.pitch, note.part), (player, note))
            if note.duration > same.duration:
                notes[note.tick, note.pitch, note.part] = player, note
    return sorted(notes.values(), key=lambda each: each[1].order)


def sending_of(take: Take, end: float) -> Sending:
    """Where the notes of a take are sent, as it was at the tick `end`."""
    patch = take.header.patch
    numbered = ((INSTRUMENT, patch.knobs), *((i, player.knobs) for i, player in enumerate(patch.players)))
    values = {knob_name(number, knob): value for number, knobs in numbered for knob, value in knobs.items()}
    turns = (entry for entry in take.entries if isinstance(entry, Turn) and entry.tick < end)
    values |= {knob_name(*split_name(entry.knob)): entry.value for entry in turns}
    return Sending(patch, values)


def tempos(take: Take, end: float) -> dict[int, float]:
    """Tick -> beats a minute from there on."""
    found = {0: float(take.header.patch.knobs["tempo"])}
    for entry in take.entries:
        if isinstance(entry, Turn) and split_name(entry.knob) == (INSTRUMENT, "tempo") and entry.tick < end:
            found[round(entry.tick)] = float(entry.value)
    return found


def key_signatures(take: Take, end: float) -> list[tuple[int, str]]:
    """(tick, key signature from there on), where the scale has one."""
    values = {name: str(take.header.patch.knobs[name]) for name in ("key", "scale")}
    found: list[tuple[int, str]] = []
    changes = [(entry.floor, entry.knobs) for entry in take.entries if isinstance(entry, Input) and entry.floor < end]
    for tick, knobs in ((0, {}), *changes):
        values |= {name: str(knobs[name]) for name in values.keys() & knobs.keys()}
        signature = key_signature(KEYS.index(values["key"]), values["scale"])
        if signature and (not found or found[-1][1] != signature):
            found.append((tick, signature))
    return found


def arrangements(take: Take) -> list[tuple[int, dict[Part, PartProgram]]]:
    """(tick, program of each part from there on), at the start and at each change of genre."""
    arranged: dict[int, dict[Part, PartProgram]] = {}
    genre = None
    for tick, scene in scenes(take, SoundModels({}, [])):
        if scene.genre != genre:
            genre = scene.genre
            arranged[int(tick)] = arrange(genre, scene.voices)
    return list(arranged.items())


def _models(take: Take) -> dict[int, str]:
    """The models that each player had, by its number."""
    found = {player: [bundle.slug] for player, bundle in enumerate(take.header.bundles)}
    for entry in take.entries:
        if isinstance(entry, Input | Joined) and entry.bundle:
            slugs = found.setdefault(entry.player, [])
            slugs += [entry.bundle.slug] if entry.bundle.slug not in slugs else []
    return {player: ", ".join(slugs) for player, slugs in found.items()}
