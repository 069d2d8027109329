"""Knobs of the instrument and of its players, and the `Ask` that they make for a note model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import log, nan

from msgspec.structs import asdict, replace

from instrument.engine.ipc.messages import KnobInfo, Value
from instrument.engine.performance.harmony.leading import ACCOMPANY, BAR, GRIDS, LEADING, NOW, PLACES
from instrument.engine.performance.harmony.plan_in_force import FREE, SOURCES
from instrument.engine.performance.pad import AXES
from instrument.engine.performance.transport import METRES
from instrument.errors import HocketError
from instrument.midi_spec import CHANNELS
from instrument.models.manifest import Knob
from instrument.models.notes.player import Ask
from instrument.music.grooves import MOST_SWING, STRAIGHT
from instrument.music.harmony import KEYS, SCALES
from instrument.music.notes import Part
from instrument.music.timebase import TEMPO_RANGE

JAM, ANSWER, DUET = "jam", "answer", "duet"
MODES = (JAM, ANSWER, ACCOMPANY, DUET)  # values of the knob "mode"
SILENCE, PEDAL = "silence", "pedal"
QUESTIONS = (SILENCE, "1 bar", "2 bars", "4 bars", PEDAL)  # values of the knob "question"
OFF, AUTO, ON = "off", "auto", "on"  # values of a part's knob
PART_CHOICES = (OFF, AUTO, ON)
# A part was a switch in version 0.1.
_SWITCHES = {"0": OFF, "0.0": OFF, "false": OFF, "1": AUTO, "1.0": AUTO, "true": AUTO}
ALL_CHANNELS, AS_PLAYED = "all", "as played"
KEY_CHANNELS = (ALL_CHANNELS, *(str(channel + 1) for channel in range(CHANNELS)))
KEYS_OUT = (OFF, AS_PLAYED, *(str(channel + 1) for channel in range(CHANNELS)))
OWN, CLOCK, JACK = "own", "clock", "jack"  # whose time holds
PORT_NUMBERS = tuple(str(number + 1) for number in range(CHANNELS))  # of MIDI ports
ONE_PORT, EACH_ITS_OWN = "one", "players"
IN_FILES, SENT, NEVER = "files", "sent", "never"  # what becomes of the program of a part
INSTRUMENT = -1  # the player number of the instrument's own knobs
BAND = "band"  # stands for that number in their names


def _part(part: Part) -> KnobInfo:
    name = part.name.lower()
    what = name if part != Part.OTHER else "notes of no known part"
    return _choice(
        name, name.capitalize(), PART_CHOICES, AUTO, f"Whether {what} may play, plays as the genre has it, or must play"
    )


def _program(part: Part) -> KnobInfo:
    name = part.name.lower()
    help = f"The program (sound) of {name}: in MIDI files only, sent to its MIDI port too, or never"
    return _choice(f"{name}_program", f"{name.capitalize()} program", (IN_FILES, SENT, NEVER), IN_FILES, help)


def _number(
    id: str,
    label: str,
    low: float,
    high: float,
    default: float,
    help: str,
    unit: str = "",
    step: float = 0.0,
    curve: str = "linear",
) -> KnobInfo:
    return KnobInfo(id, label, "number", unit, low, high, step, default, (), curve, help, INSTRUMENT)


def _choice(id: str, label: str, choices: Iterable[str], default: str, help: str) -> KnobInfo:
    return KnobInfo(id, label, "choice", default=default, choices=tuple(choices), help=help, player=INSTRUMENT)


_OWN_KNOBS = "those that you map to it by their context menus"
_MACROS = (
    ("surprise", "Surprise", "from what is likely to what surprises"),
    ("busy", "Busy", "from few notes to many"),
    ("bright", "Bright", "from low and dull to high and bright"),
    ("groove", "Feel", "from even to played by hand"),
    *((f"macro_{number}", f"Macro {number}", _OWN_KNOBS) for number in range(5, 9)),
)
MACROS = tuple(id for id, _, _ in _MACROS)
"""Knobs that turn other knobs, see `acts.macros`."""

INSTRUMENT_KNOBS: tuple[KnobInfo, ...] = (
    _number("tempo", "Tempo", *TEMPO_RANGE, 120.0, "Beats a minute", "bpm", curve="log"),
    _choice("metre", "Metre", METRES, "4/4", "Time signature, from the next bar on"),
    _choice("key", "Key", KEYS, "C", "Root of the scale"),
    _choice("scale", "Scale", SCALES, "chromatic", "Which pitches may sound; chromatic allows all"),
    _number("chromatic", "Chromatic", 0.0, 1.0, 0.0, "How freely steps outside the scale come off the beat"),
    _number("low", "Lowest", 0, 127, 0, "Lowest pitch of the pitched parts", step=1),
    _number("high", "Highest", 0, 127, 127, "Highest pitch of the pitched parts", step=1),
    *(_part(part) for part in Part),
    _choice("plan", "Plan", SOURCES, FREE, "Which chords the band plays: free, typed, or a progression by name"),
    _number("harmony", "Harmony", 0.0, 1.0, 0.5, "How closely the players keep to the chords of the plan"),
    _number("vary", "Vary", 0.0, 1.0, 0.3, "How much a section changes when it returns"),
    _number("loop", "Loop", 0, 16, 0, "How many of the last bars are looped; 0 goes on", "bars", step=1),
    KnobInfo("fills", "Fills", "switch", step=1, player=INSTRUMENT, help="Whether drums fill in before a new section"),
    _choice(
        "lead",
        "Left hand",
        LEADING,
        OFF,
        "Which keys are the band's chord: those below the split, held or on hold; or all: heard",
    ),
    _number("split", "Split", 0, 127, 60, "The lowest key that is not of the left hand", step=1),
    _choice("turn", "Turn", GRIDS, GRIDS[0], "When the band turns to another chord of the left hand"),
    _choice("mode", "Mode", MODES, JAM, "With you: all play, the lead answers, the band accompanies, or takes turns"),
    _choice("question", "Question", QUESTIONS, SILENCE, "What ends your question: silence, bars, or the button Answer"),
    _number("silence", "Silence", 0.25, 8.0, 1.0, "How long you are silent before the lead comes in", "beats"),
    _choice("changes", "Changes", PLACES, BAR, "When another genre, model or patch takes effect"),
    _choice("mutes", "Mutes", PLACES, PLACES[0], "When a part or player falls silent, or comes in again"),
    _number("remake", "Remake", 0, 15, 0, "The player whose bars the buttons make anew", step=1),
    _number(
        "swing", "Swing", STRAIGHT, MOST_SWING, STRAIGHT, "Where off-beat eighths fall in the beat: 0.67 is triplets"
    ),
    _number("feel", "Feel", 0.0, 1.0, 0.0, "How far accents and timing of the genre's drummers are added"),
    _number("dynamics", "Dynamics", 0.0, 1.0, 0.0, "How far phrases and sections swell and fade"),
    _number("seed", "Seed", 0, 999_999, 0, "The same seed and knobs give the same music", step=1),
    KnobInfo("new_seed", "New seed", "switch", step=1, player=INSTRUMENT, help="Whether every start has another seed"),
    _number("level", "Level", -60.0, 6.0, 0.0, "Loudness of the built-in voices", "dB"),
    *(_number(id, label, 0.0, 1.0, 0.5, f"Turns several knobs at once: {what}") for id, label, what in _MACROS),
    _number("keys_level", "Keys level", -60.0, 18.0, 9.0, "Loudness of the keyboard with the built-in voice", "dB"),
    _number("keys_transpose", "Transpose", -36, 36, 0, "Semitones by which the keyboard is transposed", step=1),
    _number(
        "keys_velocity", "Touch", -1.0, 1.0, 0.0, "How hard keys are struck: above 0 harder than played, below softer"
    ),
    _choice("keys_channel", "Listen to", KEY_CHANNELS, ALL_CHANNELS, "The MIDI channel that is heard"),
    _choice("keys_out", "Send keys", KEYS_OUT, OFF, "Whether the MIDI output gets the keyboard, and on which channel"),
    _choice(
        "ports",
        "MIDI ports",
        (ONE_PORT, EACH_ITS_OWN),
        ONE_PORT,
        "One MIDI port for all players, or one for each",
    ),
    *(_program(part) for part in Part),
    _choice(
        "follow",
        "Follow",
        (OWN, CLOCK, JACK),
        OWN,
        "Whose time holds: its own, that of a MIDI clock at the MIDI input, or that of JACK's transport",
    ),
    _choice("start", "Start", (NOW, BAR), NOW, "Where the time of others runs: begin at once, or on its next bar line"),
    _choice("clock_out", "Clock out", (OFF, *PORT_NUMBERS), OFF, "The number of the MIDI port that gets a MIDI clock"),
    _number("count_in", "Count-in", 0, 2, 0, "Bars that are counted before the music begins", "bars", step=1),
    KnobInfo(
        "metronome",
        "Metronome",
        "switch",
        step=1,
        player=INSTRUMENT,
        help="Whether every beat has a click, in recordings of sound too",
    ),
    _number("buffer", "Buffer", 0, 150, 0, "Sound mixed ahead: more gives fewer clicks, and delay", "ms", step=1),
    _number("click_level", "Click level", -60.0, 6.0, -6.0, "Loudness of the metronome and of the count-in", "dB"),
)

# Knobs that belong to the room and not to the music: loading a patch leaves them as they are.
OF_THE_ROOM = ("follow", "start", "clock_out", "count_in", "metronome", "click_level", "buffer")

# Knobs that say where the notes of the parts are sent.
ROUTING = ("ports", *(f"{part.name.lower()}_program" for part in Part))

# Knobs that change the timing or the level of notes, not which notes come.
NO_NOTES = frozenset(
    (
        *("tempo", "level", "new_seed", "split", "turn", "changes", "mutes", "remake", "mode", "question", "silence"),
        *("keys_level", "keys_transpose", "keys_velocity", "keys_channel", "keys_out"),
        *ROUTING,
        *OF_THE_ROOM,
        *MACROS,
    )
)
# Knobs after which a player is reset and fed the last notes again.
RESTARTING = frozenset(("seed", "metre"))
SEEDS = 1_000_000


SWITCHED = {"0": 0.0, "0.0": 0.0, "off": 0.0, "false": 0.0, "1": 1.0, "1.0": 1.0, "on": 1.0, "true": 1.0}


def next_seed(seed: int) -> int:
    """Another seed, which follows from this one; all of them come before it returns."""
    return (seed * 7921 + 104_729) % SEEDS


def knob_name(player: int, knob: str) -> str:
    """The full name of a knob: "band/tempo", "0/temperature"."""
    return f"{BAND if player == INSTRUMENT else player}/{knob}"


def split_name(name: str) -> tuple[int, str]:
    """(player, knob) of a full name; without a player it is the instrument's. HocketError if it names no knob."""
    player, slash, knob = name.rpartition("/")
    if not slash or player in (BAND, str(INSTRUMENT)):  # takes of version 0.1 have the number of the instrument
        return INSTRUMENT, knob
    if not player.isdecimal() or len(player) > 2:
        raise HocketError(f"{name!r} names no knob: write {BAND}/KNOB or PLAYER/KNOB, as in {BAND}/tempo or 0/density")
    return int(player), knob


