"""The engine process: creates all parts and connects them.

    python -m instrument.engine.process [--model SLUG] [--patch NAME] [--audio DEVICE] [--midi PORT] ...

One instance for each state folder. It ends on `Quit`, SIGTERM and SIGINT, and when no client is left.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from msgspec.structs import replace

from instrument import __version__, last_resort, log, memory
from instrument.engine.control import Control
from instrument.engine.devices import AUDIO, KINDS, MIDI, MIDI_IN, Devices, best_audio, best_input, best_midi
from instrument.engine.ipc import instance
from instrument.engine.ipc.client import ANOTHER_RUNS
from instrument.engine.ipc.server import Server
from instrument.engine.keyboard_receiver import KeyboardReceiver
from instrument.engine.midi.midi_input import Listener
from instrument.engine.midi.output import Output
from instrument.engine.midi.ports import MidiPorts
from instrument.engine.note_thread import NoteThread
from instrument.engine.note_worker.client import NotesProcess
from instrument.engine.performance.knobs import JACK
from instrument.engine.performance.patches import (
    DEFAULT,
    Patch,
    PlayerPatch,
    autosaved,
    check_offset,
    keep_autosave,
    load_patch,
    with_voice,
)
from instrument.engine.performance.sound_seats import VOICE
from instrument.engine.performance.takes import patch_of
from instrument.engine.pool.comparing import Comparing
from instrument.engine.pool.in_use import InUse
from instrument.engine.pool.model_pool import ModelPool
from instrument.engine.sound.mix_thread import MixThread
from instrument.errors import HocketError, one_line
from instrument.io import priority
from instrument.io.clocks import SystemClock
from instrument.models.catalog import list_models
from instrument.paths import read_only_home, state_dir

logger = logging.getLogger("instrument.engine.process")  # __name__ is "__main__" here

CRASHED = "the engine ended while it was used: choose another model, or this one again to try it"
BEGINS_WITH_DEFAULT = "begins with the default patch"
MEMORY = 4 << 30  # bytes that the engine may hold; the models' share is limited in `models.runtime`
QUIT_S = 10  # if ending takes longer, the process exits at once
SWITCH_S = 0.0001  # how long a thread may hold the interpreter lock while another waits


def parser() -> argparse.ArgumentParser:
    """The options, as `EngineClient.connect` passes them."""
    options = argparse.ArgumentParser(prog="python -m instrument.engine.process", description="Hocket's engine")
    options.add_argument("--model", default="", help="slug of the first player's model")
    options.add_argument("--patch", default="", help="patch to begin with; else the saved state")
    options.add_argument("--audio", default="", help='audio device, or "null"; else as in the patch')
    options.add_argument("--midi", default="", help='MIDI port, "virtual" or "null"; else as in the patch')
    options.add_argument("--midi-in", default="", help='MIDI input, "virtual" or "null"; else as in the patch')
    options.add_argument(
        "--midi-offset", type=float, metavar="MS", help="send MIDI later by this much; else as in the patch"
    )
    options.add_argument("--record", default="", metavar="FILE", help="record to a .mid, .wav or .take.json file")
    options.add_argument(
        "--linger",
        type=float,
        default=600,
        metavar="S",
        help="how long the music goes on after all clients have disconnected",
    )
    options.add_argument(
        "--players",
        default="instrument.models.catalog:open_player",
        metavar="MODULE:NAME",
        help="function that opens the models",
    )
    options.add_argument("--trace", default="", metavar="FILE", help="write measurements to this file at the end")
    return options


def main(arguments: list[str]) -> int:
    """Run an engine. Returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        state = state_dir()
        try:
            held = instance.lock(state)
        except HocketError as error:
            print(error, file=sys.stderr)
            return ANOTHER_RUNS
        with held:
            log.to_file(state / log.ENGINE_LOG)
            return run(options, state)
    except HocketError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        logger.critical("internal error", exc_info=error)
        print(f"internal error: {one_line(error)}; the lines above say where", file=sys.stderr)
        return 1


