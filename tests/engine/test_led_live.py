"""What a person does to a band that plays in an engine."""

import pytest

from instrument.engine.ipc.messages import (
    Lead,
    LoadPatch,
    Play,
    PlayKeys,
    Press,
    Record,
    Remake,
    SavePatch,
    SetChords,
    SetProgression,
    Stop,
    Telemetry,
)
from instrument.engine.offline.render import differences
from instrument.engine.performance.takes import Input, load_take
from instrument.errors import HocketError
from tests.support.engine import OPTIONS, engine, running_engine, start_engine
from tests.support.players import open_scale

__all__ = ["engine", "running_engine", "start_engine"]  # the fixtures


def test_another_patch_begins_at_the_bar(engine, tmp_path):
    engine.client.ask(SavePatch("Mine"))
    engine.client.ask(LoadPatch(OPTIONS["patch"]))
    engine.client.ask(Record(str(tmp_path / "before.take.json")))
    engine.client.ask(Play())
    engine.hear(5)
    assert engine.description.patch == "Fast"
    engine.client.ask(LoadPatch("Mine"))
    engine.until(lambda: engine.description.patch == "Mine")
    engine.hear(5)
    engine.until(lambda: load_take(tmp_path / "before.take.json").stopped)
    assert load_take(tmp_path / "before.take.json").stopped % 96 == 0
    assert engine.telemetry.playing


def test_a_bar_is_made_anew_while_it_plays(engine, tmp_path):
    take = tmp_path / "remade.take.json"
    engine.client.ask(Record(str(take)))
    engine.client.ask(Play())
    engine.hear(5)
    engine.client.ask(Remake(bar=engine.telemetry.bar + 3))

    def laid():
        return [e.laid for e in load_take(take).entries if isinstance(e, Input) and e.laid]

    engine.until(laid)
    engine.until(lambda: engine.telemetry.remade and engine.telemetry.remade.candidates == 4)
    assert engine.telemetry.remade.chosen == 0
    engine.client.ask(Press("remake/other"))
    engine.until(lambda: len(laid()) == 2)
    engine.until(lambda: engine.telemetry.remade.chosen == 1)
    engine.until(lambda: engine.telemetry.tick > laid()[0].end)
    engine.client.ask(Stop())
    engine.client.ask(Record(""))
    first, second = laid()
    assert first.start == second.start
    assert first.notes != second.notes
    heard = [(note.tick, note.pitch) for _, note in load_take(take).heard() if first.start <= note.tick < first.end]
    assert heard == [(note.tick, note.pitch) for note in second.notes]
    assert not differences(load_take(take), open_scale)


def test_a_client_is_shown_the_plan_and_what_is_written_into_it(engine):
    def bars():
        return next(r.bars for r in reversed(engine.reports) if isinstance(r, Telemetry) and r.bars is not None)

    engine.client.ask(SetProgression("A: Dm9 | G13\nB: C | Am7\nform: AB"))
    engine.until(lambda: len(bars()) > 4)
    assert [(bar.section, bar.begins, bar.chords) for bar in bars()[:3]] == [
        ("A", True, ((0, "Dm9"),)), ("A", False, ((0, "G13"),)), ("B", True, ((0, "C"),))
    ]  # fmt: skip
    assert [bar.recall for bar in bars()[2:6]] == [-1, -1, 0, 1]
    engine.client.ask(SetChords(3, "Fmaj7 E7"))
    engine.until(lambda: bars()[2].written)
    assert bars()[2].chords == ((0, "Fmaj7"), (48, "E7"))
    engine.client.ask(Lead("Eb"))
    engine.until(lambda: engine.telemetry.led == "Eb")
    engine.client.ask(Lead(""))
    engine.until(lambda: not engine.telemetry.led)
    engine.client.ask(PlayKeys((b"\x90\x3c\x40",)))
    engine.until(lambda: engine.telemetry.keys == (60,))
    with pytest.raises(HocketError, match="no MIDI message"):
        engine.client.ask(PlayKeys((b"\xf8\x3c",)))