def moved_up(name: str, player: int) -> str:
    """The name of a knob or button after a player left and the numbers behind it went down; empty for its own knobs."""
    owner, _, knob = name.partition("/")
    if not owner.isdecimal():
        return name
    return "" if int(owner) == player else knob_name(int(owner) - (int(owner) > player), knob)


def _knob_info(knob: Knob, player: int) -> KnobInfo:
    info = KnobInfo(**asdict(knob), player=player)
    return replace(info, step=0.0) if knob.id in AXES else info  # positions of the latent pad have no steps


class KnobTable:
    """All knobs: the instrument's, then those of each player's model."""

    def __init__(self, models: Sequence[Iterable[Knob]] = ()) -> None:
        """models: the knobs of every player's manifest, in the order of the players. all: every knob; infos: the same
        by name ("0/temperature")."""
        players = ((_knob_info(knob, player) for knob in knobs) for player, knobs in enumerate(models))
        infos = chain(INSTRUMENT_KNOBS, chain.from_iterable(players))
        self.infos: dict[str, KnobInfo] = {knob_name(info.player, info.id): info for info in infos}
        self.all: tuple[KnobInfo, ...] = tuple(self.infos.values())
        self._of: dict[int, list[KnobInfo]] = {}
        for info in self.all:
            self._of.setdefault(info.player, []).append(info)

    def find(self, knob: str, player: int = 0) -> KnobInfo:
        """The knob of `player`, else the instrument's of that name; or that of a full name ("band/tempo"). HocketError
        lists the knobs that exist."""
        if "/" in knob:
            player, knob = split_name(knob)
        info = self.infos.get(knob_name(player, knob)) or self.infos.get(knob_name(INSTRUMENT, knob))
        if info is None:
            known = sorted({info.id for info in (*self.of(player), *INSTRUMENT_KNOBS)})
            raise HocketError(f"unknown knob {knob!r}: choose one of {', '.join(known)}")
        return info

    def of(self, player: int) -> Sequence[KnobInfo]:
        """The knobs of one player, or of the `INSTRUMENT`; empty if there is no such player."""
        return self._of.get(player, ())


