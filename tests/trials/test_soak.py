"""Random commands, one after the other, for as long as asked (`--soak-minutes`), to an engine with shipped models."""

from __future__ import annotations

import math
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from instrument.engine.ipc.messages import (
    AddAnchor,
    AnyCommand,
    ChangeAnchor,
    Describe,
    KnobInfo,
    Lead,
    Learn,
    LoadModel,
    LoadPatch,
    MapMacro,
    OpenChart,
    Panic,
    Play,
    PlayTake,
    Press,
    Record,
    Remake,
    RemoveAnchor,
    RemovePatch,
    RemovePlayer,
    Reply,
    SavePatch,
    SetChords,
    SetDevice,
    SetKnob,
    SetProgression,
    Stop,
    Undo,
)
from instrument.engine.surface.buttons import BUTTONS
from instrument.paths import state_dir
from tests.support.engine import StartEngine, Watcher, children, start_engine
from tests.support.jack import JackServer
from tests.trials.conftest import Keep
from tests.trials.stage import Stage, control

__all__ = ["start_engine"]

PAUSE_S = 0.29  # between two commands
WARM = 0.3  # share of the time after which nothing should grow any more
MOST_GROWTH = 1.25  # of memory, from then to the end
REPLY_S = 30.0
HERE = ("First light", "mine", "no such patch")


def _value(info: KnobInfo, chance: random.Random) -> float | str:
    if chance.random() < 0.05:
        return chance.choice([math.nan, 1e300, -1.0, "nonsense", ""])
    if info.choices:
        return chance.choice(info.choices)
    return chance.uniform(info.low, info.high)


def _turn(engine: Watcher, chance: random.Random) -> AnyCommand:
    info = chance.choice([knob for knob in engine.description.knobs if knob.id != "level"])
    return SetKnob(info.id, _value(info, chance), info.player if chance.random() > 0.02 else 99)


def command(engine: Watcher, chance: random.Random, folder: Path) -> AnyCommand:
    """One of everything that a client may ask, but to quit."""
    told, place = engine.description, (chance.uniform(-1, 1), chance.uniform(-1, 1))
    player = chance.randrange(-1, 5)
    models = [*(model.slug for model in told.models), "no-such-model"]
    recorded = str(folder / f"{chance.randrange(50)}{chance.choice(('.mid', '.wav', '.take.json', '.txt'))}")
    others: tuple[AnyCommand, ...] = (
        Play(), Play(), Play(), Stop(), Panic(), Describe(),
        LoadPatch(chance.choice((*told.patches, *HERE))), SavePatch(chance.choice(("mine", "a/b", "", "x" * 300))),
        LoadModel(chance.choice(models), chance.randrange(-1, 4)), RemovePlayer(chance.randrange(-1, 4)),
        Lead(chance.choice(("Dm9", "G13", "", "X"))), Remake(chance.randrange(1, 60), player),
        *(Press(button.name) for button in BUTTONS if not button.name.startswith(("patch/", "clip/", "transport/"))),
        SetProgression(chance.choice(("Dm7 | G7 | C", "H | ?", "%", "", "Am " * 3000))),
        Record(recorded), Record(""), Record("/no/such/folder/a.mid"),
        SetDevice(offset_ms=chance.choice((0.0, 30.0, -30.0, 9000.0))), SetDevice(midi_in=chance.choice(("null", ""))),
        Learn(chance.choice(("tempo", "temperature", "none")), player), Learn("tempo", -1, False),
        AddAnchor(chance.choice(("phrase", "sample", "genre")), *place, what="jazz", player=player),
        ChangeAnchor("A", "B", *place, player=player), RemoveAnchor("B", player),
        Undo(), Undo(), Undo(redo=True), MapMacro("macro_5", chance.choice(("0/temperature", "band/swing", "none"))),
        SetChords(chance.randrange(1, 60), chance.choice(("Dm9 G13", "", "?", "H"))), RemovePatch("mine"),
        PlayTake(recorded), OpenChart(recorded),
    )  # fmt: skip
    return _turn(engine, chance) if chance.random() < 0.5 else chance.choice(others)


def memory(engine: Watcher) -> int:
    """Bytes that the engine and its processes hold for themselves."""
    assert engine.client.process
    total = 0
    for pid in (engine.client.process.pid, *children(engine.client.process.pid)):
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private"))
    return total


def descriptors(engine: Watcher) -> int:
    """Open files of the engine."""
    assert engine.client.process
    return len(list(Path(f"/proc/{engine.client.process.pid}/fd").iterdir()))


@pytest.mark.trial
@pytest.mark.timeout(6 * 3600)
def test_random_commands_end_nothing(
    jack: JackServer, start_engine: StartEngine, tmp_path: Path, page: Keep, soak_s: float
) -> None:
    stage = Stage(jack, lambda **options: start_engine(**{**options, "players": "", "patch": ""}))
    engine, chance, sent, refused, odd = stage.engine, random.Random(1), 0, 0, []
    warm: tuple[int, int] = (0, 0)
    ends = time.monotonic() + soak_s
    try:
        with control() as missed:
            while time.monotonic() < ends:
                number = engine.client.send(command(engine, chance, tmp_path))
                sent += 1
                engine.until(
                    lambda number=number: any(isinstance(r, Reply) and r.number == number for r in engine.reports),
                    REPLY_S, f"the answer to command {sent}",
                )  # fmt: skip
                replies = [r for r in engine.reports if isinstance(r, Reply)]
                refused += sum(bool(r.error) for r in replies)
                odd += [r.error for r in replies if "\n" in r.error or "internal" in r.error or "not answer" in r.error]
                told = [r for r in engine.reports if not isinstance(r, Reply)]
                engine.reports = [engine.description, *told[-200:]]
                time.sleep(PAUSE_S)
                if not warm[0] and time.monotonic() > ends - soak_s * (1 - WARM):
                    warm = memory(engine), descriptors(engine)
            held = memory(engine), descriptors(engine)
            stuck = stage.stuck()
            stage.count()
            beside = missed()
        xruns = stage.probe.xruns()
        log = (state_dir() / "engine.log").read_text(errors="replace")
        assert engine.client.alive
    finally:
        stage.close()
    page("soak", f"{soak_s / 60:g} minutes", {
        "commands": str(sent), "refused": str(refused), "stuck": str(stuck), "starved blocks": str(stage.starved),
        "of the control": str(beside), "xruns of the server": str(len(xruns)),
        "memory, MB": f"{warm[0] >> 20} → {held[0] >> 20}", "open files": f"{warm[1]} → {held[1]}",
    })  # fmt: skip
    assert not odd, odd[:5]
    assert "Traceback" not in log
    assert stuck == 0 or xruns
    assert held[0] < MOST_GROWTH * warm[0] + (64 << 20)
    assert held[1] < warm[1] + 40
