"""Where sound comes from: folders of recordings, of single notes, of MIDI files to be rendered; sound fonts."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from instrument.errors import HocketError
from training.data.licences import licence_allows_shipping
from training.data.notes.shards import INDEX_NAME, Shards, shard_name
from training.data.sound.ensembles import INSTRUMENTS, VELOCITIES
from training.data.sound.files import SUFFIXES, header
from training.data.sound.rendering import FONT_SUFFIXES
from training.data.sources import MANIFEST_NAME, SPLITS, is_inside
from training.data.sources import SUFFIXES as MIDI_SUFFIXES
from training.data.tree import files, is_text, others, shown

NSYNTH_NAME, NOTES_NAME, CLIPS_NAME = "examples.json", "notes.csv", "clips.csv"
NSYNTH_HOLD_S = 3.0
PITCH_STEP = 3  # semitones between the notes played of a sound font
COPY_BYTES = 1 << 20  # of equal files, so much is compared, and the size
PRESET = re.compile(r"bank (\d+) program (\d+)")


class Item(msgspec.Struct, frozen=True):
    """One thing to bring into a corpus.

    kind: a recording or a piece (of which windows are cut), a note (a file), or a tone (played here by a
    sound font); folder, path: its file, or the font and its name; stamp: changes when it does; start, seconds:
    the part of it that is wanted; hold: seconds until the key is released, 0 unknown; preset: bank and program;
    number: of the piece in its shards; midi: the file with a piece's own programs, if there is one.
    An empty split is decided by the group.
    """

    kind: Literal["recording", "piece", "note", "tone"]
    folder: str
    path: str
    dataset: str
    genre: str
    group: str
    licence: str = ""
    split: str = ""
    stamp: str = ""
    start: float = 0.0
    seconds: float = 0.0
    source_rate: int = 0
    instrument: str = ""
    pitch: int = -1
    velocity: int = -1
    hold: float = 0.0
    preset: tuple[int, int] = (0, 0)
    number: int = -1
    midi: str = ""


@dataclass(slots=True)
class Found:
    """The items of a source, those that cannot be used: path and reason; and what is wrong with some that can."""

    items: list[Item] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)


def kind_of(source: Path) -> str:
    """What a source is: "font", "shards", "nsynth", "notes", "clips", "midi" or "files". HocketError if
    nothing."""
    if source.suffix.lower() in FONT_SUFFIXES and source.is_file():
        return "font"
    if not source.is_dir():
        raise HocketError(f"{source} is neither a folder nor a sound font ({' or '.join(FONT_SUFFIXES)})")
    if (source / INDEX_NAME).is_file() and (source / shard_name(0)).is_file():
        return "shards"
    for name, kind in (
        (NSYNTH_NAME, "nsynth"),
        (NOTES_NAME, "notes"),
        (CLIPS_NAME, "clips"),
        (MANIFEST_NAME, "midi"),
    ):
        if (source / name).is_file():
            return kind
    suffixes = {Path(path).suffix.lower() for path in files(source)}
    if suffixes & set(SUFFIXES):
        return "files"
    if suffixes & set(MIDI_SUFFIXES):
        return "midi"
    raise HocketError(f"{source} holds neither sound ({', '.join(SUFFIXES)}) nor MIDI files")


def find_files(folder: Path) -> Found:
    """Recordings in a folder; the genre is the subfolder, and files that share a folder within it are of one
    track. Copies are left out."""
    found, seen = Found(), dict[tuple[int, str], str]()
    for name in files(folder):
        within = PurePosixPath(name)
        if within.suffix.lower() not in SUFFIXES:
            continue
        if not is_text(name):
            found.rejected.append((shown(name), "its name is not UTF-8: rename it"))
            continue
        genre = within.parts[0] if len(within.parts) > 1 else "none"
        group = within.parent if len(within.parts) > 2 else within
        copy_of = seen.setdefault(_fingerprint(folder / name), within.as_posix())
        if copy_of != within.as_posix():
            found.rejected.append((within.as_posix(), f"it is a copy of {copy_of}"))
            continue
        facts = {"dataset": folder.name, "genre": genre, "group": group.as_posix()}
        _add_recording(found, folder, within.as_posix(), facts)
    left = others(folder, (*SUFFIXES, ".csv", ".json", ".txt"))
    midi = sum(left.pop(suffix, 0) for suffix in MIDI_SUFFIXES)
    found.rejected += [
        (f"*{suffix}", f"{count} files {suffix or 'without a suffix'} are not read as sound")
        for suffix, count in left.items()
    ]
    if midi:
        reason = f"{midi} MIDI files beside sound are not rendered: put them into a folder of their own"
        found.rejected.append((folder.name, reason))
    return found


def find_clips(folder: Path) -> Found:
    """Recordings that a clips.csv lists: path, genre, and where given split, licence, dataset or package, and
    the source file that a clip was cut from."""
    found = Found()
    for line, row in _rows(folder / CLIPS_NAME, ("path", "genre")):
        path = _inside(folder / CLIPS_NAME, line, row["path"])
        dataset = row.get("dataset") or row.get("debian_package") or folder.name
        facts = {
            "dataset": dataset,
            "genre": row["genre"] or "none",
            "group": f"{dataset}/{row.get('source_file') or path}",
            "licence": row.get("licence") or "",
            "split": _split(folder / CLIPS_NAME, line, row),
        }
        _add_recording(found, folder, path, facts)
    return found


def find_notes(folder: Path, hold: float) -> Found:
    """Notes that a notes.csv lists: file, instrument, pitch, and where given family, velocity, licence, split.
    The key of those that a sound font played (their source_file says so) was held for `hold` seconds."""
    found = Found()
    for line, row in _rows(folder / NOTES_NAME, ("file", "instrument", "pitch")):
        path = _inside(folder / NOTES_NAME, line, row["file"])
        facts = _note_facts(row, "pitch", "velocity")
        facts |= {"split": _split(folder / NOTES_NAME, line, row), "licence": row.get("licence") or ""}
        facts["hold"] = hold if PRESET.search(row.get("source_file") or "") else 0.0
        _add_note(found, folder, path, row["instrument"], row.get("family") or "", facts)
    return found


def find_nsynth(folder: Path) -> Found:
    """Notes in the format of NSynth (Engel et al., 2017): examples.json, and audio/NAME.wav. A folder whose name ends
    in train, valid or test is that split."""
    path = folder / NSYNTH_NAME
    try:
        examples = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Any]])
    except (OSError, msgspec.MsgspecError) as error:
        raise HocketError(f"{path} cannot be read: {error}") from error
    split = next((s for s in SPLITS if folder.name.endswith(s)), "")
    found = Found()
    for name, example in sorted(examples.items()):
        if not is_inside(name):
            raise HocketError(f"{path}: {name!r} is not inside the folder")
        facts = _note_facts(example, "pitch", "velocity") | {"split": split, "hold": NSYNTH_HOLD_S}
        instrument = str(example.get("instrument_str") or example.get("instrument") or "unknown")
        family = str(example.get("instrument_family_str") or "")
        _add_note(found, folder, f"audio/{name}.wav", instrument, family, facts)
    return found


def find_pieces(shards: Shards, all_licences: bool, midi_folder: Path | None = None) -> Found:
    """Pieces to be rendered: with pitched notes, made by people, and unless `all_licences` not under the GPL.
    midi_folder: where their files are, to play with their own programs."""
    return Found(
        [
            Item(
                kind="piece",
                folder=str(shards.folder),
                path=piece.path,
                dataset=piece.dataset,
                genre=piece.genre,
                group=piece.path,
                licence=piece.licence,
                split=piece.split,
                stamp=shards.data_hash,
                seconds=piece.seconds,
                number=number,
                midi=str(midi_folder / piece.path) if midi_folder and (midi_folder / piece.path).is_file() else "",
            )
            for number, piece in enumerate(shards.pieces)
            if not piece.drums_only and not piece.realised and (all_licences or licence_allows_shipping(piece.licence))
        ]
    )


def find_tones(font: Path, notes: Path | None, hold: float) -> Found:
    """Single notes for a sound font to play: those of a notes.csv (each with the program that its source_file
    or its instrument's name is known), or else all of INSTRUMENTS."""
    rows = _rows(notes, ("file", "instrument", "pitch")) if notes else _usual_notes()
    found, seen = Found(), set[tuple[Any, ...]]()
    for line, row in rows:
        path, name = row["file"], row["instrument"]
        match, usual = PRESET.search(row.get("source_file") or ""), INSTRUMENTS.get(name.split("_")[0])
        usual = INSTRUMENTS.get(name, usual)
        facts = _note_facts(row, "pitch", "velocity")
        if match is None and usual is None:
            found.rejected.append((path, f"no program is known for the instrument {name!r}"))
            continue
        facts["preset"] = (int(match[1]), int(match[2])) if match else (0, usual.program if usual else 0)
        facts |= {"hold": hold, "dataset": font.stem, "split": _split(notes, line, row) if notes else ""}
        note = (name, facts["pitch"], facts["velocity"])
        if note in seen:
            found.rejected.append((path, "the same note was played already"))
            continue
        seen.add(note)
        _add_note(found, font, path, name, row.get("family") or "", facts)
    return found


def _add_recording(found: Found, folder: Path, path: str, facts: dict[str, Any]) -> None:
    try:
        rate, frames, warning = header(folder / path)
    except HocketError as error:
        found.rejected.append((path, str(error)))
        return
    if warning:
        found.warnings.append((path, warning))
    item = Item("recording", str(folder), path, stamp=_stamp(folder / path), source_rate=rate, **facts)
    found.items.append(msgspec.structs.replace(item, seconds=frames / rate))


def _add_note(found: Found, folder: Path, path: str, instrument: str, family: str, facts: dict[str, Any]) -> None:
    """folder: of the file, or a sound font that plays it."""
    pitch = facts["pitch"]
    if pitch is None:
        found.rejected.append((path, "its pitch is not labelled"))
    elif not 0 <= pitch <= 127:
        found.rejected.append((path, f"its pitch is {pitch}: MIDI has 0 to 127"))
    else:
        facts = {"dataset": folder.name, "genre": family, "group": f"{instrument}/{pitch}"} | facts
        if folder.suffix.lower() in FONT_SUFFIXES:
            found.items.append(Item("tone", str(folder), path, stamp=_stamp(folder), instrument=instrument, **facts))
            return
        try:
            rate, _, warning = header(folder / path)
        except HocketError as error:
            found.rejected.append((path, str(error)))
            return
        if warning:
            found.warnings.append((path, warning))
        note = Item("note", str(folder), path, stamp=_stamp(folder / path), instrument=instrument, **facts)
        found.items.append(msgspec.structs.replace(note, source_rate=rate))


def _note_facts(row: dict[str, Any], pitch: str, velocity: str) -> dict[str, Any]:
    """Pitch (None where it is not labelled) and velocity (of a loud note)."""
    loud = _whole(row.get(velocity))
    return {
        "pitch": _whole(row.get(pitch)),
        "velocity": loud if loud is not None and 0 < loud <= 127 else VELOCITIES[-1],
    }


def _whole(value: Any) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _usual_notes() -> Iterator[tuple[int, dict[str, str]]]:
    for name, reach in INSTRUMENTS.items():
        for pitch in range(reach.low, reach.high + 1, PITCH_STEP):
            for velocity in VELOCITIES:
                file = f"{name}/{name}_{pitch:03}_{velocity:03}_0.flac"
                facts = {"family": reach.family, "pitch": str(pitch), "velocity": str(velocity)}
                yield 0, {"file": file, "instrument": name, **facts}


def _rows(table: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows of a table that has these columns."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if absent := [c for c in columns if c not in (reader.fieldnames or ())]:
                raise HocketError(f"{table} has no column {absent[0]!r}: it must have {', '.join(columns)}")
            for line, row in enumerate(reader, 2):
                if any(row[c] is None for c in columns):
                    raise HocketError(f"{table}, line {line} is too short: it must have {', '.join(columns)}")
                yield line, row
    except (OSError, UnicodeError, csv.Error) as error:
        raise HocketError(f"{table} cannot be read: {error}") from error


def _split(table: Path, line: int, row: dict[str, str]) -> str:
    split = row.get("split") or ""
    if split and split not in SPLITS:
        raise HocketError(f"{table}, line {line}: split is {split!r}, not one of {', '.join(SPLITS)}")
    return split


def _inside(table: Path, line: int, path: str) -> str:
    if not is_inside(path):
        raise HocketError(f"{table}, line {line}: {path!r} is not inside the folder")
    return path


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return ""  # reading it will report the error
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _fingerprint(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.sha1(file.read(COPY_BYTES)).hexdigest()