def checked(info: KnobInfo, value: object) -> Value:
    """A value as the knob stores it: numbers (also as text) within range and on its steps, choices as listed.

    HocketError for any other value, with what is allowed.
    """
    if info.kind == "choice":
        wanted = str(value).casefold()
        if info.choices == PART_CHOICES:
            wanted = _SWITCHES.get(wanted, wanted)
        found = next((choice for choice in info.choices if choice.casefold() == wanted), None)
        if found is None:
            raise HocketError(f"{info.id} cannot be {str(value)!r}: choose one of {', '.join(info.choices)}")
        return found
    if info.kind == "switch":
        switched = SWITCHED.get(str(value).casefold())
        if switched is None:
            raise HocketError(f"{info.id} cannot be {str(value)!r}: give 0 (off) or 1 (on)")
        return switched
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = nan
    if not info.low <= number <= info.high:
        unit = f" {info.unit}" if info.unit else ""
        raise HocketError(f"{info.id} cannot be {value}: give {info.low:g} to {info.high:g}{unit}")
    if info.step:
        number = round(min(info.high, info.low + round((number - info.low) / info.step) * info.step), 9)
    return number


def value_at(info: KnobInfo, place: float) -> Value:
    """The value at a position 0..1 of a knob: numbers by their curve, choices and switches in equal shares."""
    if info.kind == "choice":
        return info.choices[min(int(place * len(info.choices)), len(info.choices) - 1)]
    if info.kind == "switch":
        return float(place >= 0.5)
    low, high = info.low, info.high
    return low * (high / low) ** place if info.curve == "log" and 0 < low < high else low + place * (high - low)


