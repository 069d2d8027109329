"""The mixer: timed events and sources in, limited blocks of stereo sound out."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from instrument import midi_spec
from instrument.engine.performance.arrangement import LIVE_CHANNEL
from instrument.engine.sound.click import Beat, Click
from instrument.engine.sound.limiter import Limiter
from instrument.engine.sound.placing import MIDDLE, Place, Placing
from instrument.engine.voices.base import FADE_S, Voice, perform
from instrument.engine.voices.gain import Frames, Ramp, to_db, to_gain
from instrument.engine.voices.live_channels import LiveMessage
from instrument.music.midifile import CHANNELS

BLOCK = 256  # frames
SHORT_BLOCK = 128  # frames mixed at once while a person plays
CUT_S = 0.010  # fade-out of a panic

VOICES, KEYS, MASTER, CLICK = "voices", "keys", "master", "click"
PARTS = {part.name.lower(): channel for part, channel in CHANNELS.items()}


class Source(Protocol):
    """A source of sound."""

    def render(self, frames: int) -> Frames:
        """The next frames, (n, 2), of full scale 1. Must not wait."""
        ...


class PlayerSource(Source, Protocol):
    """A source that is attached and detached while playing: a sound player."""

    def all_off(self) -> None:
        """Panic: silent at once."""
        ...

    def close(self) -> None:
        """Called once it has been detached and faded out. Must not wait."""
        ...


@runtime_checkable
class PlayerVoice(Voice, Protocol):
    """A sound player that plays the MIDI channels that are routed to it."""

    def turn(self, knobs: Mapping[str, float | str]) -> None:
        """Turn knobs."""
        ...


class Fader(NamedTuple):
    """An event: move a strip ("master", "voices", "keys", a source, or a part: "melody", "drums", ...) to a level in
    decibels, at most 0 for a part; -120 and less is silence."""

    strip: str
    db: float


class Placed(NamedTuple):
    """An event: move the strip of a sound player to a place."""

    strip: str
    place: Place


class KnobUpdate(NamedTuple):
    """An event: new knob values of a sound player that plays MIDI."""

    strip: str
    knobs: Mapping[str, float | str]


class Routes(NamedTuple):
    """An event: the sound players that play a MIDI channel (0..15, or the `LIVE_CHANNEL` for the keyboard) in place of
    the built-in voice, which plays all other channels. It is applied before the notes of its frame."""

    strips: Mapping[int, tuple[str, ...]]


class KeysSetup(NamedTuple):
    """An event: a program or controller of the built-in voice that plays the keyboard."""

    message: bytes


Event = bytes | Fader | Placed | KnobUpdate | Routes | LiveMessage | KeysSetup | Beat


class Meter(NamedTuple):
    """Output since the meter was last read: peak and RMS (left, right) in dBFS, and the largest gain reduction of the
    limiter (dB, at most 0)."""

    peak: tuple[float, float]
    rms: tuple[float, float]
    reduction: float


class Mixer:
    """Renders a voice and other sources by the clock of its own frames, the first of which is 0.

    Events may be posted by any thread; `render` is for one. An event takes effect on its frame, counted in what
    `render` returns (by FluidSynth on the multiple of 64 that is nearest, 0.7 ms off at most); events of one frame in
    the order posted; one that comes late, at once. So that the limiter can look ahead, sources are rendered up to
    `horizon`, 1.3 ms further than what has been returned: events before it are late. The sound does not depend
    on how it is cut into calls, so a performance rendered to a file is the live one.
    """

    def __init__(
        self,
        rate: int,
        voice: Voice,
        sources: Mapping[str, Source] | None = None,
        keys: Voice | None = None,
        click: Click | None = None,
    ) -> None:
        """voice: plays the band; keys: plays what a person plays, of its own so that no band note shares a channel with
        it, None: only sound players do; click: the metronome."""
        self.rate = rate
        self.voice = voice
        self.keys = keys
        self.horizon = 0
        self._click = click
        self._limiter = Limiter(rate)
        own = {VOICES: voice, KEYS: keys, CLICK: click}
        self._sources: dict[str, Source] = {**{name: each for name, each in own.items() if each}, **(sources or {})}
        self._ramps = {strip: Ramp() for strip in (MASTER, *self._sources)}
        self._player_sources: dict[str, PlayerSource] = {}
        self._player_voices: dict[str, PlayerVoice] = {}  # those sources that play MIDI
        self._places: dict[str, Placing] = {}  # of sound players
        self._leaving: set[str] = set()
        self._routes: Mapping[int, tuple[str, ...]] = {}
        self._peaks: dict[str, NDArray[np.float32]] = {}  # by strip, since `peaks` was last called
        self._gate = Ramp()  # a panic closes it
        self._silence_at: int | None = None
        self._lock = threading.Lock()
        self._queue: list[tuple[int, bool, int, Event]] = []
        self._posted = 0
        self._panic = False
        self._peak, self._power, self._metered, self._reduction = np.zeros(2), np.zeros(2), 0, 0.0

    @property
    def strips(self) -> tuple[str, ...]:
        """Names for `Fader.strip`."""
        return (*self._ramps, *PARTS)

    def attach(self, strip: str, source: PlayerSource, db: float = 0.0, place: Place = MIDDLE) -> None:
        """Add a sound player. It fades in to a level in decibels with the next block. Any thread."""
        ramp = Ramp(0.0)
        ramp.move(to_gain(db), round(FADE_S * self.rate))
        with self._lock:
            self._player_sources[strip] = source
            if isinstance(source, PlayerVoice):
                self._player_voices[strip] = source
            self._ramps[strip] = ramp
            self._places[strip] = Placing(self.rate, place)
            self._sources = {**self._sources, strip: source}

    def detach(self, strip: str) -> None:
        """Fade a sound player out and remove it. Any thread."""
        with self._lock:
            if strip in self._player_sources:
                self._ramps[strip].move(0.0, round(FADE_S * self.rate))
                self._leaving.add(strip)

    def peaks(self) -> dict[str, tuple[float, float]]:
        """Peaks (left, right) in dBFS of each source since the last call, before the master level. For one thread."""
        with self._lock:
            peaks, self._peaks = self._peaks, {}
        return {strip: (to_db(peak[0]), to_db(peak[1])) for strip, peak in peaks.items()}

    def post(self, frame: int, event: Event) -> None:
        """Enter an event at a frame: a short MIDI message of the band or of a person, a fader, knobs or routes. Any
        thread."""
        with self._lock:
            self._posted += 1
            heapq.heappush(self._queue, (frame, not isinstance(event, Routes), self._posted, event))

    def panic(self) -> None:
        """Silence within `CUT_S` of what is rendered next, reverberation too; events posted so far are dropped.
        Any thread."""
        with self._lock:
            self._queue.clear()
            self._panic = True

    def render(self, frames: int = BLOCK) -> Frames:
        """The next frames, (n, 2), within -0.3 dBFS."""
        if self.horizon == 0:  # the limiter's look-ahead is filled once, so that frame 0 in is frame 0 out
            self._limiter.process(self._mix(self._limiter.lookahead))
        out = self._limiter.process(self._mix(frames))
        peaks, power = np.abs(out).max(axis=0, initial=0.0), np.square(out, dtype=np.float64).sum(axis=0)
        with self._lock:
            self._peak = np.maximum(self._peak, peaks)
            self._power += power
            self._metered += frames
            self._reduction = min(self._reduction, self._limiter.reduction_db)
        return out

    def reach(self, frames: int) -> int:
        """The frame before which events take effect in the next `render(frames)`."""
        return self.horizon + frames + (self._limiter.lookahead if self.horizon == 0 else 0)

    def meter(self) -> Meter:
        """The levels since the last call. For one thread."""
        with self._lock:
            peak, rms = self._peak, np.sqrt(self._power / max(1, self._metered))
            reduction = self._reduction
            self._peak, self._power, self._metered, self._reduction = np.zeros(2), np.zeros(2), 0, 0.0
        left, right = map(to_db, peak)
        return Meter((left, right), (to_db(rms[0]), to_db(rms[1])), reduction)

    def _mix(self, frames: int) -> Frames:
        """The next frames of all sources, before the limiter, cut at the events that fall in them."""
        mixed = np.empty((frames, 2), np.float32)
        start, end = self.horizon, self.horizon + frames
        while self.horizon < end:
            until = min(end, self._take_events())
            mixed[self.horizon - start : until - start] = self._sum(until - self.horizon)
            self.horizon = until
        return mixed

    def _sum(self, frames: int) -> Frames:
        total = np.zeros((frames, 2), np.float32)
        for strip, source in self._sources.items():
            sound = source.render(frames) * self._ramps[strip].take(frames)
            if strip in self._places:
                sound = self._places[strip].process(sound)
            total += sound
            peak = np.abs(sound).max(axis=0, initial=0.0)
            self._peaks[strip] = np.maximum(self._peaks[strip], peak) if strip in self._peaks else peak
        if self._leaving:
            self._drop_faded()
        total *= self._ramps[MASTER].take(frames)
        total *= self._gate.take(frames)
        return total

    def _drop_faded(self) -> None:
        """Remove the sound players that have faded out."""
        with self._lock:
            for strip in [strip for strip in self._leaving if not self._ramps[strip].moving]:
                self._leaving.discard(strip)
                self._sources = {name: source for name, source in self._sources.items() if name != strip}
                del self._ramps[strip], self._places[strip]
                self._player_voices.pop(strip, None)
                self._player_sources.pop(strip).close()

    def _take_events(self) -> int:
        """Apply the events that are due at the horizon. Returns the frame of the next event."""
        with self._lock:
            panicked, self._panic = self._panic, False
            due = []
            while self._queue and self._placed(self._queue[0][0]) <= self.horizon:
                due.append(heapq.heappop(self._queue)[3])
            following = self._placed(self._queue[0][0]) if self._queue else self.horizon + (1 << 30)
        if panicked:
            self._gate.move(0.0, round(CUT_S * self.rate))
            self._silence_at = self.horizon + round(CUT_S * self.rate)
        elif self._silence_at == self.horizon:
            for each in (self.voice, *filter(None, [self.keys]), *list(self._player_sources.values())):
                each.all_off()
            for placing in self._places.values():
                placing.clear()
            self._gate.move(1.0, round(CUT_S * self.rate))
            self._silence_at = None
        for event in due:
            self._apply(event)
        return following if self._silence_at is None else min(following, self._silence_at)

    def _apply(self, event: Event) -> None:
        match event:
            case Fader() | Placed():
                self._move(event)
            case KnobUpdate():
                if event.strip in self._player_voices:
                    self._player_voices[event.strip].turn(event.knobs)
            case Routes():
                self._routes = event.strips
            case LiveMessage():
                self._perform_live(event)
            case KeysSetup():
                if self.keys:
                    perform(self.keys, event.message)
            case Beat():
                if self._click:
                    self._click.strike(event)
            case bytes():
                self._perform(event)

    def _perform(self, message: bytes) -> None:
        """Send a note-on to where its channel is routed, and a note-off everywhere, as routes may have changed."""
        if not self._player_voices or len(message) < 2:
            perform(self.voice, message)
            return
        parsed = midi_spec.parse(message)
        starts = parsed.starts
        strips = self._routes.get(parsed.channel, ())
        routed = [self._player_voices[strip] for strip in strips if strip in self._player_voices]
        if not (routed and starts):
            perform(self.voice, message)
        for player in routed if starts or parsed.kind == midi_spec.BEND else list(self._player_voices.values()):
            perform(player, message)

    def _perform_live(self, live: LiveMessage) -> None:
        """As `_perform`, for what a person plays; the built-in voice plays its drums in any case."""
        parsed = midi_spec.parse(live.message)
        strips = () if parsed.channel == midi_spec.DRUM_CHANNEL else self._routes.get(LIVE_CHANNEL, ())
        routed = [self._player_voices[strip] for strip in strips if strip in self._player_voices]
        others = routed if parsed.starts else list(self._player_voices.values())
        keys = [(self.keys, 0)] if self.keys and not (routed and parsed.starts) else []
        for voice, first_channel in (*keys, *((player, LIVE_CHANNEL) for player in others)):
            if parsed.kind == midi_spec.BEND:
                voice.bend(parsed.channel + first_channel, live.semitones)
            else:
                perform(voice, live.message, first_channel)

    def _placed(self, frame: int) -> int:
        """The nearest frame at which the voice can apply an event."""
        grain = self.voice.grain
        return (frame + grain // 2) // grain * grain

    def _move(self, fader: Fader | Placed) -> None:
        if isinstance(fader, Placed):
            if fader.strip in self._places:
                self._places[fader.strip].move(fader.place)
            return
        gain = to_gain(fader.db)
        if fader.strip in PARTS:
            self.voice.fade(PARTS[fader.strip], min(1.0, gain))
        elif fader.strip in self._ramps and fader.strip not in self._leaving:
            self._ramps[fader.strip].move(gain, round(FADE_S * self.rate))
