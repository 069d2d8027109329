"""A scripted person who plays with a band for minutes: phrases and chords by rule, and what is measured of the band."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from instrument.engine.offline.render import differences
from instrument.models.catalog import open_player
from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS
from tests.engine.performance.acts.test_company import BAR, BEAT, MINUTE, TEMPO, Key, Stage, band, phrase

STEP = BEAT // 4
TURN = 4  # bars: a phrase of two and what the band makes of it
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MIDDLE = 60
RHYTHMS = (  # sixteenths of a bar at which notes begin
    (0, 4, 8, 12), (0, 2, 4, 8, 10, 12), (0, 6, 8, 14), (2, 4, 6, 10, 12), (0, 3, 6, 8, 11, 14), (0, 8, 12, 14),
    (4, 6, 8, 12), (0, 2, 3, 4, 8, 10, 11, 12), (0, 6, 12), (0, 4, 6, 10, 12, 14),
)  # fmt: skip
CHORDS = ((60, 64, 67, 72), (62, 65, 69, 74), (65, 69, 72, 77), (67, 71, 74, 79), (57, 64, 69, 72), (64, 67, 71, 76))


class Heard(NamedTuple):
    """What was heard of the band beside a person. own: its notes as they sounded, without the person's; keys: theirs;
    starts: where their phrases begin."""

    own: list[Note]
    keys: list[Key]
    starts: list[int]

    def melody(self, start: float, end: float) -> list[Note]:
        """The notes of the lead that begin there."""
        return [note for note in self.own if note.part == Part.MELODY and start <= note.tick < end]

    def sounds_on(self, start: int, end: int) -> int:
        """Ticks from `start` until the lead is silent, at most up to `end`."""
        ends = [note.tick + note.duration for note in self.own if note.part == Part.MELODY and note.tick < end]
        return max(0, min(end, max(ends, default=start)) - start)


def tune(chance: random.Random, legato: bool = False) -> list[tuple[int, int, int]]:
    """(sixteenth, length in sixteenths, pitch) of a phrase of two bars: a walk on a scale in a rhythm by chance.
    legato: no rest, which would end a question."""
    onsets = [at + 16 * bar for bar in (0, 1) for at in chance.choice(RHYTHMS)]
    step, way, notes = chance.randrange(7), chance.choice((-1, 1)), []
    for number, at in enumerate(onsets):
        following = onsets[number + 1] if number + 1 < len(onsets) else 31
        notes.append(
            (at, max(1, min(16 if legato else 4, following - at)), MIDDLE + 12 * (step // 7) + MAJOR[step % 7])
        )
        way = -way if chance.random() < 0.25 or not 0 <= step + 2 * way < 13 else way
        step += way * chance.choice((1, 1, 2))
    return notes


def phrases(bars: int, seed: int, interrupts: bool = False, legato: bool = False) -> tuple[list[int], list[Key]]:
    """Where phrases begin, every four bars, and their keys. interrupts: every third comes half a bar early, while the
    band has its turn, and is as much shorter."""
    chance, starts, keys = random.Random(seed), list[int](), list[Key]()
    for number, bar in enumerate(range(1, bars - TURN, TURN)):
        early = 8 if interrupts and number and number % 3 == 0 else 0  # sixteenths
        starts.append(bar * BAR - 6 * early)
        keys += phrase(starts[-1], [note for note in tune(chance, legato) if note[0] + note[1] < 32 - early])
    return starts, keys


def chords(bars: int, seed: int) -> list[Key]:
    """A chord a bar, held for most of it."""
    chance = random.Random(seed)
    return [(bar * BAR, bar * BAR + 80, pitch) for bar in range(1, bars) for pitch in chance.choice(CHORDS)]


def play(genre: str, bars: int, keys: Sequence[Key], starts: Sequence[int] = (), **knobs: object) -> Heard:
    """Let the person play with the band of a genre. Fails if the take is not rendered as it was heard."""
    stage = Stage(band(genre, **knobs), list(keys))
    stage.until(bars * BAR)
    stage.performance.stop(stage.performance.floor)
    assert not differences(stage.performance.take, open_player)
    theirs = {(at, pitch) for at, _, pitch in keys}
    own = [note for _, note in stage.performance.take.sounded() if (note.tick, note.pitch) not in theirs]
    return Heard(own, list(keys), list(starts))


Pair = tuple[list[Note], list[Note]]  # question and answer, each from the start of the bar in which it begins


class Conversation(NamedTuple):
    """Questions with their answers, ms from the declared end of each to its first note, and beats that the lead sounds
    on as a question begins."""

    pairs: list[Pair]
    late: list[float]
    yields: list[float]


def conversation(genre: str, bars: int, question: str, seed: int = 1) -> Conversation:
    """Questions of two bars, which end as the knob "question" says, and their answers."""
    starts, keys = phrases(bars, seed, interrupts=True, legato=question == "silence")
    heard = play(genre, bars, keys, starts, mode="answer", question=question)
    pairs, late, yields = [], [], []
    for start, after in zip(starts, (*starts[1:], bars * BAR), strict=True):
        asked = [Note(at, 0, pitch, to - at, 90, 0) for at, to, pitch in keys if start <= at < start + 2 * BAR]
        last = max(note.tick + note.duration for note in asked)
        bar = asked[0].tick // BAR
        end = last + BEAT if question == "silence" else (bar + 2) * BAR
        yields.append(heard.sounds_on(asked[0].tick, end) / BEAT)
        answer = heard.melody(end - 1, min(after, end + 2 * BAR))
        assert answer, f"no answer to the question at tick {start}"
        late.append((answer[0].tick + answer[0].micro / MICRO_STEPS - end) * MINUTE / TEMPO / BEAT)
        pairs.append((_from_bar(asked), _from_bar(answer)))
    return Conversation(pairs, late, yields)


def _from_bar(notes: list[Note]) -> list[Note]:
    """The notes, with ticks from the start of the bar of the first."""
    start = notes[0].tick - (notes[0].tick + 1) % BAR + 1  # microtiming may bring it forward
    return [note._replace(tick=note.tick - start) for note in notes]


def rhythm(question: list[Note], answer: list[Note]) -> float:
    """F1 of the onsets on sixteenths, of the two bars of the question, from the first one of the answer on. Swing and
    microtiming delay by less than a sixteenth."""
    asked, answered = (
        {(each.tick + 1) // STEP for each in notes if each.tick < 2 * BAR} for notes in (question, answer)
    )
    asked = {at for at in asked if at >= min(answered)}
    return 2 * len(asked & answered) / (len(asked) + len(answered))


def contour(question: list[Note], answer: list[Note]) -> float:
    """Correlation of the pitches as they sound over the two bars of the question, from the first note of the answer on;
    0 where one stays on a pitch."""
    at = np.arange(max(answer[0].tick, question[0].tick), 2 * BAR, STEP) + 1 + STEP // 2
    lines = []
    for notes in (question, answer):
        place = np.searchsorted([note.tick for note in notes], at, side="right") - 1
        lines.append(np.array([note.pitch for note in notes], float)[place])
    return 0.0 if min(line.std() for line in lines) == 0 else float(np.corrcoef(lines)[0, 1])


def likeness(
    pairs: Sequence[Pair], alike: Callable[[list[Note], list[Note]], float], seed: int = 1
) -> tuple[float, float, float]:
    """The mean likeness of answers to their questions, to those of pairs shuffled a thousand times, and the share of
    shuffles that are as alike."""
    table = np.array([[alike(question, answer) for question, _ in pairs] for _, answer in pairs])
    own, chance = float(np.mean(np.diag(table))), np.random.default_rng(seed)
    rows = np.arange(len(pairs))
    shuffled = [float(np.mean(table[rows, chance.permutation(len(pairs))])) for _ in range(1000)]
    return own, float(np.mean(shuffled)), float(np.mean(np.array(shuffled) >= own))


def over_register(genre: str, bars: int, seed: int = 2) -> tuple[int, int]:
    """Beside chords that lead a band which accompanies: its notes within the person's register of the last two bars,
    and all, from a beat after the first chord on."""
    keys = chords(bars, seed)
    heard = play(genre, bars, keys, mode="accompany")
    notes = [note for note in heard.own if note.part != Part.DRUMS and note.tick >= BAR + BEAT]
    over = 0
    for note in notes:
        recent = [pitch for at, _, pitch in keys if note.tick - 2 * BAR < at <= note.tick - BEAT]
        over += min(recent, default=128) <= note.pitch <= max(recent, default=-1)
    return over, len(notes)


def duet(genre: str, bars: int, seed: int = 3) -> tuple[list[float], list[float]]:
    """Beats that the lead sounds on as the person begins, and beats from their end (a beat of silence) until it goes
    on."""
    starts, keys = phrases(bars, seed)
    heard = play(genre, bars, keys, starts, mode="duet")
    yields, goes_on = [], []
    for start, after in zip(starts, (*starts[1:], bars * BAR), strict=True):
        asked = [key for key in keys if start <= key[0] < start + 2 * BAR]
        end = max(to for _, to, _ in asked) + BEAT
        yields.append(heard.sounds_on(asked[0][0], end) / BEAT)
        coming = heard.melody(end, after)
        goes_on.append((coming[0].tick - end) / BEAT if coming else float("inf"))
    return yields, goes_on


def jam(genre: str, bars: int, seed: int = 4) -> int:
    """The bars in which the band rests while it jams with a person who plays phrases."""
    starts, keys = phrases(bars, seed)
    heard = play(genre, bars, keys, starts)
    return bars - 1 - len({note.tick // BAR for note in heard.own} & set(range(bars - 1)))