def run(options: argparse.Namespace, state: Path) -> int:
    """Create the engine, run its control loop, and close everything. HocketError if it cannot start."""
    began = time.monotonic()
    python, system = platform.python_version(), platform.platform()
    logger.info("Hocket %s, process %d, Python %s, %s; %s", __version__, os.getpid(), python, system, vars(options))
    sys.setswitchinterval(SWITCH_S)
    clock = SystemClock()
    server = Server(state)  # clients may connect now; they are answered once all is ready
    in_use = InUse(state)
    note_worker = NotesProcess(options.players, in_use.add)  # it starts in parallel
    told: list[str] = []
    models = ModelPool(note_worker.open, Comparing(told.append))
    for slug in in_use.suspects:
        models.leave_out(slug, CRASHED)
    patch, *banners = first_patch(options)
    audio, midi = options.audio or patch.routing.audio, options.midi or patch.routing.midi
    midi_in = options.midi_in or patch.routing.midi_in
    with ThreadPoolExecutor(4, "opening") as opening:
        hearing = opening.submit(open_sound, audio)
        sending = opening.submit(best_midi, midi)
        listening = opening.submit(best_input, midi_in)
        loading = opening.submit(load_models, patch, models, asked_for(options, patch))
    sound, audio_banner = hearing.result()
    port, midi_banner = sending.result()
    keyboard, input_banner = listening.result()
    ports = MidiPorts(clock, port)
    try:
        loading.result()
        notes, refused = open_notes(clock, models, patch, (ports, sound), bool(options.patch))
    except Exception:
        ports.close()
        sound.close()
        keyboard.close()
        note_worker.close()
        in_use.close()
        raise

    def play(message: bytes) -> None:
        sound.play(message)
        ports.first.play(message)

    listener = Listener(keyboard, play, KeyboardReceiver(notes), ports.first.loops)
    devices = Devices(sound, ports, listener)
    devices.watches_transport = lambda: notes.following.source == JACK
    notes.following.roll = listener.roll
    if input_banner is not None:
        devices.add_missing(MIDI_IN, midi_in, input_banner)
    for kind, wanted, missing in ((AUDIO, audio, audio_banner), (MIDI, midi, midi_banner)):
        if missing:
            devices.add_missing(kind, wanted, missing)
    control = Control(server, notes, ports, sound, devices, options.linger)
    control.banners = told
    told += [text for text in (read_only_home(), *banners, refused) if text]
    control.begin_recording(options.record)
    _end_on_signals_and_errors(control)
    memory.watch(MEMORY, _end_for_memory)
    gc.collect()
    gc.freeze()  # the collector skips what is loaded, so later collections are short
    priority.set_realtime_priority_of_process(
        priority.COMPUTE_PRIORITY
    )  # not before: loading is slow and needs no priority
    for part in (ports, sound, notes, listener):
        part.start()
    for kind in KINDS:
        logger.info("%s: %s", kind, devices.in_use(kind))
    logger.info("ready after %.2f s, with the patch %r", time.monotonic() - began, notes.performance.patch.name)
    try:
        status = control.run()
    finally:
        threading.Timer(QUIT_S, os._exit, [1]).start()
        devices.close()
        listener.close()
        notes.close()
        control.save()
        if options.trace:
            write_trace(Path(options.trace), notes, ports, sound, control)
        ports.close()
        sound.close()
        server.close()
        note_worker.close()
        in_use.close()
    logger.info("ended with status %d", status)
    return status


def open_sound(device: str) -> tuple[MixThread, str]:
    """The mix thread on the best device, and a banner."""
    audio, banner = best_audio(device)
    return MixThread(audio), banner


