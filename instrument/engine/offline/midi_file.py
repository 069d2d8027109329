"""Writes what was played to a MIDI file: a track for each player and part, with the sound, key, tempo and bars."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from instrument.engine.performance.arrangement import arrange, patch_channels
from instrument.engine.performance.knobs import INSTRUMENT, split_name
from instrument.engine.performance.performance import Played
from instrument.engine.performance.sound_seats import SoundModels, scenes
from instrument.engine.performance.takes import Input, Joined, Take, Turn
from instrument.engine.voices.programs import PartProgram, part_messages
from instrument.music.harmony import KEYS, key_signature
from instrument.music.midifile import MidiTrack, write_tracks
from instrument.music.notes import COLUMNS, Part, Piece
from instrument.music.parts.labels import PLAYER
from instrument.music.timebase import MICRO_STEPS, MetreMap


def write_notes(played: Iterable[Played], take: Take, metres: MetreMap, end: float, path: Path) -> None:
    """Write the notes played before the tick `end` to a .mid file. Its tracks have the channels of the patch and the
    programs of the band. HocketError if it cannot be written."""
    notes = kept(played, end)
    channels, arranged, names = patch_channels(take.header.patch), arrangements(take), _models(take)
    tracks = []
    for player, part in sorted({(player, note.part) for player, note in notes}, key=lambda each: (each[1], each[0])):
        rows = [note for number, note in notes if (number, note.part) == (player, part)]
        programs = [
            (at, message)
            for at, seats in arranged
            if at < end or not at
            for message in part_messages(channels[Part(part)], seats[Part(part)])
        ]
        name = f"{Part(part).name.capitalize()}{PLAYER}{names.get(player, 'keyboard')}"
        tracks.append(MidiTrack(name, channels[Part(part)], np.array(rows, np.int32), programs))
    whole = Piece(
        np.zeros((0, len(COLUMNS)), np.int32),
        tuple(metre for metre in metres.metres if metre.tick < end),
        tuple(tempos(take, end).items()),
    )
    write_tracks(tracks, path, whole, key_signatures(take, end))


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
