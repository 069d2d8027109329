"""The engine's side of MIDI on JACK: ports in processes of their own, which come back when the server does."""

from __future__ import annotations

import threading

from instrument.errors import HocketError
from instrument.io.child import Child, Keeper
from instrument.io.jack_servers import jack_is_running
from instrument.io.midi.ring import MidiRing, pack, unpack
from instrument.io.ports import MidiStatus

JACK_PROCESS = "jack-midi"
KEYBOARDS = "*"  # in place of the name of a port: all keyboards of this machine
EARLY_NS = 40_000_000  # from sending a message until its frame, at least


class _JackPort:
    """A JACK port that is reopened, with its connections, when its process or the server has died."""

    def __init__(self, direction: str, name: str, connect: str) -> None:
        self._direction = direction
        self._name = name
        self._connections = [connect] if connect else []
        self._keeper = Keeper(self._spawn, jack_is_running)
        self._dead: list[Child[MidiRing]] = []
        self._detail = ""
        self._changing = threading.Lock()
        try:
            self._child: Child[MidiRing] | None = self._keeper.open()
        except HocketError as error:
            raise HocketError(f"no MIDI port on JACK: {error}") from error
        self._ring = self._child.memory  # of the last port, while there is none

    @property
    def pid(self) -> int:
        """The id of the port's process, 0 without one."""
        child = self._child
        return child.pid if child else 0

    def poll(self) -> bool:
        """As `MidiOutput.poll`."""
        self._check()
        while self._dead:
            self._dead.pop().end()
        if self._child:
            return False
        child = self._keeper.step()
        if child is None:
            self._detail = self._keeper.problem or self._detail
            return False
        with self._changing:
            self._opened(child.memory)
            self._ring, self._child, self._detail = child.memory, child, ""
        return True

    def close(self) -> None:
        """Release everything; an output sends all notes off before."""
        self._keeper.close()
        with self._changing:
            last, self._child = self._child, None
        for child in [last, *self._dead] if last else self._dead:
            child.end()
        self._dead = []

    def _opened(self, ring: MidiRing) -> None:
        """Called before `ring` takes the place of the last."""

    def _spawn(self) -> Child[MidiRing]:
        if not jack_is_running():
            raise HocketError("no JACK server is running: start one (jackd, QjackCtl), or PipeWire with pipewire-jack")
        return Child(JACK_PROCESS, MidiRing.create(), [self._direction, self._name, *self._connections])

    def _check(self) -> None:
        child = self._child
        if child is None or not (problem := child.problem()):
            return
        with self._changing:
            if self._child is child:
                self._child, self._detail = None, problem
                self._connections = child.memory.text("connections").splitlines() or self._connections
                self._dead.append(child)


class JackMidiOutput(_JackPort):
    """A `MidiOutput` whose messages are placed on the frames on which the sound of their time leaves for the card.

    Messages sent while there is no server are dropped, since they would be late.
    """

    def __init__(self, name: str, connect: str = "") -> None:
        """name: of the JACK client; connect: the full name of a port to connect to, now or when it appears.
        Raises HocketError when there is no server."""
        self._before = (0, 0)  # sent and late of ports that ended
        super().__init__("out", name, connect)

    @property
    def early_ns(self) -> int:
        """As `MidiOutput.early_ns`."""
        return EARLY_NS + self.latency_ns

    @property
    def latency_ns(self) -> int:
        """As `MidiOutput.latency_ns`."""
        return self._ring.get("latency_ns")

    def send(self, message: bytes, ns: int) -> None:
        """As `MidiOutput.send`."""
        word = pack(message)
        with self._changing:  # one writer at a time
            if self._child:
                self._ring.pairs.push(max(ns, 0), word)

    def status(self) -> MidiStatus:
        """As `MidiOutput.status`."""
        self._check()
        with self._changing:
            ring, state = self._ring, "open" if self._child else "lost"
            sent, late = self._before
        return MidiStatus(
            ring.text("port"), "jack", state, sent + ring.get("sent"), late + ring.get("late"), self._detail
        )

    def _opened(self, ring: MidiRing) -> None:
        sent, late = self._before
        self._before = (sent + self._ring.get("sent"), late + self._ring.get("late"))


class JackMidiInput(_JackPort):
    """A `MidiInput`: messages that arrive at a JACK port, with the time of the frame on which they came."""

    pace_s = 0.002

    def __init__(self, name: str, connect: str = "") -> None:
        """As `JackMidiOutput`; connect may be `KEYBOARDS`."""
        self._taken = 0
        self._watching = False
        super().__init__("in", name, connect)

    @property
    def rate(self) -> int:
        """Frames a second: times are whole frames of it."""
        return self._ring.get("rate")

    @property
    def port(self) -> str:
        """The full name of the port."""
        return self._ring.text("port")

    def status(self) -> MidiStatus:
        """As `MidiInput.status`."""
        self._check()
        return MidiStatus(self.port, "jack", "open" if self._child else "lost", 0, 0, self._detail)

    def read(self) -> list[tuple[int, bytes]]:
        """As `MidiInput.read`; at most the last 4,096."""
        pairs, self._taken = self._ring.pairs.pull(self._taken)
        return [(ns, unpack(word)) for ns, word in pairs]

    def watch_transport(self, on: bool) -> None:
        """Read JACK's transport among the messages, as `transport.py` has it, or not."""
        with self._changing:
            self._watching = on
            self._ring.put("watch", int(on))

    def roll(self, on: bool) -> None:
        """Ask JACK's transport to roll, or to stop and go back to its beginning."""
        with self._changing:
            self._ring.put("asked", (self._ring.get("asked") // 2 + 1) * 2 + int(on))

    def _opened(self, ring: MidiRing) -> None:
        self._taken = 0
        ring.put("watch", int(self._watching))
