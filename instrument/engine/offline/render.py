"""Rendering: the same performance as live, without real time, devices and threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import ceil
from operator import itemgetter

import msgspec
from msgspec.structs import replace

from instrument.engine.offline.playing_along import PlayingAlong, keyboard_messages
from instrument.engine.offline.recorded import RecordedModels, RecordedPlayer
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS, ask_for
from instrument.engine.performance.acts.remaking import read_bar
from instrument.engine.performance.harmony.form import check_action
from instrument.engine.performance.harmony.leading import read_lead
from instrument.engine.performance.harmony.plan_in_force import TYPED, check_text
from instrument.engine.performance.knobs import (
    INSTRUMENT,
    checked,
    parse_setting,
    parse_timed,
    split_name,
)
from instrument.engine.performance.patches import DEFAULT, Patch, PlayerPatch, load_patch, with_voice
from instrument.engine.performance.performance import EARLIEST, Performance, Played
from instrument.engine.performance.roster import OpenPlayer, expect_bundle, planner_problem
from instrument.engine.performance.sound_seats import VOICE, SoundModels, kind
from instrument.engine.performance.takes import (
    Entry,
    Input,
    Joined,
    Keyboard,
    Left,
    Released,
    Revoked,
    Stopped,
    Take,
    Turn,
    load_take,
)
from instrument.engine.performance.transport import METRES
from instrument.errors import HocketError
from instrument.music.midifile import read_midi
from instrument.music.notes import Piece
from instrument.music.plan import Plan
from instrument.music.timebase import MICRO_STEPS, TEMPO_RANGE, TICKS_PER_BEAT, MetreMap, TempoMap

DEFAULT_SECONDS = 30.0
RINGING_S = 2.0  # rendered after the last note of a prompt that only voices play
MAX_SECONDS = 24 * 3600.0
MAX_BARS = 50_000
MAX_PROMPT_S = 4 * 3600.0
CHORD, FORM, REMAKE = "chord=", "form/", "remake="  # how what happens on a beat begins, if it is no knob


@dataclass(frozen=True, slots=True)
class Options:
    """What to render, as the command line has it.

    model: slug of the first player's model, or of a voice for the band, empty = the patch's; seconds, bars: length of
    what the models play, the shorter counts (neither: 30 seconds, or all of the take); sets: "KNOB=VALUE"; ats:
    "BEAT:KNOB=VALUE", "BEAT:chord=SYMBOL", "BEAT:remake=PLAYER/BAR" or
    "BEAT:BUTTON"; prompt: a MIDI file to begin with and to continue;
    progression: typed chords for the plan; keys: a MIDI file that a person plays along; take: a take to replay, in
    place of all but the length.
    """

    model: str = ""
    seconds: float | None = None
    bars: int | None = None
    tempo: float | None = None
    seed: int | None = None
    patch: str = ""
    sets: Sequence[str] = ()
    ats: Sequence[str] = ()
    prompt: str = ""
    take: str = ""
    progression: str = ""
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was rendered. played: (player, note) by onset, none at or after `end` (ticks); take: the recorded
    performance; patch: as it was at the end; sound_models: of its sound players; notices: a line for each player
    of a take whose bundle is not here; plan: None where the players were free."""

    played: list[Played]
    end: float
    take: Take
    patch: Patch
    metres: MetreMap
    tempo: TempoMap
    sound_models: SoundModels
    notices: tuple[str, ...] = ()
    plan: Plan | None = None

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.tempo.ns(self.end) / 1e9


