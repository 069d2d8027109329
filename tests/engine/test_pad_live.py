"""The latent pad of a running engine: files become anchors, the puck redraws the ghosts, all is kept and replayed."""

import numpy as np
import pytest

from instrument.engine.ipc.messages import (
    AddAnchor,
    ChangeAnchor,
    Learn,
    Play,
    Record,
    RemoveAnchor,
    SavePatch,
    SetKnob,
    Stop,
)
from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import Patch, PlayerPatch, load_patch, save_patch
from instrument.engine.performance.takes import load_take
from instrument.errors import HocketError
from instrument.music.midifile import write_midi
from instrument.music.notes import Note, Part, Piece
from instrument.music.timebase import Metre
from tests.support.engine import Watcher, start_engine
from tests.support.phrases import open_vae

__all__ = ["start_engine"]  # fixture


@pytest.fixture
def engine(start_engine, tmp_path) -> Watcher:
    seats = (PlayerPatch("vae", {"wander": 0.0}), PlayerPatch("scale"))
    save_patch(Patch(knobs={"tempo": 240}, players=seats), str(tmp_path / "duo.json"))
    engine = start_engine(players="tests.support.phrases:open_vae", patch=str(tmp_path / "duo.json"))
    engine.until(lambda: engine.plan)
    return engine


def test_the_pad_of_a_running_engine(engine, tmp_path):
    tune = [Note(12 * i, 0, 60 + 7 * i % 12, 10, 90, Part.MELODY) for i in range(16)]
    write_midi(Piece(np.array(tune, np.int32), (Metre(0, 4, 4),)), tmp_path / "my_tune.mid")
    (tmp_path / "noise.mid").write_bytes(b"noise")
    engine.until(lambda: engine.description.pads == ((), None))

    engine.client.ask(AddAnchor("file", -0.5, 0.5, str(tmp_path / "my_tune.mid")))
    for place in ((0.5, 0.5), (0.0, -0.5)):
        engine.client.ask(AddAnchor("sample", *place))
    engine.until(lambda: [a.name for a in engine.description.pads[0] or ()] == ["my tune", "Sample", "Sample 2"])
    for command, says in (
        (AddAnchor("file", 0, 0, str(tmp_path / "noise.mid")), r"noise\.mid cannot be read"),
        (AddAnchor("phrase", 0, 0), "nothing has been played yet"),
        (AddAnchor("sample", 0, 0, player=1), "player 1 has no latent pad"),
        (RemoveAnchor("nobody"), "no anchor 'nobody'"),
    ):
        with pytest.raises(HocketError, match=says):
            engine.client.ask(command)

    engine.client.ask(Learn("x"))
    engine.until(lambda: any(banner.endswith("it will work Pad X") for banner in engine.telemetry.banners))

    engine.client.ask(Record(str(tmp_path / "moves.take.json")))
    engine.client.ask(Play())
    engine.hear(4)
    before = [note for note in engine.plan if note.player == 0]
    engine.client.ask(SetKnob("x", 0.5))
    engine.client.ask(SetKnob("y", 0.5))
    engine.until(lambda: [note for note in engine.plan if note.player == 0] != before, what="other ghosts")
    engine.hear(12)
    engine.client.ask(AddAnchor("phrase", -0.8, -0.8))
    engine.client.ask(ChangeAnchor("Phrase", "What I heard", x=0.6, y=0.1))
    engine.client.ask(RemoveAnchor("Sample 2"))
    engine.hear(6)
    engine.client.ask(Record(""))
    engine.client.ask(Stop())
    assert differences(load_take(tmp_path / "moves.take.json"), open_vae) == []

    engine.client.ask(SavePatch(str(tmp_path / "kept")))
    kept = load_patch(str(tmp_path / "kept.json")).players[0]
    assert [anchor.name for anchor in kept.anchors] == ["my tune", "Sample", "What I heard"]
    assert (kept.knobs["x"], kept.knobs["y"]) == (0.5, 0.5)
