"""Ten thousand random commands to a performance in virtual time: a left hand, keys, modes, remade bars, form, models.
No note is stuck, no player dead, nothing silent that was not asked to be, and every take renders as it was heard."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress

import pytest

from instrument.engine.midi.scheduler import Agenda, strikes
from instrument.engine.offline.playing_along import PlayingAlong
from instrument.engine.offline.render import differences
from instrument.engine.performance.acts.asking import BUTTON_ACTIONS, ask_for
from instrument.engine.performance.knobs import INSTRUMENT
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance, Played
from instrument.errors import HocketError
from instrument.midi_spec import note_off, note_on, parse
from instrument.music.notes import Part
from tests.support.live import play_on
from tests.support.players import open_scale
from tests.trials.conftest import Keep

COMMANDS, BETWEEN = 10_000, 500  # commands, and after how many the band must play
BAR, STEP = 96, 6
CALM = {
    "mode": "jam", "lead": "off", "plan": "free", "loop": 0, "low": 0, "high": 127, "key": "C", "scale": "chromatic",
    "changes": "now", "mutes": "now", "metre": "4/4", **{part.name.lower(): "auto" for part in Part},
}  # fmt: skip
CALM_PLAYER = {"mute": 0, "solo": 0, "freeze": 0, "density": 4}
TRIO = tuple(PlayerPatch(model, {"density": 4}) for model in ("scale", "scale-2", "scale"))
CHORDS = ("Dm9", "G13", "Am7", "C/E", "", "X?")
ROOM = frozenset(("count_in", "follow", "start", "metronome", "clock_out"))


class Room:
    """A performance, a person at its keyboard, and what is sent of it."""

    def __init__(self, seed: int) -> None:
        self.chance, self.counts = random.Random(seed), Counter[str]()
        self.begin(Patch(knobs={"seed": float(seed)}, players=TRIO))

    def begin(self, patch: Patch) -> None:
        """Begin another performance."""
        self.performance = Performance(patch, open_scale)
        self.agenda, self.sounding = Agenda(), Counter[tuple[int, int]]()
        self.person = PlayingAlong(self.performance)
        self.person.cut = lambda played: self.send((0.0, each) for each in self.agenda.cut(strikes(played)))
        self.down: set[int] = set()

    def send(self, messages) -> None:
        """Keep count of what sounds."""
        for _, message in messages:
            parsed = parse(message)
            key = parsed.channel, parsed.first
            self.sounding[key] += 1 if parsed.starts else -1
            assert 0 <= self.sounding[key] <= 1, f"{key} is struck twice, or released without being struck"

    def play(self, ticks: int) -> list[Played]:
        """Play on, and send what is due."""
        played = play_on(self.performance, ticks, ahead=12)
        self.agenda.add(strikes(played))
        self.send(self.agenda.take(self.performance.floor - 2))
        return played

    def key(self, key: int, down: bool) -> None:
        """Press or release a key."""
        (self.down.add if down else self.down.discard)(key)
        self.person.listen(self.performance.floor - 2, [note_on(0, key, 90) if down else note_off(0, key)])

    def command(self) -> None:
        """One of everything that a person may do."""
        chance, performance = self.chance, self.performance
        kind = chance.choice(
            ("turn", "turn", "turn", "button", "key", "key", "key", "lead", "remake", "model", "typed")
        )
        self.counts[kind] += 1
        if kind == "turn":
            info = chance.choice([each for each in performance.table.all if each.id not in ROOM])
            value = chance.choice(info.choices) if info.choices else chance.uniform(info.low, info.high)
            ask_for(performance, info, value if info.kind != "switch" else round(chance.random()))
        elif kind == "button":
            name = chance.choice([name for name in BUTTON_ACTIONS if name != "form/ending" or chance.random() < 0.1])
            BUTTON_ACTIONS[name](performance)
        elif kind == "key":
            key = chance.choice((*range(40, 84), *self.down, *self.down))
            self.key(key, key not in self.down)
        elif kind == "lead":
            performance.lead(chance.choice(CHORDS))
        elif kind == "remake":
            performance.remaking.begin(chance.randrange(-1, 4), performance.floor // BAR + chance.randrange(-1, 20))
        elif kind == "model":
            performance.load(chance.choice(("scale", "scale-2", "none")), chance.randrange(3), waits=True)
        else:
            performance.play_typed(chance.choice(("Dm7 | G7 | C", "Am F C G", "H | ?")))
        for _ in range(chance.choice((0, 0, 40))):
            performance.remaking.step()

    def calm(self) -> None:
        """Ask for nothing any more, and play on: every player plays."""
        for key in sorted(self.down):
            self.key(key, down=False)
        assert not self.performance.held.keys, "no key is stuck"
        for knob, value in CALM.items():
            self.performance.set(knob, value, INSTRUMENT)
        for player in range(len(TRIO)):
            for knob, value in CALM_PLAYER.items():
                with suppress(HocketError):  # not every model has it
                    self.performance.set(knob, value, player)
        BUTTON_ACTIONS["chord/release"](self.performance)
        self.play(6 * BAR)  # what a person did to the form has passed
        heard = Counter(player for player, _ in self.play(8 * BAR))
        assert set(heard) == set(range(len(TRIO))), f"silent: {set(range(len(TRIO))) - set(heard)}"
        assert not [player.problem for player in self.performance.players if player.problem]

    def end(self) -> None:
        """Stop: nothing sounds on, and the take renders as it was heard."""
        self.performance.stop(self.performance.floor)
        self.send((0.0, each) for each in self.agenda.silence())
        assert not +self.sounding, "no note is stuck"
        assert not differences(self.performance.take, open_scale)


@pytest.mark.trial
@pytest.mark.timeout(3600)
def test_ten_thousand_commands_leave_nothing_stuck_dead_or_silent(page: Keep) -> None:
    room, refused, begun = Room(1), 0, 1
    for number in range(1, COMMANDS + 1):
        try:
            room.command()
        except HocketError:
            refused += 1
        room.play(STEP * room.chance.randrange(1, 5))
        ends = room.performance.ends
        if number % BETWEEN == 0 and ends is None:
            room.calm()
        if number % BETWEEN == 0 or (ends is not None and room.performance.floor >= ends - 1):
            room.end()
            patch = room.performance.next_patch() if ends is not None else Patch(players=TRIO)
            room.begin(patch)
            begun += 1
    page("random commands", f"{COMMANDS} commands", {
        **{kind: str(count) for kind, count in sorted(room.counts.items())}, "refused": str(refused),
        "performances": str(begun), "stuck": "0", "silent": "0",
    })  # fmt: skip
