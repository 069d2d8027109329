"""Commands to the engine and telemetry from it: msgspec structs over a private local socket.

Every message is a tagged struct; `ipc.encoding` has the only ways in and out.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from instrument.engine.ipc.bindings import Binding, Mode
from instrument.engine.ipc.described import Anchor as Anchor
from instrument.engine.ipc.described import BarReport as BarReport
from instrument.engine.ipc.described import KnobInfo as KnobInfo
from instrument.engine.ipc.described import ModelInfo as ModelInfo
from instrument.engine.ipc.described import NoteReport as NoteReport
from instrument.engine.ipc.described import Place as Place
from instrument.engine.ipc.described import RemadeBar as RemadeBar
from instrument.engine.ipc.described import Value as Value


class Command(msgspec.Struct, frozen=True, tag=True):
    """Base of the commands of a client. Every command is answered by a `Reply` with its number."""


class Hello(Command, frozen=True):
    """First message of a client. keep: the engine outlives its clients."""

    keep: bool = False


class Play(Command, frozen=True):
    """Start the transport."""


class Stop(Command, frozen=True):
    """Stop the transport and release all notes. The next Play starts a new performance from bar 0."""


class Panic(Command, frozen=True):
    """Silence: all notes off (CC 120 and 123) on every channel and voice; the transport goes on."""


class SetKnob(Command, frozen=True):
    """Turn a knob of `engine.performance.knobs`: of the instrument (tempo, key, scale, level, ...) or of a player
    (genre, temperature, density, ...)."""

    knob: str
    value: Value
    player: int = 0


class Press(Command, frozen=True):
    """Press a button of `engine.surface.buttons` ("transport/tap"), or a knob, by its name: a switch changes, a choice
    takes its next value, a number returns to its default."""

    name: Annotated[str, Meta(max_length=100)]


class SetProgression(Command, frozen=True):
    """Play typed chords ("Dm9 | G13 | % | Am7 D7") as the plan, from the next bar on. Refused where they cannot be
    read."""

    text: Annotated[str, Meta(max_length=20_000)]


class Lead(Command, frozen=True):
    """Let the band follow a chord ("Dm9") from the next place that the knob "turn" allows; "" goes back to the plan.
    Refused where it cannot be read."""

    chord: Annotated[str, Meta(max_length=40)]


class SetChords(Command, frozen=True):
    """Write other chords into a bar (counted from 1) of the plan, and into those after it where there are several:
    "Dm9 G13", "Dm9 | G13"; "%": the chord before goes on; "?": the harmony is free; "": the plan's own again. Refused
    for a bar that has begun, and where they cannot be read."""

    bar: Annotated[int, Meta(ge=1, le=1_000_000)]
    text: Annotated[str, Meta(max_length=2000)]


class PlayKeys(Command, frozen=True):
    """What a person plays in the window: short MIDI messages of channels, as from a MIDI keyboard."""

    messages: Annotated[tuple[Annotated[bytes, Meta(min_length=2, max_length=3)], ...], Meta(max_length=256)]


class MapMacro(Command, frozen=True):
    """Let a macro ("surprise") move a knob, by its name ("0/temperature"): so far, in shares of the knob, while the
    macro goes from one end to the other; 0: no longer."""

    macro: str
    knob: str
    amount: Annotated[float, Meta(ge=-1, le=1)] = 1.0


class Remake(Command, frozen=True):
    """Make a bar (counted from 1) of a player anew that is planned or looped, so that it fits to those around it; the
    buttons "remake/..." then choose among the candidates. Refused for one that has been played."""

    bar: Annotated[int, Meta(ge=1, le=1_000_000)]
    player: int = 0


class LoadModel(Command, frozen=True):
    """Give a player another bundle, or add a player (with the number after the last one). An unknown slug is refused
    with the list of those that exist. Sound players change while the music plays; adding a note player, or changing
    between notes and sound, begins a new performance as `LoadPatch` does."""

    slug: str
    player: int = 0


class RemovePlayer(Command, frozen=True):
    """Remove a player; the numbers of those behind it go down by one."""

    player: int


class OpenChart(Command, frozen=True):
    """Play the chords of a MIDI file (of its markers, its chord track or its notes) as the plan, from the next bar."""

    path: str


class LoadPatch(Command, frozen=True):
    """Load a patch by name or path."""

    name: str


class PlayTake(Command, frozen=True):
    """Play a take again as it was recorded."""

    path: str


class SavePatch(Command, frozen=True):
    """Save the present state under a name or path."""

    name: str


class RemovePatch(Command, frozen=True):
    """Remove a patch that the user saved; one that ships with the same name is there again."""

    name: str


class Record(Command, frozen=True):
    """Start recording to `path` (.mid, .wav or .take.json); an empty path stops and closes the file."""

    path: str


class SetDevice(Command, frozen=True):
    """Use another audio device, MIDI port or MIDI input; None leaves it as it is.
    offset_ms: how much later than the built-in voices the MIDI port sends, negative = earlier.
    """

    audio: str | None = None
    midi: str | None = None
    offset_ms: float | None = None
    midi_in: str | None = None


class ImportModel(Command, frozen=True):
    """Install the bundle in a .hocket file."""

    file: str


class FindOffset(Command, frozen=True):
    """Set the offset by how late notes arrive over a loop from MIDI output to input. Refused while the music plays."""


class Learn(Command, frozen=True):
    """Let the MIDI controller that is moved next turn a knob or press a button (a key may press, too); on = False:
    none does; an empty name: stop waiting. mode: how the controller sends."""

    knob: str
    player: int = 0
    on: bool = True
    mode: Mode = "absolute"


class LoadMidiMap(Command, frozen=True):
    """Use the bindings of a MIDI map, by its name; empty: none."""

    name: str


class SaveMidiMap(Command, frozen=True):
    """Save the present bindings under a name. device: part of the name of the port that loads the map when chosen."""

    name: str
    device: str = ""


class AddAnchor(Command, frozen=True):
    """Put an anchor on the latent pad of a player. source: "file" (what: path of a MIDI file), "phrase" (just played by
    the person or the player), "sample" (drawn from the genre of the knob), "genre" (the mean of the genre in what)."""

    source: Literal["file", "phrase", "sample", "genre"]
    x: Place
    y: Place
    what: str = ""
    player: int = 0


class ChangeAnchor(Command, frozen=True):
    """Rename an anchor (to) or move it (x and y)."""

    name: str
    to: str = ""
    x: Place | None = None
    y: Place | None = None
    player: int = 0


class RemoveAnchor(Command, frozen=True):
    """Take an anchor off a player's pad."""

    name: str
    player: int = 0


