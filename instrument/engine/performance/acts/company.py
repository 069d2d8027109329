"""The band beside a person who plays.

jam: all play. answer: the lead rests while the person plays, and answers when their phrase has ended, for as long as it
was. accompany: the lead rests, the chords that the person plays lead the band, and it keeps out of their register.
duet: the lead rests while the person plays, and goes on when they stop. What it plays as a person begins is cut.

Everything that follows from this for a player is an input with its `Manner`, so a take is rendered without a person.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, Protocol

from instrument.engine.ipc.messages import Value
from instrument.engine.performance.acts.cutting import Cutting
from instrument.engine.performance.harmony.leading import ACCOMPANY
from instrument.engine.performance.knobs import ANSWER, DUET, JAM, PEDAL, SILENCE
from instrument.engine.performance.live_notes import HeldNotes
from instrument.engine.performance.player_state import PlayerState
from instrument.engine.performance.takes import FREELY, Manner
from instrument.engine.performance.transport import bar_line
from instrument.music.notes import Note, Part
from instrument.music.timebase import MICRO_STEPS, TICKS_PER_BEAT, MetreMap

MOST_BARS = 8  # of an answer
REGISTER_BARS = 4  # over which the register of a person is taken
NEAREST = 5  # semitones between the person and the band
ROOM = 12  # least semitones that the band keeps
UNHEARD = (60, 84)  # the register of a person who has not played yet
LOWEST, HIGHEST = 21, 108  # of the band, beside a person


class Beside(Protocol):
    """What is needed of a performance."""

    metres: MetreMap
    players: list[PlayerState]
    held: HeldNotes
    cutting: Cutting

    @property
    def floor(self) -> int:
        """The tick before which everything has been committed."""
        ...

    @property
    def instrument(self) -> Mapping[str, Value]:
        """The knobs of the instrument, by id."""
        ...

    def lead(self, symbol: str) -> None:
        """Follow a chord, "": that of the plan."""
        ...

    def put(self, number: int, **what: Any) -> None:
        """Apply an input to a player."""
        ...


class Company:
    """What the person has played, and whose turn it is. tick: where something changes without the person, None:
    nowhere."""

    def __init__(self, performance: Beside) -> None:
        self._performance = performance
        self._mode = JAM
        self._asked: int | None = None  # when the question began
        self._last = 0  # when the person last played, or let go of a key
        self._until: int | None = None  # when the answer ends
        self._played: deque[tuple[int, int]] = deque()  # (tick, pitch)
        self._register = UNHEARD

    @property
    def listener(self) -> int:
        """The player that hears the person: that which answers, or plays the other part of the duet, else the first."""
        leads = self._leads()
        return leads[0] if leads and self._performance.instrument["mode"] in (ANSWER, DUET) else 0

    @property
    def lead(self) -> str:
        """What the lead does beside the person, as `Manner.melody`."""
        leads = self._leads()
        return self._performance.players[leads[0]].manner.melody if leads else FREELY.melody

    @property
    def tick(self) -> int | None:
        """Where the question, the answer or what the person plays in a duet ends, None if that is not known."""
        if self._mode not in (ANSWER, DUET):
            return None
        if self._until is not None:
            return self._until
        if self._asked is None:
            return None
        question = str(self._performance.instrument["question"]) if self._mode == ANSWER else SILENCE
        if question == PEDAL:
            return None
        if question != SILENCE:
            metres = self._performance.metres
            return metres.start_of(metres.locate(self._asked).bar + int(question.split()[0]))
        if self._performance.held.keys:
            return None
        return self._last + ceil(float(self._performance.instrument["silence"]) * TICKS_PER_BEAT)

    def struck(self, notes: Iterable[Note]) -> None:
        """The person has begun notes."""
        for note in notes:
            self._last = max(self._last, note.tick)
            if note.part != Part.DRUMS:
                self._played.append((note.tick, note.pitch))
            if self._mode in (ANSWER, DUET) and (self._asked is None or self._until is not None):
                self._performance.cutting.cut(self._leads(), note.tick + note.micro / MICRO_STEPS)
                self._rest()
            if self._asked is None:
                self._asked = note.tick
        if self._mode == ACCOMPANY:
            self._keep_out()

    def released(self, tick: float) -> None:
        """The person has let go of a key."""
        self._last = max(self._last, ceil(tick))

    def end_question(self) -> None:
        """The question ends here, if there is one."""
        if self._mode == ANSWER and self._asked is not None and self._until is None:
            self._answer(self._performance.floor)

    def update(self) -> None:
        """Go on to the present floor."""
        mode = str(self._performance.instrument["mode"])
        if mode != self._mode:
            self._enter(mode)
        while (tick := self.tick) is not None and tick <= self._performance.floor:
            if self._mode == DUET:
                self._asked = None
                self._tell(self._leads(), FREELY)
            elif self._until is not None:
                self._rest()
            else:
                self._answer(tick)
        if self._mode == ACCOMPANY:
            self._forget()

    def _enter(self, mode: str) -> None:
        if self._mode == ACCOMPANY:
            self._performance.lead("")
        self._mode, self._asked, self._until, self._register = mode, None, None, UNHEARD
        if mode in (JAM, DUET):
            self._tell(range(len(self._performance.players)), FREELY)
        elif mode == ANSWER:
            self._rest()
        else:
            self._keep_out(anew=True)

    def _rest(self) -> None:
        """The lead rests until it is asked something, or the person stops."""
        self._asked = self._until = None
        self._tell(self._leads(), Manner(melody="rests"))

    def _answer(self, tick: int) -> None:
        """The first of those with a melody answers, from the floor on."""
        assert self._asked is not None
        metres, floor = self._performance.metres, self._performance.floor
        bar, bars = metres.locate(floor).bar, 1
        ended = self._last if self._performance.instrument["question"] in (SILENCE, PEDAL) else tick
        while bars < MOST_BARS and metres.start_of(bar + bars) - metres.start_of(bar) < ended - self._asked:
            bars += 1
        self._until = bar_line(metres, floor + metres.start_of(bar + bars) - metres.start_of(bar))
        lag = max(1, bar - metres.locate(self._asked).bar)
        self._tell(self._leads()[:1], Manner(melody="answers", lag=lag))

    def _forget(self) -> None:
        """Forget what was played long ago, and with it the register that it took."""
        metres = self._performance.metres
        since = metres.start_of(max(0, metres.locate(self._performance.floor).bar - REGISTER_BARS))
        if self._played and self._played[0][0] < since:
            while self._played and self._played[0][0] < since:
                self._played.popleft()
            self._keep_out()

    def _keep_out(self, anew: bool = False) -> None:
        """Keep the band out of the register of the person, where it has changed."""
        pitches = [pitch for _, pitch in self._played]
        register = (min(pitches), max(pitches)) if pitches else self._register
        if register == self._register and not anew:
            return
        self._register = register
        low, high = room_beside(*register)
        for number, player in enumerate(self._performance.players):
            manner = Manner("rests", 0, low, high)
            if player.line and player.manner != manner:
                self._performance.put(number, manner=manner)

    def _tell(self, players: Iterable[int], manner: Manner) -> None:
        for number in players:
            player = self._performance.players[number]
            if player.line and (player.manner != manner or manner.melody == "answers"):
                self._performance.put(number, manner=manner)

    def _leads(self) -> list[int]:
        """The players that can play a melody."""
        return [
            number
            for number, player in enumerate(self._performance.players)
            if player.line and Part.MELODY in player.parts & (set(player.bundle.parts) or set(Part))
        ]


def room_beside(low: int, high: int) -> tuple[int, int]:
    """The lowest and highest pitch of a band beside a person who plays from `low` to `high`: the wider of what is below
    and above, an octave at least."""
    below, above = low - NEAREST - LOWEST, HIGHEST - high - NEAREST
    if below >= above:
        return LOWEST, max(LOWEST + ROOM, low - NEAREST)
    return min(HIGHEST - ROOM, high + NEAREST), HIGHEST
