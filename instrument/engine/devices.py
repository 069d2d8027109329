"""The devices in use: those that were asked for, or the next best until they are there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from instrument.engine.midi.midi_input import Listener
from instrument.engine.midi.scheduler import Scheduler
from instrument.engine.sound.mix_thread import MixThread
from instrument.errors import HocketError
from instrument.io.audio.output import NULL, NullAudio, list_devices, open_audio
from instrument.io.glance import glance
from instrument.io.midi.input import NullMidiInput, check_input, list_inputs, open_midi_in
from instrument.io.midi.output import VIRTUAL, NullMidi, check_port, list_ports, open_midi
from instrument.io.ports import AudioOutput, AudioStatus, MidiInput, MidiOutput, MidiStatus

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

AUDIO, MIDI, MIDI_IN = KINDS = ("audio", "midi", "midi_in")
_LISTS = {AUDIO: list_devices, MIDI: list_ports, MIDI_IN: list_inputs}
RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # waits between tries to open what is missing; the last is kept
FOUND_BANNER_S = 10.0  # how long it is told that a device was found


@dataclass
class MissingDevice:
    """A device that was asked for ("" = any) and is not there. problem: what the player sees meanwhile, empty where
    nobody misses it."""

    name: str
    problem: str
    tries: int = 0
    due: float = 0.0


class Devices:
    """Keeps sound, MIDI and what a person plays on the devices that were asked for: one that is missing is taken
    when it appears.

    Devices are opened one after another in a thread of its own; nothing that plays waits for it. there: names
    of the devices there are, by kind.
    """

    def __init__(
        self,
        sound: MixThread,
        scheduler: Scheduler,
        listener: Listener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.available: dict[str, tuple[str, ...]] = dict.fromkeys(KINDS, ())
        self.on_change: Callable[[], None] = lambda: None  # told when `available` is new
        self._sound = sound
        self._scheduler = scheduler
        self._listener = listener
        self._clock = clock
        self._work = ThreadPoolExecutor(1, "devices")
        self._attempt: Future[None] | None = None
        self._missing: dict[str, MissingDevice] = {}
        self._found: dict[str, tuple[str, float]] = {}  # by kind: what is told of it, and until when
        self._glanced: object = None

    @property
    def banners(self) -> tuple[str, ...]:
        """What the player should know."""
        now = self._clock()
        return (
            *(missing.problem for missing in list(self._missing.values())),
            audio_banner(self._sound.audio.status()),
            midi_banner(self._scheduler.port.status()),
            midi_banner(self._listener.port.status()),
            *(text for text, until in list(self._found.values()) if now < until),
        )

    @property
    def midi_in(self) -> str:
        """What a person plays on, as the window shows it."""
        return midi_text(self._listener.port.status())

    def add_missing(self, kind: str, name: str, problem: str) -> None:
        """A device is missing; another plays in its place."""
        self._missing[kind] = MissingDevice(name, problem)

    def call(self, do: Callable[[], Result]) -> Future[Result]:
        """Have something done between two openings."""
        return self._work.submit(do)

    def use(self, kind: str, name: str) -> None:
        """Change to a device, which takes a while: through `call`. HocketError, with nothing changed, if it is
        not there."""
        if kind == AUDIO:
            self._sound.use(open_audio(name or None))
        elif kind == MIDI:
            self._use_port(name or VIRTUAL)
        else:
            check_input(name or VIRTUAL)
            self._listener.use(lambda: open_midi_in(name or VIRTUAL))
        self._missing.pop(kind, None)
        logger.info("%s: %s", kind, self.in_use(kind))

    def poll(self) -> None:
        """Keep the devices alive, and look out for those that are missing. Call it a few times a second."""
        self._scheduler.poll()
        self._sound.poll()
        self._listener.poll()
        if self._attempt:
            if not self._attempt.done():
                return
            self._attempt.result()
        now, glanced = self._clock(), glance()
        changed, self._glanced = glanced != self._glanced, glanced
        missing_now = list(self._missing.items())
        for _, missing in missing_now if changed else []:
            missing.due, missing.tries = now, 0
        due = [(kind, missing) for kind, missing in missing_now if now >= missing.due]
        self._attempt = self.call(lambda: self._open_due(due, changed)) if due or changed else None

    def refresh(self) -> None:
        """See what devices there are, which takes a second: through `call`."""
        for kind, look in _LISTS.items():
            try:
                self.available[kind] = tuple(look())
            except (HocketError, OSError):
                self.available[kind] = ()  # that there are none is told by the banners
        self.on_change()

    def close(self) -> None:
        """Open nothing any more."""
        self._work.shutdown(wait=False, cancel_futures=True)

    def _use_port(self, name: str) -> None:
        check_port(name)
        last = self._scheduler.port.status()
        try:
            self._scheduler.use(lambda: open_midi(name))
        except HocketError:
            self._scheduler.use(lambda: best_midi(NULL if last.backend == NULL else VIRTUAL)[0])
            raise

    def _open_due(self, due: list[tuple[str, MissingDevice]], changed: bool) -> None:
        for kind, missing in due:
            if self._missing.get(kind) is not missing:
                continue  # something else was asked for meanwhile
            try:
                self.use(kind, missing.name)
            except (HocketError, OSError) as error:
                logger.debug("%s: %r is still missing: %s", kind, missing.name, error)
                missing.due = self._clock() + RETRY_S[min(missing.tries, len(RETRY_S) - 1)]
                missing.tries += 1
                changed |= self._use_substitute(kind, missing)
            else:
                changed = True
                if missing.problem:
                    self._found[kind] = f"there it is: {self.in_use(kind)}", self._clock() + FOUND_BANNER_S
        if changed:
            self.refresh()

    def _use_substitute(self, kind: str, missing: MissingDevice) -> bool:
        """Take any other device than none while one is missing; whether there was one."""
        if kind == MIDI_IN or not missing.name or not self._is_null(kind):
            return False
        try:
            self.use(kind, "")
        except (HocketError, OSError):
            return False
        missing.problem = f"{missing.name!r} is not there: {self.in_use(kind)} until it appears"
        self._missing[kind] = missing
        return True

    def _is_null(self, kind: str) -> bool:
        if kind == AUDIO:
            return self._sound.audio.status().device == NULL
        return self._scheduler.port.status().backend == NULL

    def in_use(self, kind: str) -> str:
        """The device in use, as a phrase for the log and for banners."""
        if kind == AUDIO:
            return f"now playing to {self._sound.audio.status().device}"
        if kind == MIDI:
            return f"now sending to {self._scheduler.port.status().port}"
        return f"now listening to {self._listener.port.status().port}"


def best_audio(wanted: str) -> tuple[AudioOutput, str]:
    """An open audio output and a banner, empty where it is `wanted` (a device's name, "" the default, "null")."""
    problem = ""
    for name in dict.fromkeys((wanted, "")):
        try:
            audio = open_audio(name or None)
            return audio, problem and f"{problem}; playing to {audio.status().device} until it appears"
        except HocketError as error:
            problem = problem or str(error)
    audio = NullAudio()
    audio.start()
    return audio, f"{problem}; playing to nobody until {'it appears' if wanted else 'there is one'}"


def best_midi(wanted: str) -> tuple[MidiOutput, str]:
    """An open MIDI output and a banner, empty where it is `wanted` (a port's name, "" the virtual one, "null")."""
    problem = ""
    for name in dict.fromkeys((wanted or VIRTUAL, VIRTUAL)):
        try:
            midi = open_midi(name)
            return midi, problem and f"{problem}; sending to {midi.status().port} until it appears"
        except HocketError as error:
            problem = problem or str(error)
    return NullMidi(), f"{problem}; sending to nobody until there is one"


def best_input(wanted: str) -> tuple[MidiInput, str | None]:
    """An open MIDI input, and None where it is `wanted` (a port's name, "" the virtual one, "null"), else a banner,
    empty where no particular one was."""
    try:
        return open_midi_in(wanted or VIRTUAL), None
    except HocketError as error:
        return NullMidiInput(), f"{error}; listening to nobody until it appears" if wanted else ""


def audio_banner(status: AudioStatus) -> str:
    """What is wrong with the audio device, if anything."""
    if status.state != "lost":
        return ""
    return f"audio device {status.device or 'by default'} is lost, reconnecting: {status.detail}"


def midi_banner(status: MidiStatus) -> str:
    """What is wrong with the MIDI port, if anything."""
    return f"MIDI port {status.port} is lost, reconnecting: {status.detail}" if status.state == "lost" else ""


def audio_text(status: AudioStatus) -> str:
    """The device as the window shows it."""
    return NULL if status.device == NULL else f"{status.device or 'default'}, {status.rate} Hz"


def midi_text(status: MidiStatus) -> str:
    """The port as the window shows it."""
    return status.port if status.backend == status.port else f"{status.port} ({status.backend})"
