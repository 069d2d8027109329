"""Piano rolls of pypianoroll (.npz, as in the Lakh Pianoroll Dataset) as raw MIDI."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.music.reading import RawMidi, RawTrack

SUFFIX = ".npz"
PITCHES = 128
USUAL_VELOCITY = 100  # of rolls that are on or off
MOST_STEPS = 1_000_000


def parse(data: bytes) -> RawMidi:
    """The contents of one file. HocketError if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            info = json.loads(archive.read("info.json"))
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return _raw(info, {name: arrays[name] for name in arrays.files if name != "info.json"})
    except (OSError, KeyError, ValueError, TypeError, IndexError, zipfile.BadZipFile) as error:
        raise HocketError(f"it is no piano roll of pypianoroll ({error})") from error


def _raw(info: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> RawMidi:
    resolution = int(info.get("beat_resolution") or info["resolution"])
    tempo = np.asarray(arrays.get("tempo", [120.0]), np.float64).reshape(-1)
    changed = np.flatnonzero(np.diff(tempo, prepend=-1.0))
    tracks = []
    for number in sorted(int(key) for key in info if key.isdigit()):
        facts = info[str(number)]
        steps, pitches = (int(n) for n in arrays[f"pianoroll_{number}_csc_shape"])
        if pitches != PITCHES or not 0 <= steps <= MOST_STEPS:
            raise ValueError(f"a roll of {steps} by {pitches}")
        values, rows, ends = (arrays[f"pianoroll_{number}_csc_{name}"] for name in ("data", "indices", "indptr"))
        tracks.append(_track(facts, values, rows, ends))
    return RawMidi(resolution, tracks, tempos=[(int(at), float(tempo[at])) for at in changed if tempo[at] > 0])


def _track(facts: dict[str, Any], values: NDArray[Any], rows: NDArray[Any], ends: NDArray[Any]) -> RawTrack:
    """Notes are the stretches of a pitch that are on."""
    columns = np.repeat(np.arange(PITCHES), np.diff(ends))
    on = values != 0
    rows, columns, values = rows[on].astype(np.int64), columns[on], values[on]
    order = np.lexsort((rows, columns))
    rows, columns, values = rows[order], columns[order], values[order]
    first = np.flatnonzero((np.diff(rows, prepend=-2) != 1) | (np.diff(columns, prepend=-1) != 0))
    lengths = np.diff(first, append=len(rows))
    loud = np.full(len(first), USUAL_VELOCITY) if values.dtype == np.bool_ else np.clip(values[first], 1, 127)
    by_time = np.argsort(rows[first], kind="stable")
    return RawTrack(
        str(facts.get("name") or ""),
        int(facts.get("program") or 0),
        bool(facts.get("is_drum")),
        rows[first][by_time],
        lengths[by_time].astype(np.int64),
        columns[first][by_time],
        loud[by_time].astype(np.int64),
    )
