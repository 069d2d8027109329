"""The connection of the window to the engine: polling, values not confirmed yet, restarts of a dead engine."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from instrument.engine.ipc.messages import (
    AnyCommand,
    AnyReport,
    Bye,
    Description,
    Panic,
    Play,
    Quit,
    Reply,
    SetKnob,
    Telemetry,
    Value,
    Values,
)
from instrument.errors import HocketError

FRAME_MS = 16
KEPT = 200  # commands
RESTARTS, RESTARTS_WITHIN_S = 3, 60.0
ASKED_TO_QUIT = "asked to quit"  # the reason that an engine gives when it ends because of `Quit`


class Client(Protocol):
    """The part of `instrument.engine.ipc.client.EngineClient` that the window uses."""

    alive: bool

    def send(self, command: AnyCommand, gesture: int = 0) -> int: ...
    def poll(self) -> list[AnyReport]: ...
    def close(self) -> None: ...


Connect = Callable[[bool], Client]  # argument: whether this is the first connection; raises HocketError on failure


class LinkState(Enum):
    """State of the connection to the engine."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    LOST = "lost"  # it died too often; the user has to start it again


class EngineLink(QObject):
    """The window's connection to the engine. `frame` is emitted every `FRAME_MS`, after the reports of that frame.

    Connecting runs in a thread of its own; no method blocks.
    """

    described = Signal(object)  # Description, also if only values in it changed
    measured = Signal(object)  # Telemetry
    refused = Signal(str, object)  # why a command was refused, and the command
    answered = Signal(object)  # the command that was carried out
    changed = Signal(object)  # LinkState
    failed = Signal(str)  # why the engine could not be started
    frame = Signal()

    def __init__(self, connect: Connect, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.state = LinkState.STARTING
        self._connect = connect
        self._clock = clock
        self._client: Client | None = None
        self._description: Description | None = None  # the last
        self._connected: SimpleQueue[Client | HocketError] = SimpleQueue()
        self._closed = threading.Event()
        self._quits = False
        self._starts: deque[float] = deque(maxlen=RESTARTS)
        self._kept: deque[AnyCommand] = deque(maxlen=KEPT)  # sent before there was an engine
        self._awaited: dict[int, AnyCommand] = {}
        self._turned: dict[tuple[int, str], tuple[Value, int]] = {}  # with the gesture, to be sent with the next frame
        self._just_turned: set[tuple[int, str]] = set()  # already sent in this frame
        self._playing = False
        self._gestures = self._gesture = 0  # how many there were; the present one, 0: none
        self._asked_to_quit = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.poll)

    def start(self) -> None:
        """Begin to connect, and to poll."""
        self._open(first=True)
        self._timer.start(FRAME_MS)

    def retry(self) -> None:
        """Start the engine again after it was given up."""
        if self.state == LinkState.LOST:
            self._starts.clear()
            self._restart()

    def close(self, quit: bool) -> None:
        """Disconnect from the engine; with `quit`, end it too."""
        self._timer.stop()
        self._quits = quit
        self._closed.set()
        if self._client is not None:
            _leave(self._client, quit)
            self._client = None

    def send(self, command: AnyCommand) -> None:
        """Send a command. It is kept while the first engine starts, and dropped while none runs later."""
        self._send(command, self._gesture)

    def grip(self, on: bool) -> None:
        """A hand takes hold of a control, or lets go. All that is sent between is undone as one step."""
        self._gestures += on
        self._gesture = self._gestures if on else 0

    def turn(self, player: int, knob: str, value: Value) -> None:
        """Set a knob: at once for its first value in a frame, else with the next frame, the last value only."""
        self._turn(player, knob, value, self._gesture)

    def pending(self, player: int, knob: str) -> bool:
        """Whether the engine has not confirmed this knob's last value yet. A value it reports may be old until then."""
        return (player, knob) in self._turned or any(
            isinstance(command, SetKnob) and (command.player, command.knob) == (player, knob)
            for command in self._awaited.values()
        )

    def poll(self) -> None:
        """One frame: take a new connection, read the reports, send turned knobs, check that the engine is alive."""
        self._take_connection()
        if self._client is not None:
            for report in self._client.poll():
                self._take(report)
        self._just_turned.clear()
        turned, self._turned = self._turned, {}
        for (player, knob), (value, gesture) in turned.items():
            self._turn(player, knob, value, gesture)
        if self._client is not None and not self._client.alive:
            self._lost()
        self.frame.emit()

    def _turn(self, player: int, knob: str, value: Value, gesture: int) -> None:
        if (player, knob) in self._just_turned:
            self._turned[player, knob] = value, gesture
        else:
            self._just_turned.add((player, knob))
            self._send(SetKnob(knob, value, player), gesture)

    def _send(self, command: AnyCommand, gesture: int) -> None:
        if self._client is None and self.state == LinkState.STARTING:
            self._kept.append(command)
        elif self._client is not None and self._client.alive:
            self._awaited[self._client.send(command, gesture)] = command

    def _take(self, report: AnyReport) -> None:
        match report:
            case Telemetry():
                self._playing = report.playing
                self.measured.emit(report)
            case Description():
                self._description = report
                self.described.emit(report)
            case Values() if self._description is not None:
                self._description = report.applied(self._description)
                self.described.emit(self._description)
            case Reply():
                command = self._awaited.pop(report.number, None)
                if report.error:
                    self.refused.emit(report.error, command)
                elif command is not None:
                    self.answered.emit(command)
            case Bye():
                self._asked_to_quit = report.reason == ASKED_TO_QUIT

    def _lost(self) -> None:
        if self._client is not None:
            for report in self._client.poll():  # reports sent before it ended
                self._take(report)
            self._client.close()
            self._client = None
        self._description = None
        self._awaited.clear()
        self._turned.clear()
        if self._asked_to_quit:  # another client ended it on purpose, so it is not restarted
            self._asked_to_quit = False
            self._give_up("The engine was asked to quit.")
        else:
            self._restart()

    def _restart(self) -> None:
        now = self._clock()
        if len(self._starts) == RESTARTS and now - self._starts[0] < RESTARTS_WITHIN_S:
            self._give_up(f"The engine stopped {RESTARTS + 1} times within a minute.")
            return
        self._starts.append(now)
        self._set(LinkState.RESTARTING)
        self._open(first=False)

    def _give_up(self, reason: str) -> None:
        self._playing = False
        self._set(LinkState.LOST)
        self.failed.emit(reason)

    def _open(self, first: bool) -> None:
        def connect() -> None:
            try:
                client = self._connect(first)
            except (HocketError, OSError) as error:
                self._connected.put(HocketError(str(error)))
                return
            if self._closed.is_set():
                _leave(client, self._quits)
            else:
                self._connected.put(client)

        threading.Thread(target=connect, name="engine-connect", daemon=True).start()

    def _take_connection(self) -> None:
        try:
            result = self._connected.get_nowait()
        except Empty:
            return
        if isinstance(result, HocketError):
            self._give_up(str(result))
            return
        self._client = result
        restarted = self.state == LinkState.RESTARTING
        self._set(LinkState.RUNNING)
        while self._kept:
            self.send(self._kept.popleft())
        if restarted:
            self.send(Panic())  # external synthesizers may still hold notes of the dead engine
            if self._playing:
                self.send(Play())

    def _set(self, state: LinkState) -> None:
        self.state = state
        self.changed.emit(state)


def _leave(client: Client, quit: bool) -> None:
    if quit and client.alive:
        client.send(Quit(alone=True))
    client.close()
