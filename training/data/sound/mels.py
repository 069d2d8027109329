"""The log mels of a corpus of sound, made once and kept with it, memory-mapped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from instrument.errors import HocketError
from instrument.models.sound.spectral import MelFormat, log_mel
from training.data.sound.corpus import Clip, Corpus


class Mels:
    """Normalised log mels of clips: `frames` (all frames, mels) in half precision; clip i has those from starts[i] to
    starts[i + 1], a multiple of `stride`."""

    def __init__(self, corpus: Corpus, clips: list[Clip], format: MelFormat, stride: int) -> None:
        """HocketError if the corpus has another rate than the format."""
        if corpus.rate != format.rate:
            raise HocketError(f"{corpus.folder} holds sound at {corpus.rate} Hz, not {format.rate}: prepare it again")
        self.clips, self.format, self.stride = clips, format, stride
        counts = [clip.frames // format.hop // stride * stride for clip in clips]
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        description = json.dumps([corpus.data_hash, asdict(format), stride, [c.start for c in clips]])
        path = Path(corpus.folder) / f"mels-{hashlib.sha256(description.encode()).hexdigest()[:16]}.npy"
        if not path.exists():
            self._make(corpus, format, path)
        self.frames: NDArray[np.float16] = np.load(path, mmap_mode="r")

    def _make(self, corpus: Corpus, format: MelFormat, path: Path) -> None:
        temporary = path.with_suffix(".tmp")
        shape = (int(self.starts[-1]), format.mels)
        kept = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
        for clip, start, end in zip(self.clips, self.starts, self.starts[1:], strict=False):
            kept[start:end] = log_mel(corpus.read(clip), format)[: end - start]
        kept.flush()
        del kept
        temporary.replace(path)

    def __len__(self) -> int:
        return len(self.clips)

    def at(self, starts: NDArray[np.int64], frames: int) -> NDArray[np.float32]:
        """`frames` frames from each of these frames of all: (len(starts), frames, mels)."""
        return np.stack([self.frames[start : start + frames] for start in starts]).astype(np.float32)
