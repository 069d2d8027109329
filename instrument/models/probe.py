"""The child process in which a bundle is played for the first time, under limits on time and memory.

    python -m instrument.models.probe FOLDER

An error is one line on standard error and status 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from instrument import memory
from instrument.errors import HocketError, one_line
from instrument.models import golden
from instrument.models.bundle import Bundle, open_bundle
from instrument.models.catalog import open_bundle_as_player
from instrument.models.families import FAMILIES
from instrument.models.manifest import Knob
from instrument.models.notes.player import Ask, LatentPlayer, NotePlayer, checked_note
from instrument.models.plan.writer import PlanWriter, Settings
from instrument.models.sound.base import StreamModel, VoiceModel, checked_sound
from instrument.models.sound.vocoder import Vocoder
from instrument.music.notes import Note
from instrument.music.plan import Plan
from instrument.music.timebase import MetreMap

MEMORY = 2 << 30  # bytes
CPU_SECONDS = 55
NOTES, CHUNKS, BARS = 24, 12, 8  # played with each setting of the knobs
RATE, BLOCK = 48_000, 512

Knobs = Mapping[str, float | str]


def play(bundle: Bundle) -> None:
    """Play a bundle as a performance would, with its knobs at their defaults and at their ends. HocketError if it fails
    or makes what cannot be played."""
    manifest = bundle.manifest
    match FAMILIES[manifest.family].kind:
        case "vocoder":
            vocoder = Vocoder(bundle)
            checked_sound(vocoder.render(np.zeros((32, vocoder.format.mels), np.float32)))
        case "plan":
            PlanWriter(bundle).bars(Plan((), (0, "major")), BARS, Settings())
        case _:
            _play(open_bundle_as_player(bundle), list(_settings(manifest.knobs)))


def _play(model: NotePlayer | StreamModel | VoiceModel, settings: list[Knobs]) -> None:
    if isinstance(model, StreamModel):
        _play_stream(model, settings)
    elif isinstance(model, VoiceModel):
        _play_voice(model, settings)
    else:
        _play_notes(model, settings)


def _settings(knobs: tuple[Knob, ...]) -> Iterator[Knobs]:
    """The defaults; all numbers and choices at one end; all at the other."""
    yield {knob.id: knob.default for knob in knobs}
    for end in (0, -1):
        yield {knob.id: knob.choices[end] if knob.choices else (knob.low, knob.high)[end] for knob in knobs}


def _play_notes(player: NotePlayer, settings: list[Knobs]) -> None:
    player.reset(1, 0, MetreMap())
    played: list[Note] = []
    for knobs in settings:
        for _ in range(NOTES):
            ask = Ask(knobs=dict(knobs), floor=played[-1].tick if played else 0)
            played.append(checked_note(player.propose(ask)))
            player.feed(played[-1])
        player.rewind(player.count - NOTES // 2)
        del played[-(NOTES // 2) :]
        player.forget_before(player.count)
    if isinstance(player, LatentPlayer):
        player.pace(player.encode(played, MetreMap()), player.space.sample("none", 1))


def _play_stream(stream: StreamModel, settings: list[Knobs]) -> None:
    stream.reset(1, 0)
    for knobs in settings:
        for _ in range(CHUNKS):
            checked_sound(stream.render(knobs))


def _play_voice(voice: VoiceModel, settings: list[Knobs]) -> None:
    tones = voice.start(RATE)
    tones.turn(settings[0])
    for number, pitch in enumerate((24, 60, 96, 127)):
        tones.turn(settings[number % len(settings)])
        tones.strike(number, pitch, 30 * number + 20)
        tones.bend(number, number)
        for _ in range(CHUNKS):
            checked_sound(tones.render(BLOCK))
        tones.release(number)
    checked_sound(tones.render(RATE))


def main(arguments: list[str]) -> int:
    """Play the bundle in the folder that is the one argument; see the module."""

    def end(held: int) -> None:
        print(f"playing it takes over {MEMORY >> 20} MB of memory", file=sys.stderr, flush=True)
        os._exit(1)

    memory.limit_growth(MEMORY)
    memory.watch(MEMORY, end)
    with suppress(ImportError, ValueError, OSError):  # Windows has no such limit; the parent's time limit remains
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        bundle = open_bundle(Path(arguments[0]), trusted=True)
        play(bundle)
        golden.check(bundle)
    except (MemoryError, HocketError) as error:
        print(str(error) or f"playing it takes over {MEMORY >> 20} MB of memory", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001  a model of a stranger may fail in any way
        print(f"playing it fails: {one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
