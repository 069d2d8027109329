"""A corpus of sound: many clips in one memory-mapped file, with an index of facts.

A folder holds `sound.i16` (little-endian int16, mono, clip after clip) and `index.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from training.data.licences import licence_allows_shipping

INDEX_VERSION = 1
INDEX_NAME = "index.json"
SOUND_NAME = "sound.i16"
FULL_SCALE = 32768


class Clip(msgspec.Struct, frozen=True):
    """Facts about one piece of sound.

    path: in its source; dataset: where that comes from; split: train, valid or test, never two for one
    group; start, frames: its place in the sound file; group: the track or piece that it was cut from.
    Of single notes: instrument, MIDI pitch, MIDI velocity (-1 where unknown), and `held`, the frames until
    the key was released (0 where unknown). source_rate: hertz of the file it was read from, whose band ends
    at half of that; 0 if it was rendered here.
    """

    path: str
    dataset: str
    genre: str
    licence: str
    split: str
    start: int = 0
    frames: int = 0
    group: str = ""
    instrument: str = ""
    pitch: int = -1
    velocity: int = -1
    held: int = 0
    source_rate: int = 0


class Index(msgspec.Struct, frozen=True):
    """The contents of index.json. `source_hash` names the files and options that it was made from."""

    version: int
    rate: int
    clips: list[Clip]
    data_hash: str
    source_hash: str = ""


class Corpus:
    """A folder of sound, opened for reading."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.rate = index.rate
        self.clips = index.clips
        self.data_hash = index.data_hash
        self._sound: NDArray[np.int16] | None = None

    @classmethod
    def open(cls, folder: Path | str) -> Corpus:
        """Open a prepared folder; raises HocketError if it is not one or is damaged."""
        folder = Path(folder)
        index = read_index(folder)
        if index is None:
            raise HocketError(f"{folder} holds no {INDEX_NAME}: run `python -m training prepare-audio`")
        return cls(folder, index)

    def select(
        self,
        split: str | None = None,
        ship_only: bool = False,
        genres: Collection[str] | None = None,
        datasets: Collection[str] | None = None,
        instruments: Collection[str] | None = None,
    ) -> list[Clip]:
        """The clips for which all that is given holds; `ship_only` leaves out what may not train a bundle
        that ships."""
        return [
            c
            for c in self.clips
            if (split is None or c.split == split)
            and (not ship_only or licence_allows_shipping(c.licence))
            and (genres is None or c.genre in genres)
            and (datasets is None or c.dataset in datasets)
            and (instruments is None or c.instrument in instruments)
        ]

    def read(self, clip: Clip, start: int = 0, frames: int | None = None) -> NDArray[np.float32]:
        """Samples of a clip within -1..1: float32 (frames,), from its frame `start` on, all of it by default.
        Beyond its end there is silence."""
        if start < 0 or (frames is not None and frames < 0):
            raise ValueError(f"frames {start} to {start} + {frames} are not in a clip")
        wanted = max(0, clip.frames - start) if frames is None else frames
        held = min(wanted, max(0, clip.frames - start))
        out = np.zeros(wanted, np.float32)
        first = clip.start + start
        np.divide(self._map()[first : first + held], np.float32(FULL_SCALE), out=out[:held])
        return out

    def _map(self) -> NDArray[np.int16]:
        if self._sound is None:  # opened on first use, so that a corpus sent to another process maps it there
            path = self.folder / SOUND_NAME
            end = max((c.start + c.frames for c in self.clips), default=0)
            try:
                sound = np.memmap(path, "<i2", mode="r")
            except (OSError, ValueError) as error:
                raise HocketError(f"{path} cannot be read ({error}): prepare the audio again") from error
            if len(sound) < end:
                raise HocketError(f"{path} is too short: prepare the audio again")
            self._sound = sound
        return self._sound


class CorpusWriter:
    """Writes a corpus, clip by clip; there is none until `finish`."""

    def __init__(self, folder: Path | str, rate: int, source_hash: str = "") -> None:
        """rate: hertz of all clips. OSError where the folder cannot be written."""
        self.folder = Path(folder)
        self._rate, self._source_hash = rate, source_hash
        self._clips: list[Clip] = []
        self._frames = 0
        self._digest = hashlib.sha256()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / INDEX_NAME).unlink(missing_ok=True)
        self._temporary = self.folder / f"{SOUND_NAME}.tmp"
        self._file = self._temporary.open("wb")

    def add(self, clip: Clip, sound: NDArray[np.floating] | NDArray[np.int16]) -> None:
        """Append a clip: mono samples (frames,), floats within -1..1 or int16 as they are. Its start and
        frames are filled in."""
        data = (sound if sound.dtype == np.int16 else to_int16(sound)).astype("<i2").tobytes()
        self._file.write(data)
        self._digest.update(data)
        self._clips.append(msgspec.structs.replace(clip, start=self._frames, frames=len(sound)))
        self._frames += len(sound)

    def finish(self) -> Corpus:
        """Close the sound file, write the index, and open the corpus."""
        self._file.close()
        self._temporary.replace(self.folder / SOUND_NAME)
        self._digest.update(msgspec.json.encode([self._rate, self._clips]))
        index = Index(INDEX_VERSION, self._rate, self._clips, self._digest.hexdigest(), self._source_hash)
        temporary = self.folder / f"{INDEX_NAME}.tmp"
        temporary.write_bytes(msgspec.json.encode(index))
        temporary.replace(self.folder / INDEX_NAME)
        return Corpus(self.folder, index)


def read_index(folder: Path) -> Index | None:
    """The index of a folder, None where there is none; HocketError if it is damaged or of another version."""
    path = folder / INDEX_NAME
    try:
        index = msgspec.json.decode(path.read_bytes(), type=Index)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise HocketError(f"{path} cannot be read ({error}): prepare the audio again") from error
    if index.version != INDEX_VERSION:
        raise HocketError(f"{path} has version {index.version}, not {INDEX_VERSION}: prepare the audio again")
    return index


def to_int16(sound: NDArray[np.floating]) -> NDArray[np.int16]:
    """Samples as int16; those beyond -1..1 are clipped."""
    return np.clip(np.rint(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
