"""The devices in use: the chosen ones, or substitutes while those are missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from instrument.engine.midi.loopback import find_offset_ms
from instrument.engine.midi.midi_input import Listener
from instrument.engine.midi.ports import MidiPorts
from instrument.engine.performance.patches import Routing
from instrument.engine.sound.mix_thread import MixThread
from instrument.errors import HocketError
from instrument.io.audio.output import NULL, NullAudio, list_devices, open_audio
from instrument.io.clocks import SystemClock
from instrument.io.device_snapshot import device_snapshot
from instrument.io.midi.input import NullMidiInput, check_input, list_inputs, open_midi_in
from instrument.io.midi.output import VIRTUAL, NullMidi, check_port, list_ports, open_midi
from instrument.io.ports import AudioOutput, AudioStatus, MidiInput, MidiOutput, MidiStatus

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

AUDIO, MIDI, MIDI_IN = KINDS = ("audio", "midi", "midi_in")
_LISTS = {AUDIO: list_devices, MIDI: list_ports, MIDI_IN: list_inputs}
RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # waits between attempts to open a missing device; the last is repeated
LOOP = "a MIDI loop: what is sent to {} comes back at {}; disconnect one of the two"
FOUND_BANNER_S = 10.0  # how long the banner about a found device is shown


@dataclass
class MissingDevice:
    """A chosen device ("" = any) that is not available. problem: the banner, empty if none is needed."""

    name: str
    problem: str
    tries: int = 0
    due: float = 0.0


class Devices:
    """Keeps audio, MIDI output and MIDI input on the chosen devices. A missing one is opened when it appears.

    Devices are opened one after another in a thread of its own, so nothing that plays waits. available: names of the
    available devices, by kind; on_change: called when `available` has changed;
    watches_transport: whether JACK's transport is followed.
    """

    def __init__(
        self,
        sound: MixThread,
        ports: MidiPorts,
        listener: Listener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.available: dict[str, tuple[str, ...]] = dict.fromkeys(KINDS, ())
        self.on_change: Callable[[], None] = lambda: None
        self.watches_transport: Callable[[], bool] = lambda: False
        self._sound = sound
        self._ports = ports
        self._without = ""  # why a further MIDI port is missing
        self._fits_at = 0.0  # when the ports are looked at next
        self._listener = listener
        self._clock = clock
        self._work = ThreadPoolExecutor(1, "devices")
        self._attempt: Future[None] | None = None
        self._missing: dict[str, MissingDevice] = {}
        self._found: dict[str, tuple[str, float]] = {}  # by kind: a banner, and until when it is shown
        self._snapshot: object = None

    @property
    def banners(self) -> tuple[str, ...]:
        """What the person playing should know."""
        now = self._clock()
        return (
            *(missing.problem for missing in list(self._missing.values())),
            audio_banner(self._sound.audio.status()),
            *(midi_banner(each.port.status()) for each in self._ports.all),
            self._without,
            midi_banner(self._listener.port.status()),
            LOOP.format(self._ports.first.port.status().port, self.midi_in) if self._listener.loop else "",
            *(text for text, until in list(self._found.values()) if now < until),
        )

    @property
    def midi_in(self) -> str:
        """The MIDI input, as the window shows it."""
        return midi_text(self._listener.port.status())

    @property
    def keys(self) -> tuple[int, ...]:
        """MIDI pitches of the keys that are down."""
        return self._listener.held

    def play(self, messages: Sequence[bytes]) -> None:
        """Play keys of the window. HocketError for what is no message of a channel."""
        self._listener.play(messages)

    def release_keys(self) -> None:
        """Release the keys of the window, as it has gone."""
        self._listener.release_keys()

    def find_offset_ms(self) -> float:
        """Measure the offset of the MIDI output by a loop. Slow: run it through `call`. HocketError without a loop."""
        return find_offset_ms(self._ports.first, self._listener, SystemClock())

    def names(self, routing: Routing) -> tuple[str, str]:
        """The names of the MIDI port and the audio device: the chosen ones, else those in use."""
        port, device = self._ports.first.port.status().port, self._sound.audio.status().device
        return (port if routing.midi in ("", VIRTUAL) else routing.midi), routing.audio or device

    def add_missing(self, kind: str, name: str, problem: str) -> None:
        """A chosen device is missing and another is used: open it when it appears."""
        self._missing[kind] = MissingDevice(name, problem)

    def call(self, do: Callable[[], Result]) -> Future[Result]:
        """Run a function in the thread of the devices."""
        return self._work.submit(do)

    def use(self, kind: str, name: str) -> None:
        """Change to a device. Slow: run it through `call`. HocketError, with nothing changed, if it is missing."""
        if kind == AUDIO:
            self._sound.use(open_audio(name or None))
        elif kind == MIDI:
            self._use_port(name or VIRTUAL)
        else:
            check_input(name)
            self._listener.use(lambda: open_midi_in(name))
        self._missing.pop(kind, None)
        logger.info("%s: %s", kind, self.in_use(kind))

    def poll(self) -> None:
        """Keep the devices alive and look for missing ones. Call it a few times a second."""
        self._listener.watches = self.watches_transport()
        self._ports.poll()
        self._sound.poll()
        self._listener.poll()
        if self._attempt:
            if not self._attempt.done():
                return
            attempt, self._attempt = self._attempt, None
            attempt.result()
        now, snapshot = self._clock(), device_snapshot()
        changed, self._snapshot = snapshot != self._snapshot, snapshot
        missing_now = list(self._missing.items())
        for _, missing in missing_now if changed else []:
            missing.due, missing.tries = now, 0
        due = [(kind, missing) for kind, missing in missing_now if now >= missing.due]
        fits = len(self._ports.all) == self._ports.wanted or (now < self._fits_at and not changed)
        if due or changed:
            self._attempt = self.call(lambda: self._open_due(due, changed))
        elif not fits:
            self._attempt = self.call(self._fit_ports)

    def refresh(self) -> None:
        """Update `available`. Takes a second: run it through `call`."""
        for kind, look in _LISTS.items():
            try:
                self.available[kind] = tuple(look())
            except (HocketError, OSError):
                self.available[kind] = ()  # the banners say that there are none
        self.on_change()

    def close(self) -> None:
        """Stop opening devices."""
        self._work.shutdown(wait=False, cancel_futures=True)

    def _use_port(self, name: str) -> None:
        check_port(name)
        first = self._ports.first
        last = first.port.status()
        try:
            first.use(lambda: open_midi(name))
        except HocketError:
            first.use(lambda: best_midi(NULL if last.backend == NULL else VIRTUAL)[0])
            raise
        if NULL in (last.backend, first.port.status().backend):
            self._ports.drop()  # they are opened anew, where the first one is now

    def _fit_ports(self) -> None:
        """Open and close MIDI ports, as the players need them; without MIDI they lead nowhere, as the first one."""
        nowhere = self._ports.first.port.status().backend == NULL
        self._without = ""
        try:
            self._ports.fit(lambda name: NullMidi() if nowhere else open_midi(VIRTUAL, name))
        except HocketError as error:
            self._fits_at = self._clock() + RETRY_S[-1]
            self._without = f"player ports: {len(self._ports.all)} of {self._ports.wanted} MIDI ports are open: {error}"

    def _open_due(self, due: list[tuple[str, MissingDevice]], changed: bool) -> None:
        for kind, missing in due:
            if self._missing.get(kind) is not missing:
                continue  # another device has been chosen since
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
                    self._found[kind] = f"the device is back: {self.in_use(kind)}", self._clock() + FOUND_BANNER_S
        if changed:
            self.refresh()

    def _use_substitute(self, kind: str, missing: MissingDevice) -> bool:
        """While a chosen device is missing and none is in use, open any other. Returns whether there was one."""
        if kind == MIDI_IN or not missing.name or not self._is_null(kind):
            return False
        try:
            self.use(kind, "")
        except (HocketError, OSError):
            return False
        missing.problem = f"{missing.name!r} is missing: {self.in_use(kind)} until it appears"
        self._missing[kind] = missing
        return True

    def _is_null(self, kind: str) -> bool:
        if kind == AUDIO:
            return self._sound.audio.status().device == NULL
        return self._ports.first.port.status().backend == NULL

    def in_use(self, kind: str) -> str:
        """The device in use, as a phrase for the log and for banners."""
        if kind == AUDIO:
            return f"now playing to {self._sound.audio.status().device}"
        if kind == MIDI:
            return f"now sending to {self._ports.first.port.status().port}"
        return f"now listening to {self._listener.port.status().port}"


def best_audio(wanted: str) -> tuple[AudioOutput, str]:
    """An open audio output and a banner, empty if it is the `wanted` one (a name, "" = the default, or "null")."""
    problem = ""
    for name in dict.fromkeys((wanted, "")):
        try:
            audio = open_audio(name or None)
            return audio, problem and f"{problem}; playing to {audio.status().device} until it appears"
        except HocketError as error:
            problem = problem or str(error)
    audio = NullAudio()
    audio.start()
    return audio, f"{problem}; not playing to any device until {'it appears' if wanted else 'there is one'}"


def best_midi(wanted: str) -> tuple[MidiOutput, str]:
    """An open MIDI output and a banner, empty if it is the `wanted` one (a name, "" = the virtual one, or "null")."""
    problem = ""
    for name in dict.fromkeys((wanted or VIRTUAL, VIRTUAL)):
        try:
            midi = open_midi(name)
            return midi, problem and f"{problem}; sending to {midi.status().port} until it appears"
        except HocketError as error:
            problem = problem or str(error)
    return NullMidi(), f"{problem}; not sending to any port until there is one"


def best_input(wanted: str) -> tuple[MidiInput, str | None]:
    """An open MIDI input, and None if it is the `wanted` one (a name, "" = all keyboards, or "null"), else a banner,
    which is empty if no name was given."""
    try:
        return open_midi_in(wanted), None
    except HocketError as error:
        return NullMidiInput(), f"{error}; not listening to any port until it appears" if wanted else ""


def audio_banner(status: AudioStatus) -> str:
    """What is wrong with the audio device, if anything."""
    if status.state != "lost":
        return ""
    return f"audio device {status.device or '(default)'} is lost, reconnecting: {status.detail}"


def midi_banner(status: MidiStatus) -> str:
    """What is wrong with the MIDI port, if anything."""
    return f"MIDI port {status.port} is lost, reconnecting: {status.detail}" if status.state == "lost" else ""


def audio_text(status: AudioStatus) -> str:
    """The device as the window shows it."""
    return NULL if status.device == NULL else f"{status.device or 'default'}, {status.rate} Hz"


def midi_text(status: MidiStatus) -> str:
    """The port as the window shows it."""
    return status.port if status.backend == status.port else f"{status.port} ({status.backend})"
