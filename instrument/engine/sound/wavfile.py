"""Writing sound to a .wav file piece by piece; after a full disk, what was written before is a valid file."""

from __future__ import annotations

import logging
import os
import queue
import threading
from pathlib import Path

import numpy as np
import soundfile
import soxr

from instrument.engine.sound.mixer import BLOCK
from instrument.engine.voices.gain import Frames
from instrument.errors import HocketError, one_line

logger = logging.getLogger(__name__)

SUBTYPE, FRAME_BYTES = "PCM_24", 6
MAX_BYTES = 4 * 10**9  # a .wav file stores its length in 32 bits
BACKLOG_S = 30.0  # sound that may wait for a slow disk
CLOSE_S = 20.0


class WavFile:
    """A stereo .wav file with 24 bits a sample, being written."""

    def __init__(self, path: Path, rate: int) -> None:
        """HocketError where the file cannot be written."""
        self.path = path
        self.frames = 0
        self._rate = rate
        self._flushed = 0
        try:
            self._file = soundfile.SoundFile(os.fspath(path), "w", rate, channels=2, format="WAV", subtype=SUBTYPE)
        except (OSError, soundfile.SoundFileError) as error:
            raise HocketError(f"cannot write {path} ({_cause(error)}): choose a folder you can write to") from error

    def write(self, frames: Frames) -> None:
        """Append frames (n, 2). HocketError when the disk is full or the file has 4 GB; what was
        written before is kept, and the file is closed."""
        try:
            if (self.frames + len(frames)) * FRAME_BYTES > MAX_BYTES:
                raise HocketError(f"{self.path} has 4 GB, the limit of .wav files: what was recorded is kept")
            self._file.write(frames)
            self.frames += len(frames)
            if self.frames - self._flushed >= self._rate:  # a second; also writes the length into the header
                self._file.flush()
                self._flushed = self.frames
        except HocketError:
            self.close()
            raise
        except (OSError, soundfile.SoundFileError, AssertionError) as error:  # soundfile asserts on short writes
            self.close()
            raise HocketError(
                f"cannot continue writing {self.path} ({_cause(error)}): what was recorded so far is kept; "
                "make room, or record to another disk"
            ) from error

    def close(self) -> None:
        """Complete the file. Safe to call again."""
        if not self._file.closed:
            self._file.close()


class WavRecorder:
    """A `WavFile` written by a thread of its own, so that the thread that renders never waits for a disk."""

    def __init__(self, path: Path, rate: int) -> None:
        """HocketError where the file cannot be written."""
        self.path = path
        self._file = WavFile(path, rate)
        self._rate = rate
        self._room = int(BACKLOG_S * rate / BLOCK)
        self._blocks: queue.Queue[tuple[Frames, int] | None] = queue.Queue()
        self._problem: HocketError | None = None
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._thread.start()

    def write(self, frames: Frames, rate: int = 0) -> None:
        """Append frames (n, 2), in pieces of about a `BLOCK`. Never waits, never raises.

        rate: sample rate of these frames, 0 = the file's; they are resampled to the file's rate.
        """
        if self._problem is None and self._blocks.qsize() > self._room:
            self._problem = HocketError(f"the disk is too slow to record to {self.path}: its beginning is kept")
        if self._problem is None:
            self._blocks.put((frames.copy(), rate or self._rate))

    def update(self) -> None:
        """HocketError when the recording has failed; what was recorded until then is kept."""
        if self._problem:
            raise self._problem

    def close(self) -> None:
        """Write the rest and complete the file. HocketError as `update`."""
        self._blocks.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            raise HocketError(f"{self.path} is not complete: the disk did not finish within {CLOSE_S:g} s")
        self.update()

    def _run(self) -> None:
        last, resampler = self._rate, None
        try:
            while (item := self._blocks.get()) is not None:
                block, rate = item
                if rate != last:
                    self._append(_held_back(resampler))
                    last, resampler = rate, None
                    if rate != self._rate:
                        resampler = soxr.ResampleStream(rate, self._rate, 2, dtype="float32")
                self._append(resampler.resample_chunk(block) if resampler else block)
            self._append(_held_back(resampler))
            self._file.close()
        except HocketError as error:
            self._problem = error
        except Exception as error:
            logger.exception("recording to %s failed", self.path)
            self._problem = HocketError(f"recording to {self.path} failed ({one_line(error)}): its beginning is kept")

    def _append(self, frames: Frames) -> None:
        if self._problem is None and len(frames):
            self._file.write(frames)


def _held_back(resampler: soxr.ResampleStream | None) -> Frames:
    """The last frames (n, 2) of what was resampled."""
    rest = np.zeros((0, 2), np.float32)
    return resampler.resample_chunk(rest, last=True) if resampler else rest


def _cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or getattr(error, "error_string", None) or "the disk is full"
