"""Ten minutes of a band that a person touches at random, in virtual time: knobs, buttons, chords, bars, keys.

Nothing may be left sounding, no player may be dead, and no silence be longer than two bars unless it was asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.midi.scheduler import Agenda, strikes
from instrument.engine.offline.render import differences, tempo_map
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS, ask_for
from instrument.engine.performance.harmony.form import BREAK, INTRO, LENGTHS
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.patches import load_patch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.transport import bar_line
from instrument.errors import HocketError
from instrument.models.catalog import open_player
from instrument.music.notes import Note, Part
from tests.support.live import play_on
from tests.trials.conftest import Keep
from tests.trials.stage import sounding

SECONDS = 600.0
BETWEEN = 60  # ticks between two touches, in the mean
MOST_SILENCE = 2  # bars that nobody asked for
SETTLED_BARS = 4  # in which all play again once every knob is back
CHORDS = ("C", "Am7", "F", "G7", "Bb", "E7", "C/E", "Ebmaj7", "")
BARS = ("Dm9 | G13", "C  F | %", "iv", "?", "")
TYPED = ("Dm7 | G7 | C", "?", "Am F | C G")

Span = tuple[float, float]


class Touched:
    """A performance that is touched. asked: ticks from and to which it was asked to be silent; refused: how often what
    a person did was not possible."""

    def __init__(self, patch: str, seed: int) -> None:
        self.performance = Performance(load_patch(patch), open_player)
        self.performance.set("seed", seed, -1)
        self.asked: list[Span] = []
        self.touches = self.refused = 0
        self.before = dict(self.performance.values)
        self._chance = random.Random(seed)
        self._agenda = Agenda()

    def play(self, ticks: int) -> None:
        """Play so many ticks on, as the outputs do."""
        start = self.performance.floor
        self._agenda.add(strikes(play_on(self.performance, ticks)))
        if all(player.resting for player in self.performance.players if player.line):
            self.asked.append((start, self.performance.floor))

    def touch(self) -> None:
        """One of all that a person may do."""
        self.touches += 1
        kinds: tuple[Callable[[], None], ...] = (*[self._turn] * 4, self._press, self._press, self._lead, self._key)
        try:
            self._chance.choice(kinds)()
        except HocketError:
            self.refused += 1
        while self.performance.remaking.step():
            pass

    def let_go(self) -> None:
        """Turn every knob back, and let go of all keys and of the chord."""
        for channel, pitch in self.performance.held.keys:
            self.performance.release(channel, pitch, self.performance.floor)
        self.performance.lead("")
        for name, value in self.before.items():
            ask_for(self.performance, self.performance.table.find(name), value)
        self.play(2 * 96)  # what waits for a bar line has come

    def _turn(self) -> None:
        info = self._chance.choice(self.performance.table.all)
        ask_for(self.performance, info, self._value(info))

    def _value(self, info: KnobInfo) -> float | str:
        if info.choices:
            return self._chance.choice(info.choices)
        return round(self._chance.random()) if info.kind == "switch" else self._chance.uniform(info.low, info.high)

    def _press(self) -> None:
        name = self._chance.choice([name for name in BUTTON_ACTIONS if name != "form/ending"])  # which asks for the end
        BUTTON_ACTIONS[name](self.performance)
        if name.removeprefix("form/") in (INTRO, BREAK):
            here = bar_line(self.performance.metres, self.performance.floor)
            bar = self.performance.metres.locate(here).bar + LENGTHS[name.removeprefix("form/")]
            self.asked.append((here, self.performance.metres.start_of(bar)))

    def _lead(self) -> None:
        act = self._chance.randrange(3)
        if act == 0:
            self.performance.lead(self._chance.choice(CHORDS))
        elif act == 1:
            self.performance.play_typed(self._chance.choice(TYPED))
        else:
            bar = self.performance.metres.locate(self.performance.floor).bar
            self.performance.write_chords(bar + self._chance.randrange(1, 9), self._chance.choice(BARS))

    def _key(self) -> None:
        held = self.performance.held.keys
        if held and self._chance.random() < 0.6:
            self.performance.release(*held[0], self.performance.floor)
            return
        pitch = self._chance.randrange(36, 96)
        note = Note(max(0, self.performance.floor - 5), 0, pitch, 12, 90, Part.MELODY)
        self.performance.listen([LiveNote(0, note)], self.performance.lines[0].number)

    def stuck(self) -> int:
        """Notes that sound after the last has ended."""
        events = self._agenda.take(float("inf"))
        return len(sounding(events)) + len(self.performance.held.keys)

    @property
    def seconds(self) -> float:
        """How long it has played."""
        return tempo_map(self.performance.take).ns(self.performance.floor) / 1e9

    def silences(self) -> list[float]:
        """The lengths in bars of the silences in which nothing was asked to be silent."""
        notes = [(note.tick, note.tick + note.duration) for _, note in self.performance.take.sounded()]
        found, metres, end = [], self.performance.metres, float(self.performance.floor)
        for start, stop in gaps([*notes, *self.asked], end):
            metre = metres.locate(int(start)).metre
            found.append((stop - start) / (metre.bar_ticks if metre else 96))
        return found


def gaps(spans: Iterable[Span], end: float) -> list[Span]:
    """What no span covers, from 0 to `end`."""
    found, reached = list[Span](), 0.0
    for start, stop in sorted(spans):
        if start > reached:
            found.append((reached, min(start, end)))
        reached = max(reached, stop)
    return [*found, (reached, end)] if reached < end else found


def test_what_no_span_covers() -> None:
    assert gaps([(0, 4), (2, 6), (9, 10)], 12) == [(6, 9), (10, 12)]
    assert gaps([], 3) == [(0.0, 3)]


@pytest.mark.trial
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("patch", ["First light", "Blue trio", "Village reel"])
def test_ten_minutes_of_random_touch(patch: str, page: Keep) -> None:
    touched = Touched(patch, 7)
    chance = random.Random(1)
    while touched.seconds < SECONDS:
        touched.play(1 + round(chance.expovariate(1 / BETWEEN)))
        touched.touch()
        assert not [player.problem for player in touched.performance.players if player.problem]
    touched.let_go()
    until = max((stop for _, stop in touched.asked), default=0.0)  # an intro that was asked for is played to its end
    touched.play(max(1, round(until) - touched.performance.floor))
    floor = touched.performance.floor
    touched.play(SETTLED_BARS * 96)
    heard = {number for number, note in touched.performance.take.heard() if note.tick >= floor}
    dead = {line.number for line in touched.performance.lines} - heard
    touched.performance.stop(touched.performance.floor)
    stuck, longest = touched.stuck(), max(touched.silences(), default=0.0)
    rendered = differences(touched.performance.take, open_player)
    page("touch", patch, {
        "touches": str(touched.touches), "refused": str(touched.refused),
        "notes": str(touched.performance.take.heard_count), "stuck": str(stuck), "dead players": str(len(dead)),
        "longest silence, bars": f"{longest:.1f}", "rendered otherwise": str(len(rendered)),
    })  # fmt: skip
    assert stuck == 0
    assert not dead
    assert longest <= MOST_SILENCE
    assert rendered == []