def render(options: Options, open_player: OpenPlayer, say: Callable[[str], object] = lambda line: None) -> Rendering:
    """Render what the options describe. The same options, bundles and machine give the same notes.

    say: called with lines about the prompt: problems in it, its length, and the length of the rendering.
    HocketError for contradicting options, and for unknown or unusable knobs, patches, models and files.
    """
    _check(options)
    if options.take:
        performance, notices = play_again(load_take(options.take), open_player)
        return _rendering(performance, _end(performance, options, 0), notices)
    performance = Performance(_patch(options, open_player), open_player)
    start = _prepare(performance, options, say)
    events = [*_timed(performance, options.ats), *_played_along(performance, options.keys, say)]
    for tick, act in sorted(events, key=itemgetter(0)):
        if tick >= _end(performance, options, start):
            break
        _play_to(performance, tick)
        act()
    end = _end(performance, options, start)
    if options.prompt:
        say(f"rendering {timedelta(seconds=round(tempo_map(performance.take).ns(end) / 1e9))}")
    _play_to(performance, ceil(end))
    performance.stop(end)
    return _rendering(performance, end)


def replay(take: Take, open_player: OpenPlayer) -> Performance:
    """Replay a take with its models. Returns the new performance, whose `take` has the new notes.

    HocketError if an installed bundle is not the one that played the take, or wrote its plan, naming both, or if the
    take is damaged.
    """
    if problem := planner_problem(take):
        raise HocketError(f"the take cannot be played again: {problem}: install that version")
    performance = _begin(take, open_player)
    _go_on(performance, take)
    return performance


def play_again(take: Take, open_player: OpenPlayer) -> tuple[Performance, tuple[str, ...]]:
    """As `replay`, but note players whose bundles are not installed play the recorded notes, and such sound players are
    silent. Returns the performance and a line for each of them."""
    recorded = RecordedModels(take, _whole(take), open_player)
    performance = _begin(take, recorded.open)
    recorded.lines = performance.lines
    _go_on(performance, take)
    return performance, tuple(recorded.notices)


def _begin(take: Take, open_player: OpenPlayer) -> Performance:
    """The performance of a take at its beginning."""
    players = take.header.patch.players
    if len(take.header.bundles) != len(players):
        raise HocketError(
            f"the take names {len(take.header.bundles)} bundles for {len(players)} players: it is damaged"
        )
    performance = Performance(take.header.patch, open_player)
    for wanted, found in zip(take.header.bundles, performance.bundles, strict=True):
        expect_bundle(wanted, found)
    return performance


def _whole(take: Take) -> list[Entry]:
    """The entries of a take that can be replayed: if its recording broke off, those whose notes are in it, the last one
    with as many of its notes as are."""
    counts, whole = Counter(player for player, _ in take.heard()), list[Entry]()
    for entry in take.entries:
        if isinstance(entry, Input) and (there := counts[entry.player] - entry.count) < entry.count_after - entry.count:
            if there <= 0:
                continue
            live = entry.live[: max(0, there - len(entry.prompt))]
            entry = msgspec.structs.replace(entry, prompt=entry.prompt[:there], live=live)
        whole.append(entry)
    return whole


def _go_on(performance: Performance, take: Take) -> None:
    """Apply all entries and notes of a take to a performance."""
    for entry in _whole(take):
        match entry:
            case Input():
                performance.play(entry.player, entry.count)
                line = performance.line(entry.player)
                if line and isinstance(line.player, RecordedPlayer):
                    entry = msgspec.structs.replace(entry, anchors=None, laid=None)  # a stand-in has neither
                performance.apply(entry)
            case Released() | Revoked() | Keyboard():
                performance.take.entries.append(entry)
            case Turn():
                player, knob = split_name(entry.knob)
                performance.set(knob, entry.value, player, entry.tick)
            case Joined():
                performance.join(entry)
            case Left():
                performance.leave(entry.player, entry.tick)
            case Stopped():
                performance.stop(entry.tick)
    for player, count in Counter(player for player, _ in take.heard()).items():
        performance.play(player, count)


def differences(take: Take, open_player: OpenPlayer) -> list[str]:
    """Replay a take and compare. Returns a line for each player whose notes differ from the recorded ones."""
    again = replay(take, open_player).take
    found = []
    for player in range(len(take.header.bundles)):
        heard, played = ([note for number, note in each.heard() if number == player] for each in (take, again))
        if heard != played:
            i = next(i for i, (a, b) in enumerate(zip(heard, played, strict=True)) if a != b)
            found.append(f"player {player}, note {i} of {len(heard)}: heard {heard[i]}, rendered {played[i]}")
    return found


