"""Performances as they happen live, without the time they take: planning ahead by fits and starts,
committing, turning knobs, muting, loading models, falling behind."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

from hypothesis import strategies as st

from instrument.engine.performance.acts.asking import BUTTON_ACTIONS, ask_for
from instrument.engine.performance.knobs import PART_CHOICES
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.performance import Performance, Played
from instrument.errors import HocketError
from instrument.music.notes import Note, Part

AHEAD = 192
BAR = 96

Action = tuple[str, float, float]  # what, and two numbers 0..1 that say how

actions = st.lists(
    st.tuples(
        st.sampled_from(("plan", "advance") * 2 + ("turn", "mute", "load", "listen", "let go", "ask", "ask")),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    min_size=5,
    max_size=60,
)


def random_actions(seed: int, count: int, turns: float = 0.05, live: float = 0.0) -> list[Action]:
    """A performance of `count` actions, of which a share of `turns` turns a knob, and of `live` starts or ends a
    live note."""
    draw = random.Random(seed)
    kinds = ("turn", "plan", "advance", "listen", "let go")
    weights = (turns, 0.7 - turns - live, 0.3, live * 0.6, live * 0.4)
    return [(draw.choices(kinds, weights)[0], draw.random(), draw.random()) for _ in range(count)]


def play_along(performance: Performance, kind: str, first: float, second: float) -> None:
    """What a person does, a little before the last of the notes that are committed."""
    if kind == "listen":
        tick = max(0, performance.floor - round(20 * first))
        pitches = (60 + int(12 * second), 75) if second > 0.5 else (60 + int(12 * second),)
        performance.listen([LiveNote(0, Note(tick, 0, pitch, 12, 90, Part.MELODY)) for pitch in pitches])
    else:
        for channel, pitch in performance.held.keys[:1]:
            performance.release(channel, pitch, performance.floor + 50 * first)


def ask_around(performance: Performance, first: float, second: float, models: Sequence[str]) -> None:
    """What waits for its place: another genre or model, a part that falls silent, and when they take effect; and
    buttons."""
    if first > 0.5:
        with suppress(HocketError):  # no bar was made anew yet, or it has begun
            list(BUTTON_ACTIONS.values())[int((2 * first - 1) * (len(BUTTON_ACTIONS) - 1))](performance)
        for _ in range(int(300 * second)):
            performance.remaking.step()
        return
    name = ("0/genre", "band/melody", "band/chords", "band/changes", "band/mutes", "")[int(12 * first * 0.999)]
    if name:
        info = performance.table.find(name)
        ask_for(performance, info, info.choices[int(second * (len(info.choices) - 1))])
    elif models:
        performance.load(models[int(second * (len(models) - 1))], 0, waits=True)


def play_on(performance: Performance, ticks: int, ahead: int = BAR) -> list[Played]:
    """Play so many ticks on, with `ahead` ticks planned beyond them. What is heard of it."""
    until, heard = performance.floor + ticks, []
    before = None
    while performance.floor < until and before != (
        performance.floor,
        performance.next_stop,
    ):  # else the music has ended
        before = performance.floor, performance.next_stop
        while performance.extend(until + ahead):
            pass
        heard += performance.advance(until)
    return heard


def perform(performance: Performance, what: Sequence[Action], models: Sequence[str] = ()) -> list[list[Played]]:
    """Do it; what every `advance` gave."""
    horizon = float(performance.floor)
    given = []
    infos = [i for i in performance.table.infos.values() if i.kind != "switch" and i.choices != PART_CHOICES]
    for kind, first, second in what:
        if kind == "plan":
            for _ in range(1 + int(12 * first)):
                performance.extend(performance.floor + AHEAD)
        elif kind == "advance":
            horizon += 14 * first
            given.append(performance.advance(horizon, horizon - 2 * second))
        elif kind == "turn":
            info = infos[int(first * (len(infos) - 1))]
            if info.id in ("low", "high"):
                value: float | str = 20 + 20 * second if info.id == "low" else 80 + 20 * second
            elif info.choices:
                value = info.choices[int(second * (len(info.choices) - 1))]
            else:
                value = info.low + second * (info.high - info.low)
            performance.set(info.id, value, info.player)
        elif kind == "mute":
            performance.set(("melody", "chords", "bass", "drums")[int(3 * first)], round(second))
        elif kind in ("listen", "let go"):
            play_along(performance, kind, first, second)
        elif kind == "ask":
            ask_around(performance, first, second, models)
        elif kind == "load" and models:
            performance.load(models[int(second * (len(models) - 1))], 0)
    performance.stop(horizon)
    return given