class Describe(Command, frozen=True):
    """Ask for a `Description`."""


class Undo(Command, frozen=True):
    """Take the last step back: turned knobs, patches, players, models, anchors, chords; or (redo) do it again."""

    redo: bool = False


class Quit(Command, frozen=True):
    """End the engine: everything released, autosaved, no process left. alone: refused while other clients are there."""

    alone: bool = False


AnyCommand = (
    Hello
    | Play
    | Stop
    | Panic
    | SetKnob
    | Press
    | SetProgression
    | Lead
    | SetChords
    | PlayKeys
    | MapMacro
    | Remake
    | LoadModel
    | RemovePlayer
    | LoadPatch
    | PlayTake
    | OpenChart
    | SavePatch
    | RemovePatch
    | Record
    | SetDevice
    | ImportModel
    | FindOffset
    | Learn
    | LoadMidiMap
    | SaveMidiMap
    | AddAnchor
    | ChangeAnchor
    | RemoveAnchor
    | Describe
    | Undo
    | Quit
)


class Envelope(msgspec.Struct, frozen=True):
    """A numbered command, as it is sent. gesture: the same number for all that one movement of a hand asks for, as it
    is undone as one step; 0: none."""

    number: int
    command: AnyCommand
    gesture: int = 0


class Report(msgspec.Struct, frozen=True, tag=True):
    """Base of the messages from the engine."""


class Reply(Report, frozen=True):
    """The answer to command `number`: an empty error means done."""

    number: int
    error: str = ""