def first_patch(options: argparse.Namespace) -> tuple[Patch, str]:
    """The patch to begin with, and a banner. HocketError if the patch in the options does not exist."""
    banner = ""
    try:
        patch = patch_of(options.patch) if options.patch else autosaved() or load_patch(DEFAULT)
    except HocketError as error:
        if options.patch:
            raise
        patch, banner = load_patch(DEFAULT), f"{BEGINS_WITH_DEFAULT}: {error}; {keep_autosave()}"
    if options.model and _is_voice(options.model):
        patch = with_voice(patch if options.patch else load_patch(DEFAULT), options.model)
    elif options.model:
        first = next((player for player in patch.players if player.model == options.model), None)
        others = patch.players[1:] if first or options.patch else ()  # another model plays alone, if no patch is wanted
        patch = replace(patch, players=(first or PlayerPatch(options.model), *others))
    if options.midi_offset is not None:
        check_offset(options.midi_offset)
        patch = replace(patch, routing=replace(patch.routing, offset_ms=options.midi_offset))
    return patch, banner


def _is_voice(model: str) -> bool:
    return any(entry.slug == model and entry.kind == VOICE for entry in list_models())


def asked_for(options: argparse.Namespace, patch: Patch) -> frozenset[str]:
    """The models without which an engine does not start, as the options ask for them."""
    return frozenset(filter(None, [options.model, *(player.model for player in patch.players if options.patch)]))


def load_models(patch: Patch, models: ModelPool, asked_for: frozenset[str]) -> None:
    """Open the models of a patch. Those that cannot be opened are left out: their players are silent and say why.
    HocketError for those that were asked for."""
    for slug in dict.fromkeys(player.model for player in patch.players):
        if models.is_left_out(slug) and slug not in asked_for:
            continue  # its player says why
        try:
            models.load(slug)
        except HocketError as error:
            if slug in asked_for:
                raise
            models.leave_out(slug, str(error))


def open_notes(
    clock: SystemClock, models: ModelPool, patch: Patch, outputs: Sequence[Output], asked_for: bool
) -> tuple[NoteThread, str]:
    """The notes thread with a patch, and a banner. A patch that cannot be played is kept in another file, and the
    default one plays. asked_for: it is the patch of the options, and HocketError instead."""
    try:
        return NoteThread(clock, models, patch, outputs), ""
    except HocketError as error:
        if asked_for:
            raise
        banner = f"{BEGINS_WITH_DEFAULT}: {error}; {keep_autosave()}"
        default = load_patch(DEFAULT)
        load_models(default, models, frozenset())
        return NoteThread(clock, models, default, outputs), banner


def write_trace(path: Path, notes: NoteThread, ports: MidiPorts, sound: MixThread, control: Control) -> None:
    """Write the measurements that `hocket bench` needs and that telemetry is too slow for, as JSON.

    In ns: when each turned knob took effect, how long planning each of the last notes took, and (deadline, lateness)
    of the last note-ons. The key `sound` holds frames of the `MixThread`.
    """
    audio = sound.audio.status()
    table = {
        "knobs": list(control.knob_instants),
        "notes": list(notes.timings),
        "sends": list(ports.first.lateness),
        "sound": {"begun": sound.begun, "recorded": sound.recorded, "taken": sound.players.taken},
        "audio": {"blocks": audio.blocks, "xruns": audio.xruns, "starved": audio.starved},
    }
    path.write_text(json.dumps(table), "utf-8")


def _end_for_memory(held: int) -> None:
    """End the process at once; its client starts another, without the sound models that may be the cause."""
    logger.critical("the engine holds %d MB of memory, more than the limit of %d", held >> 20, MEMORY >> 20)
    os._exit(1)


def _end_on_signals_and_errors(control: Control) -> None:
    def on_signal(number: int, _: FrameType | None) -> None:
        control.end(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)

    def on_error(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else "a"
        last_resort.report(f"the {name} thread", failure.exc_value or failure.exc_type())

    threading.excepthook = on_error


if __name__ == "__main__":
    exit_status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(exit_status)  # skip the clean-up of drivers, which may hang
