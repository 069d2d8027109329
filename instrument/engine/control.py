"""The control thread: carries out the commands of clients, sends them reports, keeps devices alive and saves files."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import Empty
from typing import Any

from msgspec.structs import replace

from instrument import last_resort
from instrument.engine.anchoring import make_anchor, without_anchor
from instrument.engine.clips import Clips
from instrument.engine.describing import Describer
from instrument.engine.devices import AUDIO, KINDS, MIDI, MIDI_IN, Devices
from instrument.engine.ipc.messages import (
    AddAnchor,
    AnyCommand,
    Bye,
    ChangeAnchor,
    Describe,
    Envelope,
    FindOffset,
    Hello,
    ImportModel,
    Learn,
    LoadMidiMap,
    LoadModel,
    LoadPatch,
    OpenChart,
    Panic,
    Play,
    PlayKeys,
    PlayTake,
    Press,
    Quit,
    Record,
    RemoveAnchor,
    RemovePatch,
    RemovePlayer,
    SaveMidiMap,
    SavePatch,
    SetDevice,
    SetKnob,
    Stop,
    Undo,
)
from instrument.engine.ipc.server import Peer, Server
from instrument.engine.midi.ports import MidiPorts
from instrument.engine.note_thread import NoteThread
from instrument.engine.patch_loading import CALL_TIMEOUT_S, NO_ANSWER, PatchLoader
from instrument.engine.performance import pad
from instrument.engine.performance.acts.asking import COMMANDS
from instrument.engine.performance.knobs import knob_name
from instrument.engine.performance.patches import Patch, autosave, check_offset
from instrument.engine.performance.performance import Performance
from instrument.engine.recording import Recordings, wait_for_disk
from instrument.engine.reporting import Reporter
from instrument.engine.sound.mix_thread import MixThread
from instrument.engine.surface.buttons import CLIPS
from instrument.engine.surface.midi_maps import map_for, save_map
from instrument.errors import HocketError
from instrument.io.clocks import SystemClock
from instrument.paths import state_dir

logger = logging.getLogger(__name__)

FRAME_S = 1 / 30
POLL_S = 0.25
RECORD_S = 0.5
AUTOSAVE_S = 15.0
COUNT_S = 5.0  # between two log lines about starved blocks, xruns and late notes
DESCRIBE_S = 0.2  # least time between two descriptions
FIRST_CLIENT_S = 20.0  # how long an engine waits for the first client
NO_CLIENT_S = 1.0  # how long an engine without clients stays when it is not playing
THREAD = "the control thread"

Handler = Callable[[Peer, Any], Future[Any] | None]


class Control:
    """Runs in the main thread. banners: problems of the start, shown to clients; knob_instants: for every turned knob,
    the time (ns) from which all notes that start were made with its new value."""

    def __init__(
        self,
        server: Server,
        notes: NoteThread,
        ports: MidiPorts,
        sound: MixThread,
        devices: Devices,
        linger_s: float,
    ) -> None:
        """linger_s: how long the music goes on after all clients have disconnected without a Quit."""
        self.banners: list[str] = []
        self.knob_instants: deque[int] = deque(maxlen=10_000)
        self._server = server
        self._notes = notes
        self._ports = ports
        self._sound = sound
        self._devices = devices
        self._keep = False  # a client has asked the engine to stay
        self._linger_s = linger_s
        self._recordings = Recordings(sound.record, state_dir())
        self._clips = Clips(notes, sound, SystemClock())
        self._worker = ThreadPoolExecutor(1, "work")
        self._end: tuple[str, int] | None = None
        self._no_client_since = time.monotonic() + FIRST_CLIENT_S
        self._describer = Describer(notes.view, devices)
        self._reporter = Reporter(notes, ports, sound, devices)
        self._saved: Patch | None = None
        self._problem = ""
        self._logged: tuple[str, ...] = ()  # problems, when they were logged last
        self._delays = (0, 0, 0)  # starved blocks, xruns and late notes, when they were logged last
        notes.ended = self._recordings.finish
        self._patches = PatchLoader(notes, self._describer, self._worker)
        for name, bars in CLIPS.items():
            notes.buttons.on(name, partial(self._keep_clip, bars))
        devices.on_change = self._describer.expire
        self._handlers: dict[type[AnyCommand], Handler] = {
            Hello: self._hello,
            Play: lambda _, __: notes.call(notes.play),
            Stop: lambda _, __: notes.call(notes.stop),
            Panic: lambda _, __: notes.call(notes.panic),
            SetKnob: self._set,
            Press: self._press,
            **dict.fromkeys(COMMANDS, self._act),
            PlayKeys: lambda _, played: devices.play(played.messages),
            LoadModel: self._load_model,
            RemovePlayer: lambda _, gone: notes.call(lambda: notes.remove(gone.player)),
            LoadPatch: lambda _, wanted: self._worker.submit(self._patches.use, wanted.name),
            OpenChart: lambda _, wanted: self._worker.submit(self._patches.open_chart, wanted.path),
            PlayTake: lambda _, wanted: self._worker.submit(self._patches.play_take, wanted.path),
            SavePatch: lambda _, wanted: self._worker.submit(self._patches.save, wanted.name),
            RemovePatch: lambda _, wanted: self._worker.submit(self._patches.remove, wanted.name),
            Record: self._record,
            SetDevice: self._set_device,
            FindOffset: self._find_offset,
            Learn: lambda _, learn: notes.call(
                lambda: notes.midi_learn.learn(learn.knob, learn.player, learn.on, learn.mode)
            ),
            ImportModel: lambda _, wanted: self._worker.submit(self._describer.import_model, wanted.file),
            LoadMidiMap: lambda _, wanted: self._worker.submit(self._patches.use_map, wanted.name),
            SaveMidiMap: lambda _, wanted: self._worker.submit(
                save_map, wanted.name, notes.view.snapshot.patch.routing.bindings, wanted.device
            ),
            AddAnchor: self._add_anchor,
            ChangeAnchor: lambda _, to: notes.call(
                lambda: notes.anchor(partial(pad.changed, name=to.name, to=to.to, x=to.x, y=to.y), to.player)
            ),
            RemoveAnchor: self._remove_anchor,
            Describe: self._refresh,
            Undo: lambda _, wanted: self._worker.submit(self._patches.undo, wanted.redo),
            Quit: self._quit,
        }
        self._periodic: list[tuple[float, Callable[[], None]]] = [
            (FRAME_S, self._send_telemetry),
            (POLL_S, devices.poll),
            (RECORD_S, self._recordings.update),
            (POLL_S, self._clips.update),
            (AUTOSAVE_S, self.save),
            (DESCRIBE_S, self._send_changes),
            (POLL_S, self._end_without_clients),
            (POLL_S, self._log_problems),
            (COUNT_S, self._log_delays),
        ]

    def end(self, reason: str, status: int = 0) -> None:
        """Have `run` return. For any thread, and for signal handlers."""
        self._end = self._end or (reason, status)
        self._server.wake()

    def run(self) -> int:
        """Run until the end. Returns the exit status."""
        self._describer.look_at_models()
        now = time.monotonic()
        due = [now] * len(self._periodic)
        while self._end is None:
            with suppress(Empty):
                peer, envelope = self._server.inbox.get(timeout=max(0.0, min(due) - time.monotonic()))
                if peer and envelope:
                    self._handle(peer, envelope)
            now = time.monotonic()
            for i, (period, duty) in enumerate(self._periodic):
                if now >= due[i]:
                    due[i] = max(due[i] + period, now)
                    try:
                        duty()
                    except Exception as error:  # noqa: BLE001
                        last_resort.report(THREAD, error)
        reason, status = self._end
        logger.log(logging.ERROR if status else logging.INFO, "ending: %s", reason)
        try:
            wait_for_disk(self._recordings.close())
        finally:
            self._server.broadcast(Bye(reason))
        return status

    def save(self) -> None:
        """Save the state for the next start, if it has changed."""
        try:
            patch = self._notes.view.snapshot.patch
            if patch != self._saved:
                autosave(patch)
                self._saved = patch
                logger.debug("the state was saved for the next start")
            self._problem = ""
        except HocketError as error:
            self._problem = f"the state was not saved for the next start: {error}"

    def begin_recording(self, path: str) -> None:
        """At the start: record to a file, unless the path is empty, and go on with what a crash has interrupted."""
        self._recordings.go_on(self._current)
        if path:
            wait_for_disk(self._recordings.start(path, self._current))

    def _current(self) -> Performance:
        return self._notes.performance

    # Commands

    def _handle(self, peer: Peer, envelope: Envelope) -> None:
        self._notes.view.history.gesture = envelope.gesture
        try:
            future = self._handlers[type(envelope.command)](peer, envelope.command)
        except Exception as error:  # noqa: BLE001
            peer.reply(envelope.number, _reason(envelope, error))
            return
        if future is None:
            peer.reply(envelope.number)
        else:
            future.add_done_callback(partial(self._finish, peer, envelope))

    def _finish(self, peer: Peer, envelope: Envelope, future: Future[Any]) -> None:
        error = future.exception()
        turned = isinstance(envelope.command, SetKnob) and not error
        if not turned:
            self._describer.expire()
        if isinstance(error, TimeoutError):
            error = HocketError(NO_ANSWER)
        peer.reply(envelope.number, _reason(envelope, error) if error else "")
        if turned:  # after the reply, until which the client shows the value that it asked for
            self._describer.turned(future.result())

    def _quit(self, _: Peer, command: Quit) -> None:
        if command.alone and len(self._server.peers) > 1:
            raise HocketError("the engine plays on for its other client")
        self.end("asked to quit")

    def _hello(self, peer: Peer, hello: Hello) -> None:
        self._keep = self._keep or hello.keep
        self._no_client_since = time.monotonic()
        self._reporter.show_all()
        peer.post(self._describer.description())

    def _set(self, _: Peer, command: SetKnob) -> Future[str]:
        def turn() -> str:
            info = self._notes.performance.table.find(command.knob, command.player)
            self.knob_instants.append(self._notes.turn(info, command.value))
            return knob_name(info.player, info.id)

        return self._notes.call(turn)

    def _press(self, _: Peer, command: Press) -> Future[None]:
        now = time.perf_counter_ns()
        return self._notes.call(lambda: self._notes.press(command.name, now))

    def _act(self, _: Peer, command: AnyCommand) -> Future[None]:
        return self._notes.call(lambda: self._notes.act(lambda one: COMMANDS[type(command)](one, command)))

    def _load_model(self, _: Peer, command: LoadModel) -> Future[None]:
        def load() -> None:
            self._notes.models.load(command.slug)
            self._notes.call(lambda: self._notes.load(command.slug, command.player)).result(CALL_TIMEOUT_S)

        return self._worker.submit(load)

    def _add_anchor(self, _: Peer, command: AddAnchor) -> Future[None]:
        def add() -> None:
            notes = self._notes
            performances = filter(None, (notes.performance, notes.previous))
            with_anchor = partial(pad.added, anchor=make_anchor(command, performances))
            notes.call(lambda: notes.anchor(with_anchor, command.player)).result(CALL_TIMEOUT_S)

        return self._worker.submit(add)

    def _remove_anchor(self, _: Peer, command: RemoveAnchor) -> Future[None]:
        def remove() -> None:
            notes = self._notes
            without = without_anchor(notes.performance, command.name, command.player)
            notes.call(lambda: notes.anchor(without, command.player)).result(CALL_TIMEOUT_S)

        return self._worker.submit(remove)

    def _keep_clip(self, bars: int, _: int) -> None:
        self._worker.submit(self._patches.attempt, lambda: self._clips.keep(bars))

    def _record(self, _: Peer, command: Record) -> Future[None]:
        if not command.path:
            return self._recordings.close()
        return self._recordings.start(command.path, self._current)

    def _set_device(self, _: Peer, command: SetDevice) -> Future[None]:
        given = {AUDIO: command.audio, MIDI: command.midi, MIDI_IN: command.midi_in}
        chosen = {kind: name for kind, name in given.items() if name is not None}
        check_offset(command.offset_ms or 0.0)

        def change() -> None:
            last = self._notes.view.snapshot.patch.routing
            kept = last.with_offset(*self._devices.names(last), last.offset_ms)
            for kind in KINDS:
                if kind in chosen:
                    self._devices.use(kind, chosen[kind])
            routing = replace(kept, **chosen)
            if command.offset_ms is not None or chosen.keys() & {AUDIO, MIDI}:
                routing = routing.with_offset(*self._devices.names(routing), command.offset_ms)
            self._notes.call(lambda: self._notes.set_fields(routing=routing)).result(CALL_TIMEOUT_S)
            if command.midi_in and (found := map_for(command.midi_in)):
                self._patches.use_map(found)

        return self._devices.call(change)

    def _find_offset(self, peer: Peer, __: FindOffset) -> Future[None]:
        if self._notes.transport.playing:
            raise HocketError("the offset cannot be measured while the music plays: stop it first")

        def find() -> None:
            routing = self._notes.view.snapshot.patch.routing
            found = routing.with_offset(*self._devices.names(routing), self._devices.find_offset_ms())
            self._notes.call(lambda: self._notes.set_fields(routing=found)).result(CALL_TIMEOUT_S)

        return self._devices.call(find)

    def _refresh(self, _: Peer, __: Describe) -> Future[None]:
        def look() -> None:
            self._describer.look_at_models()
            self._devices.refresh()

        return self._devices.call(look)

    # Duties

    def _end_without_clients(self) -> None:
        now = time.monotonic()
        if self._server.peers or self._keep:
            self._no_client_since = now
            return
        self._devices.release_keys()
        if now - self._no_client_since > (self._linger_s if self._notes.transport.playing else NO_CLIENT_S):
            self.end("no client is left")

    def _log_problems(self) -> None:
        """Log each problem once when it appears. This covers failures in threads that must not log."""
        problems = self._problems()
        for text in problems:
            if text not in self._logged:
                logger.warning("shown to the player: %s", text)
        self._logged = problems

    def _log_delays(self) -> None:
        audio = self._sound.audio.status()
        delays = (audio.starved, audio.xruns, self._ports.late)
        if delays != self._delays:
            logger.warning("starved blocks, xruns and late notes so far: %d, %d, %d", *delays)
        self._delays = delays

    def _send_changes(self) -> None:
        if changes := self._describer.changes():
            self._server.broadcast(changes)

    def _send_telemetry(self) -> None:
        if self._server.peers:
            self._server.broadcast(self._reporter.telemetry(self._recordings, self._problems()))

    def _problems(self) -> tuple[str, ...]:
        """What the person playing should know, in one line each."""
        found = (
            *self.banners,
            *self._reporter.problems(),
            *self._recordings.problems,
            self._problem,
            self._patches.problem,
        )
        return tuple(filter(None, found))


def _reason(envelope: Envelope, error: BaseException) -> str:
    """Why a command was not carried out, as its client is told; it is logged."""
    if not isinstance(error, HocketError):
        return last_resort.report(f"{type(envelope.command).__name__}", error)
    logger.warning("refused %s: %s", envelope.command, error)
    return str(error)