class Description(Report, frozen=True):
    """Everything that changes rarely. Sent on Hello and after each change; for turned knobs alone see `Values`."""

    models: tuple[ModelInfo, ...]
    knobs: tuple[KnobInfo, ...]
    values: dict[str, Value]  # by name ("band/tempo", "0/density")
    players: tuple[str, ...]  # slug a player
    patches: tuple[str, ...]
    patch: str
    patch_changed: bool
    audio_devices: tuple[str, ...]
    midi_ports: tuple[str, ...]
    offset_ms: float = 0.0  # of the MIDI port
    midi_inputs: tuple[str, ...] = ()
    bindings: tuple[Binding, ...] = ()
    midi_maps: tuple[str, ...] = ()
    pads: tuple[tuple[Anchor, ...] | None, ...] = ()  # anchors by player, None: it has no latent space
    kinds: tuple[str, ...] = ()  # by player: "notes", "stream" or "voice"
    about: str = ""  # one line on the patch
    parts: tuple[tuple[str, ...], ...] = ()  # by player: those that it is limited to, none: it has all
    macros: dict[str, dict[str, float]] = {}  # knobs that the patch maps to macros, by macro


class Values(Report, frozen=True):
    """Knobs that have been turned since the last `Values` or `Description`, by name as there. Sent if nothing else of
    the description has changed. Knobs that were turned and kept their values are included."""

    values: dict[str, Value]
    patch_changed: bool

    def applied(self, description: Description) -> Description:
        """The description with these values in it."""
        values = {**description.values, **self.values}
        return msgspec.structs.replace(description, values=values, patch_changed=self.patch_changed)


class Telemetry(Report, frozen=True):
    """The state of the transport, the sound and the devices. Sent some 30 times a second.

    tick: transport position (fractional); bpm, bar, beat (counted from 1; a count-in has the bars -1 and 0); plan:
    all planned notes when they changed since the last telemetry, else None; committed: notes committed since the
    last; levels: peak of left and right since the last, dBFS; load: share of the mixing deadline used, 0..1;
    banners: states to show ("no audio device: playing to the null device"); player_levels: as levels, of each sound
    player (others: -120); voices_level: of the built-in voices; underruns: how often the stream of a player ran
    dry; keys: MIDI pitches that a person holds down; spectrum: peaks of the output in `sound.spectrum.BANDS` bands
    from low to high, a byte each from 0 (-90 dBFS) to 255 (0 dBFS), empty: silence; time: the outside clock that is
    followed; learning: what waits for a MIDI controller; clock_seen, clock_sent: whether a clock (or the transport
    that is followed) arrives, and a MIDI clock is sent; bars: of the plan of sections and chords, from some bars
    ago on, when it changed since the last telemetry, else None; led: the name of the chord that a person leads
    with, empty while the plan's hold; remade: until it is kept; lead: what the lead does beside a person: "free",
    "rests" or "answers"; undo, redo: what the next `Undo` changes, empty: there is none.
    """

    playing: bool
    tick: float
    bpm: float
    bar: int
    beat: int
    committed: tuple[NoteReport, ...]
    plan: tuple[NoteReport, ...] | None
    levels: tuple[float, float]
    load: float
    starved: int
    xruns: int
    latency_ms: float
    late_notes: int
    sounding: int
    ms_per_note: float
    audio: str
    midi: str
    recording: str
    banners: tuple[str, ...]
    midi_in: str = ""
    player_levels: tuple[tuple[float, float], ...] = ()
    voices_level: tuple[float, float] = (-120.0, -120.0)
    underruns: tuple[int, ...] = ()
    spectrum: bytes = b""
    recording_s: float = 0.0  # how long it has been recording
    keys: tuple[int, ...] = ()
    time: str = ""
    learning: str = ""
    clock_seen: bool = False
    clock_sent: bool = False
    bars: tuple[BarReport, ...] | None = None
    led: str = ""
    remade: RemadeBar | None = None
    lead: str = "free"
    undo: str = ""
    redo: str = ""


class Bye(Report, frozen=True):
    """The engine is ending; `reason` says why."""

    reason: str = ""


AnyReport = Reply | Description | Values | Telemetry | Bye
