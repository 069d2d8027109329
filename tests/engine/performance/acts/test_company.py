"""The band beside a scripted person: it yields, answers in time and keeps out of the way, and takes render alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from instrument import midi_spec
from instrument.engine.offline.render import differences, replay
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS
from instrument.engine.performance.acts.company import room_beside
from instrument.engine.performance.acts.live_input import LiveInput
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance, Played
from instrument.engine.performance.takes import Input
from instrument.models.catalog import open_player
from instrument.music.chords.names import parse_chord
from instrument.music.notes import Note, Part
from instrument.music.timebase import TempoMap
from tests.support.live import play_on
from tests.support.players import open_scale

BAR, BEAT, LEAD = 96, 24, 2  # LEAD: ticks by which committed notes are ahead of what is heard
AHEAD = 12  # ticks that are planned ahead of these, as each key drops what is planned
DUO = (PlayerPatch("scale", {"density": 8}), PlayerPatch("scale-2", {"density": 4}))
NS = 20_000_000  # a tick

Key = tuple[int, int, int]  # from tick, to tick, pitch


class Stage:
    """A performance with live input, in which a person plays keys while it goes on."""

    def __init__(self, performance: Performance, keys: list[Key]) -> None:
        self.performance = performance
        self.heard: list[Note] = []
        tempo = TempoMap.start(60e9 / NS / BEAT, 0, 0)
        view = SimpleNamespace(add_live=lambda note: None)
        self.cut: list[Played] = []
        self.live = LiveInput(
            SimpleNamespace(
                performance=performance, transport=SimpleNamespace(tempo=tempo), view=view, cut=self.cut.extend
            )
        )
        down = [(at, midi_spec.note_on(0, pitch, 90)) for at, _, pitch in keys]
        up = [(to, midi_spec.note_off(0, pitch)) for _, to, pitch in keys]
        self.keys = keys
        self.messages = sorted(up + down, key=lambda each: (each[0], each[1][0]))

    def until(self, tick: int) -> None:
        while self.performance.floor - LEAD < tick:
            self.heard += [note for _, note in play_on(self.performance, 1, ahead=AHEAD)]
            now = self.performance.floor - LEAD
            due = [(at * NS, message) for at, message in self.messages if at <= now]
            self.messages = self.messages[len(due) :]
            if due:
                self.live.listen(due)

    def left(self) -> list[Note]:
        """What is left to be heard of the melody, as it was cut."""
        return [note for _, note in self.performance.take.sounded() if note.part == Part.MELODY]

    def melody(self, start: int, end: int) -> list[Note]:
        return [note for note in self.heard if note.part == Part.MELODY and start <= note.tick < end]


def phrase(start: int, pattern: list[tuple[int, int, int]]) -> list[Key]:
    """Keys of (sixteenth, length in sixteenths, pitch) from a tick on."""
    return [(start + 6 * at, start + 6 * (at + length) - 1, pitch) for at, length, pitch in pattern]


def performance(**knobs) -> Performance:
    return Performance(Patch(knobs={"seed": 5, "mode": "answer"} | knobs, players=DUO), open_scale)


MOTIF = [(0, 2, 72), (2, 2, 74), (4, 4, 76), (8, 2, 74), (10, 4, 79)]


@pytest.mark.parametrize(("question", "begins"), [("silence", BAR + 84 + BEAT), ("1 bar", 2 * BAR), ("pedal", 250)])
def test_the_lead_rests_answers_and_rests_again(question, begins):
    stage = Stage(performance(question=question), phrase(BAR, MOTIF))
    stage.until(250)
    if question == "pedal":
        BUTTON_ACTIONS["answer/now"](stage.performance)
    stage.until(6 * BAR)
    answer = [note.tick for note in stage.melody(0, 6 * BAR)]
    assert abs(answer[0] - begins) <= LEAD
    assert len(answer) >= 3
    ends = begins - begins % -BAR + BAR
    assert ends - BAR < answer[-1] < ends + LEAD, "it is as long as the question"
    assert {note.part for note in stage.heard if note.tick < begins} >= {Part.CHORDS, Part.DRUMS}, "the others play"
    stage.performance.stop(stage.performance.floor)
    assert not differences(stage.performance.take, open_scale)


def test_the_lead_yields_when_it_is_interrupted():
    stage = Stage(performance(), phrase(BAR, MOTIF) + phrase(2 * BAR + 40, MOTIF))
    stage.until(4 * BAR)
    ticks = [note.tick for note in stage.melody(0, 4 * BAR)]
    assert any(tick < 2 * BAR + 40 for tick in ticks), "it had begun"
    assert not any(2 * BAR + 40 + LEAD < tick < 2 * BAR + 40 + 83 + BEAT for tick in ticks)
    assert any(tick >= 2 * BAR + 40 + 83 + BEAT for tick in ticks), "it answers the second question"


@pytest.mark.parametrize("mode", ["answer", "duet"])
def test_what_sounds_as_a_person_begins_is_cut(mode):
    asked = phrase(BAR, MOTIF)
    alone = Stage(performance(mode=mode), asked)
    alone.until(3 * BAR)
    begins = next(note for note in reversed(alone.melody(2 * BAR, 3 * BAR)) if note.duration > 2).tick + 1
    stage = Stage(performance(mode=mode), asked + phrase(begins, MOTIF))
    stage.until(4 * BAR)
    assert stage.cut, "it was playing"
    own = {(at, pitch) for at, _, pitch in stage.keys}
    band = [note for note in stage.left() if (note.tick, note.pitch) not in own]
    assert any(note.tick < begins for note in band)
    assert not any(note.tick < begins < note.tick + note.duration for note in band), "nothing sounds on"
    assert not any(begins <= note.tick < begins + LEAD for note in band), "what was committed is not heard"
    stage.performance.stop(stage.performance.floor)
    again = replay(stage.performance.take, open_scale).take
    assert sorted(again.sounded()) == sorted(stage.performance.take.sounded())


def test_in_a_duet_the_lead_makes_way_and_goes_on():
    stage = Stage(performance(mode="duet"), phrase(BAR, MOTIF))
    stage.until(4 * BAR)
    ends = BAR + 83 + BEAT
    assert stage.melody(0, BAR), "it plays by itself"
    assert not stage.melody(BAR + LEAD + 1, ends)
    assert stage.melody(ends, ends + BAR), "it goes on"
    assert {note.part for note in stage.heard if BAR + LEAD < note.tick < ends} >= {Part.CHORDS, Part.DRUMS}
    stage.performance.stop(stage.performance.floor)
    assert not differences(stage.performance.take, open_scale)


def test_after_answering_all_play_again():
    stage = Stage(performance(), [])
    stage.until(2 * BAR)
    assert not stage.melody(0, 2 * BAR)
    stage.performance.set("mode", "jam")
    stage.until(4 * BAR)
    assert stage.melody(2 * BAR, 4 * BAR)


@pytest.mark.parametrize(
    ("register", "room"), [((60, 84), (21, 55)), ((30, 50), (55, 108)), ((40, 90), (21, 35)), ((22, 100), (96, 108))]
)
def test_the_band_keeps_to_the_wider_room_beside_a_person(register, room):
    assert room_beside(*register) == room


def test_clear_chords_of_a_person_lead_the_band_that_accompanies():
    keys = [
        (BAR * bar, BAR * bar + 80, pitch)
        for bar, chord in enumerate([(60, 64, 67), (62, 65, 69, 72)], 1)
        for pitch in chord
    ]
    playing = performance(mode="accompany", plan="four-chords")
    stage = Stage(playing, keys)
    stage.until(BAR + 12)
    assert playing.plan.chord_at(2 * BAR - 1) == parse_chord("C")
    stage.until(3 * BAR)
    assert playing.plan.chord_at(3 * BAR) == parse_chord("Dm7")
    playing.set("mode", "jam")
    play_on(playing, BAR)
    assert playing.plan.chord_at(playing.floor) == performance(plan="four-chords").plan.chord_at(playing.floor)
    playing.stop(playing.floor)
    assert not differences(playing.take, open_scale)


def test_random_playing_in_all_modes_is_rendered_as_it_was_heard():
    chance = random.Random(2)
    keys = [(tick, tick + chance.randrange(3, 40), chance.randrange(50, 90)) for tick in range(10, 60 * BAR, 37)]
    stage = Stage(performance(), [key for key in keys if chance.random() < 0.5])
    for bar in range(3, 60, 3):
        stage.until(bar * BAR)
        knob = chance.choice(("mode", "question", "silence"))
        choices = {"mode": ("jam", "answer", "accompany", "duet"), "question": ("silence", "1 bar", "2 bars")}
        stage.performance.set(knob, chance.choice(choices.get(knob, (0.5, 2))))
    stage.performance.stop(stage.performance.floor)
    assert sum(isinstance(entry, Input) and entry.manner is not None for entry in stage.performance.take.entries) > 10
    assert not differences(stage.performance.take, open_scale)


# --- a minute in a genre, with the model that ships

QUESTIONS = (
    [(0, 2, 0), (2, 2, 2), (4, 4, 4), (8, 2, 2), (10, 4, 4), (14, 2, 7), (16, 6, 9)],
    [(0, 4, 12), (4, 4, 9), (8, 4, 7), (12, 4, 4), (16, 4, 2), (20, 6, 0)],
    [(0, 1, 7), (1, 1, 7), (2, 4, 7), (8, 1, 9), (9, 1, 9), (10, 4, 9), (16, 6, 12)],
    [(2, 2, 4), (6, 2, 4), (10, 2, 7), (14, 2, 4), (18, 2, 2), (22, 4, 0)],
    [(0, 8, 0), (8, 8, 7), (16, 8, 12)],
    [(0, 3, 12), (3, 3, 11), (6, 2, 9), (8, 3, 11), (11, 3, 9), (14, 2, 7), (16, 6, 4)],
)
MINUTE = 60_000  # ms
TEMPO = 100


def band(genre: str, **knobs) -> Performance:
    values = {"genre": genre, "temperature": 0.9}
    patch = Patch(
        knobs={"seed": 4, "tempo": TEMPO, "scale": "major"} | knobs, players=(PlayerPatch("lstm-band", values),)
    )
    return Performance(patch, open_player)


def rhythm_likeness(a: list[Note], b: list[Note]) -> float:
    """F1 of the onsets on sixteenths, from the first one on."""
    one, other = ({round((note.tick - notes[0].tick) / 6) for note in notes} for notes in (a, b))
    return 2 * len(one & other) / (len(one) + len(other))


def contour_likeness(a: list[Note], b: list[Note]) -> float:
    """Correlation of the pitches as they sound over two bars, 0 where one stays on a pitch."""
    lines = []
    for notes in (a, b):
        ticks = [note.tick - notes[0].tick for note in notes]
        at = np.searchsorted(ticks, np.arange(0, 2 * BAR, 6), side="right") - 1
        lines.append(np.array([note.pitch for note in notes], float)[at])
    return 0.0 if min(line.std() for line in lines) == 0 else float(np.corrcoef(lines)[0, 1])


Pair = tuple[list[Note], list[Note], int]  # question, answer, ticks from the end of one to the other


def conversation(genre: str, bars: int = 25, verify: bool = True) -> list[Pair]:
    """Questions of two bars and their answers. The lead yields within a beat of each question."""
    starts, keys, pairs = range(BAR, (bars - 4) * BAR, 4 * BAR), list[Key](), list[Pair]()
    for number, start in enumerate(starts):
        asked = QUESTIONS[number % len(QUESTIONS)]
        keys += phrase(start, [(at, length, 60 + step) for at, length, step in asked])
    stage = Stage(band(genre, mode="answer", question="2 bars"), keys)
    stage.until(bars * BAR)
    for start in starts:
        question = [Note(at, 0, pitch, to - at, 90, 0) for at, to, pitch in keys if start <= at < start + 2 * BAR]
        assert not stage.melody(question[0].tick + BEAT, start + 2 * BAR), "it yields within a beat"
        answer = stage.melody(start + 2 * BAR, start + 4 * BAR)
        assert answer
        pairs.append((question, answer, answer[0].tick - (start + 2 * BAR)))
    stage.performance.stop(stage.performance.floor)
    if verify:
        assert not differences(stage.performance.take, open_player)
    return pairs


def likeness(pairs: list[Pair], alike: Callable[[list[Note], list[Note]], float]) -> tuple[float, float]:
    """The mean likeness of answers to their questions, and to the other questions."""
    own = [alike(question, answer) for question, answer, _ in pairs]
    others = [
        alike(question, answer)
        for number, (_, answer, _) in enumerate(pairs)
        for other, (question, _, _) in enumerate(pairs)
        if number % len(QUESTIONS) != other % len(QUESTIONS)
    ]
    return float(np.mean(own)), float(np.mean(others))


@pytest.fixture(scope="module")
def conversations() -> list[Pair]:
    """A minute each in three genres."""
    return [pair for genre in ("pop", "jazz", "folk") for pair in conversation(genre)]


def test_answers_come_in_time(conversations):
    late = [ticks for _, _, ticks in conversations]
    assert np.percentile(late, 95) * MINUTE / TEMPO / BEAT <= 60


def test_answers_are_like_their_questions_rather_than_like_others(conversations):
    for what, alike in (("rhythm", rhythm_likeness), ("contour", contour_likeness)):
        own, others = likeness(conversations, alike)
        print(f"{what}: {own:.2f} to its question, {others:.2f} to others")
        assert own > others + 0.05


@pytest.mark.parametrize("genre", ["pop", "jazz", "folk"])
def test_a_band_that_accompanies_keeps_out_of_the_register_of_a_person(genre):
    keys: list[Key] = []
    for bar in range(1, 11):
        chord = ((60, 64, 67, 72), (62, 65, 69, 74), (65, 69, 72, 77), (67, 71, 74, 79))[bar % 4]
        keys += [(bar * BAR, bar * BAR + 70, pitch) for pitch in chord]
    stage = Stage(band(genre, mode="accompany"), keys)
    stage.until(12 * BAR)
    pitched = [note for note in stage.heard if note.part != Part.DRUMS and note.tick >= BAR + BEAT]
    own = {(at, pitch) for at, _, pitch in keys}
    band_notes = [note for note in pitched if (note.tick, note.pitch) not in own]
    assert len(band_notes) > 50
    assert not [note for note in band_notes if 60 <= note.pitch <= 79]
    assert not differences(stage.performance.take, open_player)
