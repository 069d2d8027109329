"""What a person does to a band that plays in an engine."""

from instrument.engine.ipc.messages import LoadPatch, Play, Record, SavePatch
from instrument.engine.performance.takes import load_take
from tests.support.engine import OPTIONS, engine, running_engine, start_engine

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
