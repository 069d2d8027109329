"""Streams: endless sound models, from chunks at their own sample rate to a source of the mixer."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import soxr
from numpy.typing import NDArray

from instrument import last_resort
from instrument.engine.ipc.messages import Value
from instrument.engine.performance.harmony.band_chords import Chords
from instrument.engine.sound.tuning import Tuner, ducking
from instrument.engine.voices.base import FADE_S
from instrument.engine.voices.gain import Frames, Ramp
from instrument.errors import HocketError, one_line
from instrument.models.sound.base import StreamModel, checked_sound
from instrument.music.harmony import PitchClasses

logger = logging.getLogger(__name__)

LEAD_S = 0.016  # the next chunk is begun when less than this is ready beyond what is mixed
MAX_LEAD_S = 0.2  # maximum of the same, on a slow machine
SLACK = 1.1  # times the longest render time of the last chunks: kept ready
FADE_TAIL = 128  # frames kept back, for a fade-out when a chunk is late
IDLE_WAIT_S = 0.05  # longest wait of the thread
# Passes all up to 16 kHz with half a millisecond of delay; "HQ" has 18, as it works in large blocks.
QUALITY = "LQ"

Mono = NDArray[np.float32]


class StreamSettings(NamedTuple):
    """Settings of a stream. knobs: of its model; tones: pitch classes of the key; tune: how far it is tuned to them,
    0..1; chords: tune to the chord where one is known; duck: depth of ducking, 0..1; seed, player: of its draws."""

    knobs: Mapping[str, Value]
    tones: PitchClasses
    tune: float
    chords: bool
    duck: float
    seed: int
    player: int


class TunedStream:
    """A stream model as mono sound at the mixer's rate: tuned, ducked, and resampled without a seam.

    One thread renders; any thread may call `update`. Settings hold from the first chunk that begins at their tick or
    later, so the sound is a function of model, seed, settings and their ticks. taken: the frames from which the last
    settings hold.
    """

    def __init__(self, model: StreamModel, rate: int, tick_at: Callable[[int], float], chords: Chords) -> None:
        """tick_at: the tick at which a frame of the mixer is heard, infinite when stopped; chords: of the band."""
        self.rate = rate
        self.taken: deque[int] = deque(maxlen=100)
        self._model = model
        self._tick_at = tick_at
        self._chords = chords
        # while it is stopped only the last matters, so a bound loses nothing
        self._pending: deque[tuple[float, StreamSettings]] = deque(maxlen=1000)
        self._now: StreamSettings | None = None
        self._last: StreamSettings | None = None
        self._begin()

    def update(self, tick: float, settings: StreamSettings) -> None:
        """Change the settings at a tick."""
        if settings != self._last:
            self._last = settings
            self._pending.append((tick, settings))

    def restart(self) -> None:
        """Begin with chunk 0 and the latest settings."""
        while self._pending:
            self._now = self._pending.popleft()[1]
        if self._now:
            self._model.reset(self._now.seed, self._now.player)
        self._begin()

    def next(self, frame: int) -> Mono:
        """The next sound (n,), about one chunk, heard from a frame of the mixer on. HocketError if the model fails."""
        start = self._tick_at(frame)
        before = self._now
        while self._pending and self._pending[0][0] <= start:
            self._now = self._pending.popleft()[1]
            self.taken.append(frame)
        if self._now is None:
            self._now = self._pending.popleft()[1]
        now, before = self._now, before or self._now
        sound = self._render(before, now)
        tones = (now.chords and self._chords.at(start)) or now.tones
        sound = self._tuner.process(sound, tones, now.tune)
        end = self._tick_at(frame + round(len(sound) * self.rate / self._model.rate))
        sound = sound * ducking(start, end, len(sound), (before.duck, now.duck))
        resampled: Mono = self._resampler.resample_chunk(sound) if self._resampler else sound
        return resampled

    def _begin(self) -> None:
        model = self._model
        self._tuner = Tuner(model.rate, model.chunk)
        self._resampler = (
            soxr.ResampleStream(model.rate, self.rate, 1, dtype="float32", quality=QUALITY)
            if model.rate != self.rate
            else None
        )

    def _render(self, before: StreamSettings, now: StreamSettings) -> Mono:
        """The next chunk. After a change of seed, a chunk of the old seed is cross-faded into the first of the new."""
        if before.seed == now.seed:
            return self._chunk(now)
        last = self._chunk(before)
        self._model.reset(now.seed, now.player)
        rise = np.linspace(0, 1, len(last), endpoint=False, dtype=np.float32)
        faded: Mono = last * (1 - rise) + self._chunk(now) * rise
        return faded

    def _chunk(self, settings: StreamSettings) -> Mono:
        return checked_sound(self._model.render(settings.knobs))


class Run:
    """The sound of a stream from one start to one stop: written by one thread, read by another.

    begun: its model has been restarted; ended: nothing more is written; underruns: how often it ran dry.
    """

    def __init__(self, start: int, rate: int, begun: bool = False, soon: bool = False) -> None:
        """start: frame of the mixer at which it begins; soon: or later, as soon as sound is ready."""
        self.begun = begun
        self.ended = False
        self.underruns = 0
        self._start = start
        self._rate = rate
        self._pieces: deque[Mono] = deque()
        self._written = self._read = self._missed = 0
        self._dry, self._counted = True, soon
        self._gate = Ramp(1.0)
        self._stopping = False

    @property
    def ready(self) -> int:
        """Frames that are written and not read yet."""
        return self._written - self._read

    def is_short(self, at: int, frames: int) -> bool:
        """Whether reading `frames` from frame `at` now would run dry while more sound is being rendered."""
        awaited = not (self._dry and self._counted) and not (self.ended or self._stopping)
        return awaited and at + frames > self._start and self.ready < frames + FADE_TAIL

    @property
    def position(self) -> int:
        """The frame of the mixer at which the next written frame is heard."""
        return self._start + self._missed + self._written

    @property
    def over(self) -> bool:
        """Whether it has been stopped, and has faded out."""
        return self._stopping and not self._gate.moving

    def write(self, piece: Mono) -> None:
        """Append sound."""
        self._pieces.append(piece)
        self._written += len(piece)

    def stop(self) -> None:
        """Fade out."""
        self._gate.move(0.0, round(FADE_S * self._rate))
        self._stopping = True

    def read(self, at: int, frames: int) -> Mono:
        """The sound (frames,) from frame `at` of the mixer on. It fades out where too little is written."""
        out = np.zeros(frames, np.float32)
        wanted = frames - min(frames, max(0, self._start - at))
        if wanted:
            sound = self._sound_for(wanted)
            self._missed += wanted - len(sound)
            out[frames - wanted : frames - wanted + len(sound)] = sound
        gain = self._gate.take(frames)
        return out * (gain if isinstance(gain, float) else gain[:, 0].astype(np.float32))

    def _sound_for(self, wanted: int) -> Mono:
        """The next frames, up to `wanted`."""
        enough = self.ready >= wanted + FADE_TAIL
        if not enough and not self._counted and not self._stopping:
            self.underruns += 1
            self._counted = True
        if self._dry and not enough:
            return np.zeros(0, np.float32)
        first = self._read == 0
        sound = self._take(min(wanted, self.ready))
        if self._dry and not first:
            sound = sound * np.linspace(0, 1, len(sound), dtype=np.float32)
        elif not enough:
            sound = sound * np.linspace(1, 0, len(sound), dtype=np.float32)
        self._dry = not enough
        self._counted = not enough
        return sound

    def _take(self, frames: int) -> Mono:
        taken, left = [], frames
        while left:
            piece = self._pieces.popleft()
            if len(piece) > left:
                self._pieces.appendleft(piece[left:])
                piece = piece[:left]
            taken.append(piece)
            left -= len(piece)
        self._read += frames
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)


class StreamSource:
    """A stream as a `PlayerSource` of the mixer: silent until `begin`, and after `stop` or panic.

    problem: why the model has stopped, empty while it runs.
    """

    def __init__(self, tuned: TunedStream, horizon: Callable[[], int]) -> None:
        """horizon: the frame of the mixer that is rendered next."""
        self.tuned = tuned
        self.problem = ""
        self._horizon = horizon
        self._run: Run | None = None
        self._leaving: Run | None = None  # fades out
        self._underruns = 0  # of runs that are over

    @property
    def underruns(self) -> int:
        """How often it ran dry."""
        run = self._run
        return self._underruns + (run.underruns if run else 0)

    def is_short(self, frames: int) -> bool:
        """Whether the mixer should wait a moment before it renders these frames."""
        return False

    def begin(self, frame: int, soon: bool = False) -> None:
        """Begin with chunk 0 at a frame of the mixer, or with `soon` when it is ready; what still sounds fades out."""
        self._begin(Run(frame, self.tuned.rate, soon=soon))

    def resume(self) -> None:
        """Continue with the model's next chunk as soon as it is ready."""
        self._begin(Run(self._horizon(), self.tuned.rate, begun=True, soon=True))

    def stop(self) -> None:
        """Fade out."""
        run, self._run = self._run, None
        if run:
            run.stop()
            self._underruns += run.underruns
            self._leaving = run

    def all_off(self) -> None:
        """As `PlayerSource.all_off`: silent until the next `begin`."""
        self.stop()
        self._leaving = None

    def render(self, frames: int) -> Frames:
        """As `Source.render`."""
        mono = np.zeros(frames, np.float32)
        for run in (self._run, self._leaving):
            if run:
                self._fill(run, frames)
                mono += run.read(self._horizon(), frames)
        if self._leaving and self._leaving.over:
            self._leaving = None
        return np.repeat(mono[:, None], 2, axis=1)

    def close(self) -> None:
        """As `PlayerSource.close`."""

    def _begin(self, run: Run) -> None:
        self.stop()
        self.problem = ""
        self._run = run

    def _fill(self, run: Run, frames: int) -> None:
        """Make sure that these frames are ready. Without a thread they are rendered here."""
        while run is self._run and run.ready < frames + FADE_TAIL and not run.ended:
            self._write(run)

    def _write(self, run: Run) -> None:
        """Render one more chunk."""
        try:
            if not run.begun:
                self.tuned.restart()
                run.begun = True
            run.write(self.tuned.next(run.position))
        except HocketError as error:
            self.problem = f"a stream is silent: {error}"
            run.ended = True
        except Exception as error:
            logger.exception("a stream failed")
            self.problem = f"a stream is silent: its model failed: {one_line(error)}"
            run.ended = True


