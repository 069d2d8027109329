"""What a person does to a band that plays in an engine."""

from instrument.engine.ipc.messages import LoadPatch, Play, Press, Record, Remake, SavePatch, Stop
from instrument.engine.offline.render import differences
from instrument.engine.performance.takes import Input, load_take
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
    engine.client.ask(Press("remake/other"))
    engine.until(lambda: len(laid()) == 2)
    engine.until(lambda: engine.telemetry.tick > laid()[0].end)
    engine.client.ask(Stop())
    engine.client.ask(Record(""))
    first, second = laid()
    assert first.start == second.start
    assert first.notes != second.notes
    heard = [(note.tick, note.pitch) for _, note in load_take(take).heard() if first.start <= note.tick < first.end]
    assert heard == [(note.tick, note.pitch) for note in second.notes]
    assert not differences(load_take(take), open_scale)
