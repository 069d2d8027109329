"""Sets up a mixer for a scene: voices, levels and sound players. Used live and for rendering."""

from __future__ import annotations

import threading
from collections.abc import Callable

from instrument.engine.performance.arrangement import LIVE_CHANNEL, arrange, arrangement_messages, live_messages
from instrument.engine.performance.harmony.band_chords import Chords
from instrument.engine.performance.sound_seats import PARTS, Scene, SoundSeat
from instrument.engine.sound.mixer import (
    KEYS,
    MASTER,
    Event,
    Fader,
    KeysSetup,
    KnobUpdate,
    Mixer,
    Placed,
    PlayerSource,
    Routes,
)
from instrument.engine.sound.placing import Place
from instrument.engine.sound.streams import LiveStream, StreamSettings, StreamSource, TunedStream
from instrument.engine.voices.neural import FailedTones, NeuralVoice
from instrument.models.sound.base import SoundModel, Tones, VoiceModel

SILENT = (-120.0, -120.0)


class SoundPlayers:
    """Sets a mixer up for a scene: programs, pans and levels of the built-in voices, the master level, and a strip with
    knobs for each sound player.

    Any thread may call it. keyed: a voice plays the keyboard; chords: of the band, whose notes the caller adds.
    """

    def __init__(self, mixer: Mixer, tick_at: Callable[[int], float], live: bool) -> None:
        """tick_at: the tick at which a frame of the mixer is heard, infinite while it is stopped; live: streams render
        in threads of their own."""
        self.chords = Chords()
        self._tick_at = tick_at
        self._live = live
        self._mixer = mixer
        self._seated: dict[int, tuple[str, SoundModel, PlayerSource]] = {}  # by the id of the model
        self._count = 0
        self._scene = Scene()
        self._playing = False
        self._running: tuple[StreamSource, ...] = ()  # for `is_short`, which takes no lock
        self.keyed = False  # a voice plays the keyboard
        self._failed: dict[str, str] = {}  # voices that have stopped, and why
        self._settings: tuple[Event, ...] = ()  # in force
        self._lock = threading.RLock()

    def use(self, mixer: Mixer) -> None:
        """Move to another mixer; streams continue where they are."""
        with self._lock:
            last, self._mixer = self._seated, mixer
            for _, _, source in last.values():
                if isinstance(source, LiveStream):
                    source.join()
            self._seated = {}
            for strip, model, _ in last.values():
                seat = next(seat for seat in self._scene.seats if seat.model is model)
                source = self._seat(strip, seat, 0.0)
                if isinstance(source, StreamSource) and self._playing:
                    source.resume()
            self._running = tuple(self._streams)

    def arrange(self, scene: Scene, tick: float) -> tuple[Event, ...]:
        """Let a scene hold from a tick on. New sound players are attached and those that left are detached at once;
        returned are the events that the mixer needs at that tick because they differ from those before."""
        with self._lock:
            self._scene = scene
            there = {id(seat.model) for seat in scene.seats}
            for key in [key for key in self._seated if key not in there]:
                strip, _, source = self._seated.pop(key)
                self._mixer.detach(strip)
                self._failed.pop(strip, None)
                if isinstance(source, LiveStream):
                    source.close()  # what is ready is enough for the fade-out
            for seat in scene.seats:
                if id(seat.model) not in self._seated:
                    self._count += 1
                    source = self._seat(f"sound player {self._count}", seat, tick)
                    if isinstance(source, StreamSource) and self._playing:
                        source.begin(self._mixer.horizon, soon=True)
                elif isinstance(stream := self._seated[id(seat.model)][2], StreamSource):
                    stream.tuned.update(tick, self._stream_settings(seat))
            self._running = tuple(self._streams)
            self.keyed = any(LIVE_CHANNEL in PARTS[str(seat.values.get("part", "melody"))] for seat in scene.seats)
            before, self._settings = self._settings, (*_band_events(scene), *self._events())
            return tuple(event for event in self._settings if event not in before)

    @property
    def settings(self) -> tuple[Event, ...]:
        """All events in force, for a new mixer."""
        return self._settings

    def begin(self, frame: int) -> None:
        """The transport starts: tick 0 is at this frame of the mixer."""
        with self._lock:
            self._playing = True
            for stream in self._streams:
                stream.begin(frame)

    def stop(self) -> None:
        """The transport stops."""
        with self._lock:
            self._playing = False
            self.chords.clear()
            for stream in self._streams:
                stream.stop()

    def is_short(self, frames: int) -> bool:
        """Whether the mixer should wait a moment before it renders these frames, as a chunk is nearly ready."""
        return any(stream.is_short(frames) for stream in self._running)

    def close(self) -> None:
        """End all threads."""
        with self._lock:
            for stream in self._streams:
                if isinstance(stream, LiveStream):
                    stream.join()

    @property
    def problems(self) -> tuple[str, ...]:
        """What the person playing should know."""
        with self._lock:
            return (*filter(None, (stream.problem for stream in self._streams)), *self._failed.values())

    @property
    def taken(self) -> list[int]:
        """The frames from which the last settings of the first stream hold."""
        streams = self._streams
        return list(streams[0].tuned.taken) if streams else []

    def strips(self, players: int) -> list[str]:
        """The strip of each player, empty if it has none."""
        with self._lock:
            strips = [""] * players
            for seat in self._scene.seats:
                if seat.player < players and id(seat.model) in self._seated:
                    strips[seat.player] = self._seated[id(seat.model)][0]
            return strips

    def underruns(self, players: int) -> tuple[int, ...]:
        """How often the stream of each player ran dry."""
        counts = [0] * players
        with self._lock:
            for seat in self._scene.seats:
                source = self._seated[id(seat.model)][2] if id(seat.model) in self._seated else None
                if seat.player < players and isinstance(source, StreamSource):
                    counts[seat.player] = source.underruns
        return tuple(counts)

    @property
    def _streams(self) -> list[StreamSource]:
        return [source for _, _, source in self._seated.values() if isinstance(source, StreamSource)]

    def _seat(self, strip: str, seat: SoundSeat, tick: float) -> PlayerSource:
        mixer, model = self._mixer, seat.model
        source: PlayerSource
        if isinstance(model, VoiceModel):
            name = f"player {seat.player}"
            tones = started(model, mixer.rate, self._live)
            source = NeuralVoice(tones, mixer.rate, name, lambda why: self._failed.__setitem__(strip, why))
            source.turn(seat.model_knobs)
        else:
            tuned = TunedStream(model, mixer.rate, self._tick_at, self.chords)
            tuned.update(tick, self._stream_settings(seat))
            source = (LiveStream if self._live else StreamSource)(tuned, lambda: mixer.horizon)
        self._seated[id(model)] = (strip, model, source)
        mixer.attach(strip, source, seat.gain_db, _place(seat))
        return source

    def _stream_settings(self, seat: SoundSeat) -> StreamSettings:
        values = seat.values
        tune, duck = float(values["tune"]), float(values["duck"])
        chords = bool(values["chords"])
        return StreamSettings(seat.model_knobs, self._scene.tones, tune, chords, duck, self._scene.seed, seat.player)

    def _events(self) -> tuple[Event, ...]:
        events: list[Event] = []
        routes: dict[int, list[str]] = {}
        for seat in self._scene.seats:
            strip = self._seated[id(seat.model)][0]
            events += [Fader(strip, seat.gain_db), Placed(strip, _place(seat))]
            if isinstance(seat.model, VoiceModel):
                events.append(KnobUpdate(strip, seat.model_knobs))
                for channel in PARTS[str(seat.values["part"])]:
                    routes.setdefault(channel, []).append(strip)
        return (*events, Routes({channel: tuple(strips) for channel, strips in routes.items()}))


def started(model: VoiceModel, rate: int, live: bool) -> Tones:
    """The tones of a voice; if its model fails, tones that raise its error as they are first used."""
    try:
        return model.start(rate, live)
    except Exception as error:  # noqa: BLE001
        return FailedTones(error)


def _place(seat: SoundSeat) -> Place:
    return Place(float(seat.values["pan"]), float(seat.values["width"]))


def _band_events(scene: Scene) -> tuple[Event, ...]:
    """Programs, pans and levels of the built-in voices, for band and keyboard, and the master level."""
    arranged = arrange(scene.genre, scene.voices)
    keys: tuple[Event, ...] = (
        *(KeysSetup(message) for message in live_messages(arranged)),
        Fader(KEYS, scene.keys_level),
    )
    return (*arrangement_messages(arranged), *keys, Fader(MASTER, scene.level))
