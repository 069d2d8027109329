"""The table of families: a new one is a module that opens it, and a row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from instrument.errors import HocketError
from instrument.models.catalog import list_models, open_note_player, open_player, open_sound
from instrument.models.families import FAMILIES, Family
from instrument.models.notes.player import Ask
from instrument.music.timebase import MetreMap

SHIPPED = Path(__file__).parents[2] / "models_onnx" / "lstm-band"


def test_a_toy_family_is_a_module_and_a_row(hocket_home, monkeypatch):
    folder = Path(shutil.copytree(SHIPPED, Path(hocket_home) / "models" / "toy"))
    table = json.loads((folder / "manifest.json").read_text())
    table |= {"slug": "toy", "family": "toy", "graphs": table["graphs"][:1], "states": [], "primers": None}
    (folder / "manifest.json").write_text(json.dumps(table))
    (before,) = (entry for entry in list_models() if entry.slug == "toy")
    assert "family 'toy' is not one of lstm, " in before.problem
    monkeypatch.setattr("instrument.models.probed.admit", lambda folder: None)  # its child has no such row
    operators = FAMILIES["lstm"].operators
    monkeypatch.setitem(FAMILIES, "toy", Family("notes", "tests.support.toy_player:ToyPlayer", ("step",), operators))

    (entry,) = (entry for entry in list_models() if entry.slug == "toy")
    assert (entry.kind, entry.problem) == ("notes", "")
    for open_model in (open_player, open_note_player):
        manifest, player = open_model("toy")
        player.reset(1, 0, MetreMap())
        player.feed(player.propose(Ask()))
        assert (manifest.family, player.count) == ("toy", 1)
    with pytest.raises(HocketError, match="'toy' is a toy: it makes no sound by itself"):
        open_sound("toy")


def test_every_row_opens_what_it_says(hocket_home):
    found = {entry.manifest.family: entry for entry in list_models()}
    assert found.keys() == FAMILIES.keys(), "a bundle of every family ships"
    assert {entry.kind for entry in found.values()} == {"notes", "stream", "voice", ""}
    with pytest.raises(HocketError, match="'vocoder-44k' is a vocoder: it is no player by itself"):
        open_player("vocoder-44k")