class LiveStream(StreamSource):
    """A `StreamSource` with a thread of its own, which keeps a little sound ready."""

    def __init__(self, tuned: TunedStream, horizon: Callable[[], int]) -> None:
        super().__init__(tuned, horizon)
        self._wanted = threading.Event()
        self._closed = False
        self._took: deque[float] = deque(maxlen=32)  # seconds that the last chunks took
        self._thread = threading.Thread(target=self._work, name="stream", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """As `PlayerSource.close`: the thread ends soon."""
        self._closed = True
        self._wanted.set()

    def is_short(self, frames: int) -> bool:
        """As `StreamSource.is_short`."""
        run = self._run
        lacking = run is not None and run.is_short(self._horizon(), frames)
        if lacking:
            self._wanted.set()
        return lacking

    def join(self) -> None:
        """Wait until the thread has ended, so that another thread may use the model."""
        self.close()
        self._thread.join(2)

    @property
    def _lead(self) -> int:
        """The next chunk is begun when fewer frames than this are ready."""
        slow = SLACK * max(self._took, default=0.0)
        return round(min(MAX_LEAD_S, max(LEAD_S, slow)) * self.tuned.rate) + FADE_TAIL

    def _begin(self, run: Run) -> None:
        super()._begin(run)
        self._wanted.set()

    def _fill(self, run: Run, frames: int) -> None:
        if run is self._run and run.ready - frames < self._lead:
            self._wanted.set()

    def _work(self) -> None:
        last_resort.keep_going("the thread of a stream", self._turn, lambda: self._closed)

    def _turn(self) -> None:
        run = self._run
        if run is None or run.ended or run.ready >= self._lead:
            self._wanted.wait(IDLE_WAIT_S)
            self._wanted.clear()
            return
        began = time.perf_counter()
        self._write(run)
        self._took.append(time.perf_counter() - began)