def tempo_map(take: Take) -> TempoMap:
    """The tempo map of a take: ticks to nanoseconds, from 0."""
    tempo = TempoMap.start(float(take.header.patch.knobs["tempo"]))
    for entry in take.entries:
        if isinstance(entry, Turn) and split_name(entry.knob) == (INSTRUMENT, "tempo"):
            tempo = tempo.changed(entry.tick, float(entry.value))
    return tempo


def _check(options: Options) -> None:
    if options.seconds is not None and not 0 < options.seconds <= MAX_SECONDS:
        raise HocketError(f"--seconds {options.seconds:g} is not possible: give more than 0, up to {MAX_SECONDS:g}")
    if options.bars is not None and not 1 <= options.bars <= MAX_BARS:
        raise HocketError(f"--bars {options.bars} is not possible: give 1 to {MAX_BARS}")
    if options.take:
        given = {
            "--model": options.model,
            "--patch": options.patch,
            "--prompt": options.prompt,
            "--set": options.sets,
            "--at": options.ats,
            "--tempo": options.tempo is not None,
            "--seed": options.seed is not None,
            "--progression": options.progression,
            "--keys": options.keys,
        }
        for name in (name for name, value in given.items() if value):
            raise HocketError(f"{name} cannot be given with --take, which already sets it: leave it out")


def _patch(options: Options, open_player: OpenPlayer) -> Patch:
    patch = _patch_of_model(options, open_player)
    if options.progression:
        check_text(options.progression)
        patch = replace(patch, progression=options.progression, knobs=patch.knobs | {"plan": TYPED})
    return patch


def _patch_of_model(options: Options, open_player: OpenPlayer) -> Patch:
    """A voice has no notes of its own: it plays those of a prompt, or of the band of the patch."""
    if options.model and not options.prompt and kind(open_player(options.model)[1]) == VOICE:
        return with_voice(load_patch(options.patch or DEFAULT), options.model)
    if options.model and not options.patch:
        return Patch(players=(PlayerPatch(options.model),))
    patch = load_patch(options.patch or DEFAULT)
    if not options.model:
        return patch
    first = patch.players[0] if patch.players else PlayerPatch(options.model)
    if first.model != options.model:
        first = PlayerPatch(options.model, first.knobs)
    return replace(patch, players=(first, *patch.players[1:]))


def _prepare(performance: Performance, options: Options, say: Callable[[str], object]) -> int:
    """Set knobs and prompt before the beginning. Returns the tick from which the models play."""
    piece = read_midi(options.prompt, warn=say) if options.prompt else None
    if piece:
        low, high = TEMPO_RANGE
        performance.set("tempo", min(max(piece.tempos[0][1], low), high), INSTRUMENT)
        metre = f"{piece.metres[0].numerator}/{piece.metres[0].denominator}" if piece.metres else ""
        if metre in METRES:
            performance.set("metre", metre, INSTRUMENT)
    if options.tempo is not None:
        performance.set("tempo", options.tempo, INSTRUMENT)
    if options.seed is not None:
        performance.set("seed", options.seed, INSTRUMENT)
    for text in options.sets:
        player, knob, value = parse_setting(text)
        performance.set(knob, value, player)
    if piece is None:
        return 0
    if not performance.bundles:
        raise HocketError(f"there is no player to continue {options.prompt}: give a --model")
    _check_prompt(performance, piece, options.prompt, say)
    notes = piece.as_notes()
    if performance.lines:
        performance.prompt(notes, performance.lines[0].number)
        return performance.lines[0].known
    if VOICE not in performance.kinds:
        raise HocketError(f"there is no player for {options.prompt}: give a --model that plays notes, or a voice")
    performance.prompt(notes)
    return 0