def place_of(info: KnobInfo, value: Value) -> float:
    """The position 0..1 of a knob at a value: the inverse of `value_at`."""
    if info.kind == "choice":
        return info.choices.index(str(value)) / max(1, len(info.choices) - 1)
    number, low, high = float(value), info.low, info.high
    if info.kind == "switch" or low == high:
        return number
    if info.curve == "log" and 0 < low < high:
        return log(number / low) / log(high / low)
    return (number - low) / (high - low)


def ask_from(
    instrument: Mapping[str, Value], model: Mapping[str, Value], floor: int = 0, own: frozenset[int] = frozenset(Part)
) -> Ask:
    """The `Ask` for a note model from checked knob values. instrument, model: by id; floor: ticks; own: the parts that
    are this player's."""
    parts = parts_on(instrument) & own
    return Ask(
        knobs=dict(model),
        floor=floor,
        key=KEYS.index(str(instrument["key"])),
        scale=str(instrument["scale"]),
        chromatic=float(instrument["chromatic"]),
        low=int(min(instrument["low"], instrument["high"])),
        high=int(max(instrument["low"], instrument["high"])),
        parts=frozenset() if len(parts) == len(Part) else parts,
        on=frozenset(int(part) for part in own if instrument[Part(part).name.lower()] == ON),
        harmony=float(instrument["harmony"]),
    )


def parts_on(instrument: Mapping[str, Value]) -> frozenset[int]:
    """The parts that are not muted."""
    return frozenset(int(part) for part in Part if instrument[part.name.lower()] != OFF)


def parse_setting(text: str) -> tuple[int, str, str]:
    """(player, knob, value) of "KNOB=VALUE", "PLAYER/KNOB=VALUE" or "band/KNOB=VALUE"; without a player it is player 0,
    or the instrument. HocketError on anything else."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip(" /") or not value.strip():
        raise HocketError(f"{text!r} sets no knob: write KNOB=VALUE, as in temperature=0.9")
    player, knob = split_name(name.strip()) if "/" in name else (0, name)
    return player, knob.strip(), value.strip()


def parse_timed(text: str) -> tuple[float, str]:
    """(beat, what happens there) of "BEAT:KNOB=VALUE" and the like; beats are quarter notes, counted from 0.

    HocketError without a beat.
    """
    beat, _, what = text.partition(":")
    try:
        at = float(beat)
        if not 0 <= at < 1e6:
            raise ValueError
    except ValueError:
        raise HocketError(f"{text!r} has no beat: write BEAT:KNOB=VALUE, as in 16:temperature=0.9") from None
    return at, what.strip()
