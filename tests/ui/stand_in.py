"""A stand-in of the engine's client: plays a composed piece, takes commands, can refuse them and can die."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import msgspec

from instrument.engine.ipc.bindings import Binding
from instrument.engine.ipc.messages import (
    AddAnchor,
    Anchor,
    AnyCommand,
    AnyReport,
    BarReport,
    Bye,
    ChangeAnchor,
    Description,
    KnobInfo,
    Lead,
    LoadMidiMap,
    LoadModel,
    LoadPatch,
    ModelInfo,
    NoteReport,
    Play,
    Record,
    RemoveAnchor,
    RemovePlayer,
    Reply,
    SavePatch,
    SetChords,
    SetDevice,
    SetKnob,
    Stop,
    Telemetry,
    Value,
    Values,
)
from instrument.engine.performance import pad
from instrument.engine.performance.arrangement import SENDING_KNOBS
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS, checked, knob_name
from instrument.engine.sound.spectrum import BANDS
from instrument.errors import HocketError
from instrument.music.notes import Part

BAR = 96
SILENT = (-120.0, -120.0)
LEAD = 2  # ticks
PLANNED = 2 * BAR + 24

MODELS = (
    ModelInfo(
        "hocket-lstm",
        "lstm",
        "Hocket LSTM",
        "1.0.0",
        3_900_000,
        ("jazz", "pop", "classical"),
        "CC0-1.0",
        kind="notes",
    ),
    ModelInfo("night-trio", "lstm", "Night Trio", "0.3.1", 2_100_000, ("jazz",), "CC0-1.0", kind="notes"),
    ModelInfo("broken", "lstm", "Old Rhodes", "0.1.0", 0, problem="its hash is not the manifest's: get it again"),
    ModelInfo("glass", "ddsp", "Glass", "1.0.0", 1_400_000, kind="voice"),
    ModelInfo("brass", "ddsp", "Brass", "1.0.0", 1_400_000, problem="its hash is wrong", kind="voice"),
    ModelInfo("river", "cmelgan", "River", "1.0.0", 1_300_000, ("jazz", "folk"), kind="stream"),
    ModelInfo("vocoder", "vocoder", "Vocoder", "1.0.0", 1_200_000),
)
KINDS = {model.slug: model.kind for model in MODELS}
PLAYER_KNOBS = (
    KnobInfo("genre", "Genre", "choice", default="none", player=0, help="The style it plays in",
             choices=("none", "jazz", "pop", "classical", "folk", "electronic")),
    KnobInfo("temperature", "Temperature", "number", "", 0.0, 2.0, 0.0, 1.0, help="Low: sure of itself. High: daring"),
    KnobInfo("density", "Density", "number", "notes/beat", 0.25, 12.0, 0.0, 3.0, curve="log", help="How many notes"),
    KnobInfo("register", "Register", "number", "st", -24.0, 24.0, 1.0, 0.0, help="How high it plays"),
    *(KnobInfo(**msgspec.structs.asdict(knob), player=0) for knob in SENDING_KNOBS),
)  # fmt: skip
PAD_KNOBS = (
    PLAYER_KNOBS[0],
    KnobInfo("x", "Pad X", low=-1.0),
    KnobInfo("y", "Pad Y", low=-1.0),
    KnobInfo("wander", "Wander", default=0.5, help="How far it strays"),
)
SOUND_KNOBS = {  # as the engine gives them: the model's own first
    "glass": (
        *(KnobInfo(id, id.capitalize(), low=-3.0, high=3.0, help="Another timbre") for id in ("colour", "breath")),
        KnobInfo("blend", "Blend", default=0.5, help="From the first instrument to the second"),
        KnobInfo("instrument", "Instrument", "choice", default="flute", choices=("flute", "cello", "horn")),
        KnobInfo("level", "Level", unit="dB", low=-60.0, high=6.0, help="Loudness of this player"),
        KnobInfo("mute", "Mute", "switch", step=1, help="Whether this player is silent"),
        KnobInfo("part", "Part", "choice", default="melody", choices=("melody", "chords", "keys", "all")),
    ),
    "river": (
        KnobInfo("jazz", "Jazz", default=1.0),
        KnobInfo("folk", "Folk"),
        KnobInfo("motion", "Motion", default=0.3),
        KnobInfo("level", "Level", unit="dB", low=-60.0, high=6.0, help="Loudness of this player"),
        KnobInfo("mute", "Mute", "switch", step=1, help="Whether this player is silent"),
        KnobInfo("tune", "Tune"),
        KnobInfo("duck", "Duck"),
    ),
}


def _degree(step: int) -> int:
    return (0, 2, 3, 5, 7, 9, 10)[step % 7] + 12 * (step // 7)  # dorian


def bar_of_music(bar: int) -> Iterator[NoteReport]:
    """One bar of a small piece in D dorian for melody, chords, bass and drums."""
    root, start = (0, 3, -2, 1)[bar // 2 % 4], bar * BAR
    for i, (at, long) in enumerate(((0, 30), (36, 10), (54, 18), (84, 12))):
        pitch = 26 + _degree(root + 7) + (0, 0, 7, 5)[i]
        yield NoteReport(0, start + at, 1, pitch, long, 84 + 6 * (i % 2), Part.BASS)
    for at, long in ((12, 20), (48, 30)) if bar % 2 else ((0, 40), (60, 28)):
        for third in (0, 2, 4, 6):
            pitch = 50 + _degree(root + 7 + third)
            yield NoteReport(0, start + at, third // 3, pitch, long, 58 + 4 * third, Part.CHORDS)
    place = 14 + root
    for i, (at, long) in enumerate(((0, 12), (12, 12), (24, 24), (48, 8), (56, 8), (64, 8), (72, 24))):
        if (bar * 7 + i * 5) % 11 > 2:
            place += ((bar * 3 + i * 2) % 5) - 2
            loud, pitch = 70 + (i * 13) % 50, 62 + _degree(place - 7)
            yield NoteReport(0, start + at, (i * 3) % 4 - 1, pitch, long - 1, loud, Part.MELODY)
    for step in range(8):
        hat = 46 if step == 7 and bar % 4 == 3 else 42
        yield NoteReport(0, start + 12 * step, step % 2, hat, 6, 80 - 30 * (step % 2), Part.DRUMS)
    for at, key, loud in ((0, 36, 110), (36, 36, 84), (24, 38, 100), (72, 38, 104), (66, 36, 70)):
        yield NoteReport(0, start + at, 0, key, 6, loud, Part.DRUMS)
    if bar % 4 == 0:
        yield NoteReport(0, start, 0, 49, 24, 96, Part.DRUMS)


def _spectrum(tick: float) -> bytes:
    """Partials of a tone that climbs a scale, beat by beat."""
    tone = 22 + 2 * (int(tick) // 24 % 12)
    fade = 1 - 0.4 * (tick % 24) / 24
    levels = [30] * BANDS
    for partial in range(1, 9):
        band = tone + round(11 * math.log2(partial))
        if band < BANDS:
            levels[band] = int((215 - 14 * partial) * fade)
            levels[band - 1] = max(levels[band - 1], int((150 - 12 * partial) * fade))
    return bytes(levels)


PLAN = tuple(
    BarReport(bar, bar * BAR, BAR, "AB"[bar // 4 % 2], bar % 4 == 0, ((0, ("Dm7", "G7", "Cmaj7", "Am7")[bar % 4]),),
              bar - 8 if bar >= 8 else -1)
    for bar in range(24)
)  # fmt: skip


class EngineStandIn:
    """What `engine.ipc.client.EngineClient` looks like from the window, with an engine of no depth behind it.

    clock: seconds; `sent` has every command; `refusals` maps a command's type to the error it gets.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.alive = True
        self.closed = False
        self.sent: list[AnyCommand] = []
        self.gestures: list[int] = []  # of each
        self.refusals: dict[type, str] = {}
        self.answers = True  # False: replies stay out
        self.bindings: tuple[Binding, ...] = ()
        self.maps: tuple[str, ...] = ("Akai MPK mini mk3", "Mine")
        self.time, self.clock_seen, self.clock_sent = "", False, False
        self.offset, self.midi_in = 0.0, "Hocket in (alsa)"
        self.banners: tuple[str, ...] = ()
        self.values: dict[str, Value] = {}
        self.patch, self.patch_changed, self.patches = (
            "Night bus",
            False,
            ("Night bus", "Rain on tin", "Two trams"),
        )
        self.slug, self.audio, self.midi, self.recording = (
            "hocket-lstm",
            "Built-in Audio, 48000 Hz",
            "Hocket (alsa)",
            "",
        )
        self.player_knobs = PLAYER_KNOBS
        self.bars: tuple[BarReport, ...] = PLAN  # of the plan
        self.led = ""  # the chord that leads
        self.parts: tuple[tuple[str, ...], ...] = ()
        self.sounds: list[str] = []  # slugs of the players that sound, which follow the one that plays notes
        self.underruns = 0  # of each
        self.anchors: tuple[Anchor, ...] | None = None  # None: the player has no latent pad
        self.levels, self.load, self.starved, self.late = (-9.5, -11.0), 0.21, 0, 0
        self._clock = clock
        self._number = 0
        self._reports: list[AnyReport] = []
        self._started: float | None = None
        self._committed_to = 0
        self._next_bar = 0
        self._music: list[NoteReport] = []
        for info in self.knobs:
            self.values[knob_name(info.player, info.id)] = info.default
        self.describe()

    @property
    def knobs(self) -> tuple[KnobInfo, ...]:
        own = (
            msgspec.structs.replace(info, player=player)
            for player, slug in enumerate(self.sounds, start=1)
            for info in SOUND_KNOBS[slug]
        )
        return (*INSTRUMENT_KNOBS, *self.player_knobs, *own)

    # -- as EngineClient

    def send(self, command: AnyCommand, gesture: int = 0) -> int:
        self._number += 1
        self.gestures.append(gesture)
        self.sent.append(command)
        error = self.refusals.get(type(command), "")
        if not error:
            try:
                self._obey(command)
            except HocketError as refused:
                error = str(refused)
        if self.answers:
            self._reports.append(Reply(self._number, error))
        return self._number

    def poll(self) -> list[AnyReport]:
        reports, self._reports = self._reports, []
        if self.alive:
            reports.append(self.telemetry())
        return reports

    def close(self) -> None:
        self.alive = False
        self.closed = True

    # -- for tests

    def die(self) -> None:
        """As after SIGKILL."""
        self.alive = False

    def depart(self, reason: str) -> None:
        """End in good order, at the wish of somebody else."""
        self._reports.append(Bye(reason))
        self.alive = False

    def commands(self, kind: type) -> list[AnyCommand]:
        return [command for command in self.sent if isinstance(command, kind)]

    def describe(self) -> None:
        """Send a description."""
        self._reports.append(Description(
            MODELS, self.knobs, dict(self.values), (self.slug, *self.sounds), self.patches, self.patch,
            self.patch_changed,
            ("Built-in Audio", "Scarlett 2i2"), ("FluidSynth", "Midi Through"), self.offset,
            ("Keystation 49",), self.bindings, self.maps, (self.anchors, *(None for _ in self.sounds)),
            ("notes", *(KINDS[slug] for slug in self.sounds)), parts=self.parts,
        ))  # fmt: skip

    def telemetry(self) -> Telemetry:
        """The state of things now."""
        tick = self.tick
        before = self._committed_to
        if self._started is not None:
            self._committed_to = int(tick) + LEAD
        self._compose(self._committed_to + PLANNED)
        committed = tuple(note for note in self._music if before <= note.tick < self._committed_to)
        self._music = [note for note in self._music if note.tick >= self._committed_to]
        return Telemetry(
            self._started is not None, tick, float(self.values["band/tempo"]),
            int(tick) // BAR + 1, int(tick) % BAR // 24 + 1, committed,
            tuple(note for note in self._music if note.tick < self._committed_to + PLANNED),
            self.levels if self._started is not None else SILENT,
            self.load, self.starved, 0, 29.3, self.late, 4, 1.2, self.audio, self.midi, self.recording, self.banners,
            self.midi_in, (SILENT, *(self.levels for _ in self.sounds)), SILENT,
            (0, *(self.underruns for _ in self.sounds)),
            _spectrum(tick) if self._started is not None else b"", time=self.time,
            clock_seen=self.clock_seen, clock_sent=self.clock_sent, bars=self.bars, led=self.led,
        )  # fmt: skip

    @property
    def tick(self) -> float:
        """Where the music is."""
        if self._started is None:
            return 0.0
        return (self._clock() - self._started) * float(self.values["band/tempo"]) * 24 / 60

    def _compose(self, until: int) -> None:
        while self._next_bar * BAR < until:
            self._music.extend(sorted(bar_of_music(self._next_bar), key=lambda note: note.tick))
            self._next_bar += 1

    def _obey(self, command: AnyCommand) -> None:
        match command:
            case Play():
                self._started = self._clock()
            case Stop():
                self._started, self._committed_to, self._next_bar, self._music = None, 0, 0, []
            case SetKnob(knob, value, player):
                info = next((i for i in self.knobs if (i.player, i.id) == (player, knob)), None)
                if info is None:
                    raise HocketError(f"unknown knob {knob!r} of player {player}")
                taken = self.values[knob_name(player, knob)] = checked(info, value)
                self.patch_changed = True
                self._reports.append(Values({knob_name(player, knob): taken}, self.patch_changed))
            case LoadModel() | RemovePlayer():
                self._seat(command)
            case LoadPatch(name) | SavePatch(name):
                self.patch, self.patch_changed = name, False
                self.patches = tuple(sorted({*self.patches, name}))
                self.describe()
            case SetDevice(audio, midi, offset, midi_in):
                self.midi_in = midi_in or self.midi_in
                self.audio, self.midi = audio or self.audio, midi or self.midi
                self.offset = self.offset if offset is None else offset
                self.describe()
            case Record(path):
                self.recording = path
            case AddAnchor() | ChangeAnchor() | RemoveAnchor():
                self.anchors = self._changed_anchors(command)
                self.describe()
            case LoadMidiMap(name):
                self.bindings = (Binding("0/temperature", 74),) if name else ()
                self.describe()
            case SetChords() | Lead():
                self._follow(command)
            case _:
                pass

    def _follow(self, command: SetChords | Lead) -> None:
        """Other chords in the plan, or one that leads."""
        match command:
            case SetChords(bar, text):
                chords = ((0, text),) if text else ()
                self.bars = tuple(
                    msgspec.structs.replace(each, chords=chords, written=True) if each.number == bar - 1 else each
                    for each in self.bars
                )
            case Lead(chord):
                self.led = chord

    def _changed_anchors(self, command: AnyCommand) -> tuple[Anchor, ...]:
        match command:
            case AddAnchor(source, x, y, what):
                return pad.added(self.anchors or (), Anchor(what or source, x, y))
            case ChangeAnchor(name, to, x, y):
                return pad.changed(self.anchors or (), name, to, x, y)
            case RemoveAnchor(name):
                return pad.removed(self.anchors or (), name)
        raise AssertionError

    def _seat(self, command: LoadModel | RemovePlayer) -> None:
        """Other players than before. The values of those that sound are forgotten, as the engine would not do."""
        match command:
            case LoadModel(slug, 0):
                self.slug = slug
            case LoadModel(slug, player):
                self.sounds[player - 1 : player] = [slug]
            case RemovePlayer(player):
                del self.sounds[player - 1]
        self.values |= {knob_name(info.player, info.id): info.default for info in self.knobs if info.player > 0}
        self._changed()

    def _changed(self) -> None:
        self.patch_changed = True
        self.describe()


def hear(stand_in: EngineStandIn, **changes: object) -> Telemetry:
    """A telemetry with some fields of one's own."""
    return msgspec.structs.replace(stand_in.telemetry(), **changes)