def _check_prompt(performance: Performance, piece: Piece, path: str, say: Callable[[str], object]) -> None:
    """Say how long a prompt is. HocketError for one that is too long, before anything is rendered."""
    seconds = tempo_map(performance.take).ns(int((piece.notes[:, 0] + piece.notes[:, 3]).max())) / 1e9
    if seconds > MAX_PROMPT_S:
        most = timedelta(seconds=MAX_PROMPT_S)
        raise HocketError(f"{path} lasts {timedelta(seconds=round(seconds))}: a prompt may last {most}; cut it")
    say(f"{path} lasts {timedelta(seconds=round(seconds))}")


def _timed(performance: Performance, ats: Sequence[str]) -> list[tuple[int, Callable[[], object]]]:
    """(tick, what happens there) of everything that is done while it plays, all checked."""
    events: list[tuple[int, Callable[[], object]]] = []
    for text in ats:
        beat, what = parse_timed(text)
        if what.startswith(CHORD):
            symbol = what.removeprefix(CHORD)
            read_lead(symbol)
            act: Callable[[], object] = partial(performance.lead, symbol)
        elif what.startswith(REMAKE):
            act = partial(performance.remaking.begin, *read_bar(what.removeprefix(REMAKE)))
        elif what in BUTTON_ACTIONS:
            act = partial(BUTTON_ACTIONS[what], performance)
        elif what.startswith(FORM):
            check_action(what.removeprefix(FORM))
        else:
            player, knob, value = parse_setting(what)
            info = performance.table.find(knob, player)
            act = partial(ask_for, performance, info, checked(info, value))
        events.append((round(beat * TICKS_PER_BEAT), act))
    return events


def _played_along(
    performance: Performance, path: str, say: Callable[[str], object]
) -> list[tuple[int, Callable[[], object]]]:
    """(tick, what is played there) of a MIDI file that a person plays along."""
    if not path:
        return []
    person = PlayingAlong(performance)
    messages = keyboard_messages(read_midi(path, warn=say).as_notes())
    return [(tick, partial(person.listen, tick, each)) for tick, each in messages]


def _end(performance: Performance, options: Options, start: int) -> float:
    """The tick at which the rendering ends, with the present tempo and metre."""
    tempo, metres = tempo_map(performance.take), performance.metres
    ends = []
    if options.bars is not None:
        ends.append(float(metres.start_of(metres.locate(start).bar + options.bars)))
    if options.seconds is not None:
        ends.append(tempo.tick(tempo.ns(start) + options.seconds * 1e9))
    last = max((note.tick + note.duration for _, note in performance.take.sounded()), default=0)
    if options.take:
        stopped = performance.take.stopped
        ends.append(last if stopped is None else stopped)
    elif options.prompt and not performance.lines:  # no model continues it
        ends.append(tempo.tick(tempo.ns(last) + RINGING_S * 1e9))
    return min(ends) if ends else tempo.tick(tempo.ns(start) + DEFAULT_SECONDS * 1e9)


def _play_to(performance: Performance, tick: int) -> None:
    """Plan and commit up to a tick, with stops where changes take effect."""
    while performance.remaking.step():
        pass
    before: tuple[int, int | None] | None = None
    while performance.floor < tick and before != (performance.floor, performance.next_stop):  # else the music has ended
        before = performance.floor, performance.next_stop
        until = min(tick, performance.next_stop or tick)
        while performance.extend(until):
            pass
        performance.advance(until - EARLIEST)


def _rendering(performance: Performance, end: float, notices: tuple[str, ...] = ()) -> Rendering:
    sounded = performance.take.sounded()
    played = [(player, note) for player, note in sounded if note.tick + note.micro / MICRO_STEPS < end]
    played.sort(key=lambda each: each[1].order)
    return Rendering(
        played,
        end,
        performance.take,
        performance.current_patch(),
        performance.metres,
        tempo_map(performance.take),
        performance.sound_models,
        notices,
        performance.written_plan,
    )
