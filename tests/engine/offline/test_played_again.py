"""A take that is played again in real time."""

from __future__ import annotations

import pytest

from instrument.engine.offline.played_again import PlayedAgain
from instrument.engine.performance.live_notes import LiveNote
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.music.notes import Note, Part
from tests.support.sound.players import open_any

BAND = Patch(
    knobs={"tempo": 100.0}, players=(PlayerPatch("scale", {"freeze": 2.0}), PlayerPatch("scale"), PlayerPatch("sines"))
)


def play(performance: Performance, until: int) -> list[tuple[int, Note]]:
    heard = []
    while performance.floor < until:
        while performance.extend(performance.floor + 96):
            pass
        heard += performance.advance(performance.floor + 24)
    return heard


@pytest.fixture
def played() -> Performance:
    performance = Performance(BAND, open_any)
    play(performance, 200)
    performance.set("tempo", 90.0, -1)
    performance.set("genre", "waltz", 1)
    performance.set("mute", 1.0, 0)
    performance.listen([LiveNote(0, Note(190, 0, 66, 12, 90, Part.MELODY))], 1)
    play(performance, 400)
    performance.load("scale-2", 1)
    performance.set("level", -12.0, 2)
    performance.release(0, 66, 230)
    play(performance, 600)
    performance.stop(600)
    return performance


def test_it_has_the_notes_the_tempo_and_the_levels_of_the_take(played: Performance) -> None:
    again = PlayedAgain(played.take, played.take.header.patch, open_any)
    assert again.ends == 600
    play(again, 250)
    assert (again.bpm, again.values["1/genre"]) == (90.0, "waltz")
    assert again.values["2/level"] != -12.0
    while again.ends > again.floor + 24:
        play(again, again.floor + 24)
    play(again, 600)
    assert again.values["2/level"] == -12.0
    recorded = sorted((player, note) for player, note in played.take.sounded())
    assert sorted(again.take.heard()) == recorded
    assert len(recorded) > 20
    assert not [player.problem for player in again.players if player.problem]
    after = again.next_patch()
    assert after == played.take.header.patch
    assert not [note for _, note in again.take.heard() if note.tick >= 600]
