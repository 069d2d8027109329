import errno
import os
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.engine.ipc.bindings import Binding
from instrument.engine.performance import patches
from instrument.engine.performance.knobs import INSTRUMENT_KNOBS, checked
from instrument.engine.performance.patches import (
    DEFAULT,
    Patch,
    PlayerPatch,
    Routing,
    VoicePatch,
    autosave,
    autosaved,
    list_patches,
    load_patch,
    save_patch,
)
from instrument.errors import HocketError
from instrument.paths import patches_dir, state_dir
from instrument.saved import Format

MINE = Patch(
    knobs={"tempo": 96.5, "key": "Bb"},
    players=(PlayerPatch("lstm-band", {"temperature": 0.9, "genre": "jazz"}),),
    voices={"bass": VoicePatch(program=33, pan=-0.2, level=-3)},
    routing=Routing(midi="virtual", channels={"drums": 10}),
)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "home"))


def test_patches_are_saved_listed_and_loaded_by_name():
    saved = save_patch(MINE, "My trio")
    assert saved.name == "My trio"
    assert load_patch("My trio") == saved
    assert msgspec.structs.replace(saved, name="") == MINE
    assert "My trio" in list_patches()
    assert os.listdir(patches_dir()) == ["My trio.json"], "nothing half-written is left"


def test_patches_are_saved_and_loaded_by_path(tmp_path):
    save_patch(MINE, str(tmp_path / "here"))
    assert load_patch(str(tmp_path / "here.json")).name == "here"
    assert "here" not in list_patches()


def test_factory_patches_load_and_set_only_what_there_is():
    names = list_patches()
    assert len(names) >= 3
    assert DEFAULT in names
    infos = {info.id: info for info in INSTRUMENT_KNOBS}
    for name in names:
        patch = load_patch(name)
        assert patch.name == name
        assert patch.players
        for knob, value in patch.knobs.items():
            assert checked(infos[knob], value) == value


def test_one_s_own_patch_goes_before_the_one_that_ships():
    save_patch(MINE, DEFAULT)
    assert load_patch(DEFAULT).knobs == MINE.knobs
    assert list_patches().count(DEFAULT) == 1


def test_the_state_is_kept_for_the_next_start():
    assert autosaved() is None
    autosave(MINE)
    autosave(msgspec.structs.replace(MINE, name="two"))
    assert autosaved().name == "two"
    assert autosaved().routing == MINE.routing


def test_an_unknown_patch_is_refused_with_those_there_are():
    with pytest.raises(HocketError, match=f"no patch 'none such': choose one of .*{DEFAULT}"):
        load_patch("none such")
    with pytest.raises(HocketError, match="cannot read the patch"):
        load_patch("./none-such.json")
    with pytest.raises(HocketError, match="cannot read the patch"):
        load_patch("bad\0name.json")


@pytest.mark.parametrize("name", ["", " ", ".", "..", ".hidden", "a:b", "what?", "x" * 200])
def test_names_that_no_file_can_have(name):
    with pytest.raises(HocketError, match="cannot be called"):
        save_patch(MINE, name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "damaged"),
        ("[]", "damaged"),
        ("{", "damaged"),
        ("{}", "version None"),
        ('{"version": 99}', "has version 99, this Hocket reads up to version 2: update Hocket"),
        ('{"version": "1"}', "version '1'"),
        ('{"version": 1, "players": [{}]}', "missing required field `model`"),
        ('{"version": 1, "knobs": {"tempo": []}}', "knobs"),
        ('{"version": 1, "routing": {"channels": {"bass": 17}}}', "<= 16"),
        ('{"version": 1, "voices": {"zither": {}}}', "zither"),
        ("[" * 100_000, "damaged"),
    ],
)
def test_a_damaged_patch_is_refused_in_one_line(tmp_path, text, says):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(HocketError, match=says) as error:
        load_patch(str(path))
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_any_byte_may_be_wrong(place, byte):
    data = bytearray(msgspec.json.encode(MINE))
    data[place % len(data)] = byte
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(patches, "read_bytes", lambda path, what: bytes(data))
        with suppress(HocketError):
            assert isinstance(load_patch("some.json"), Patch)


def test_older_patches_are_brought_up_to_date(tmp_path, monkeypatch):
    path = tmp_path / "old.json"
    path.write_text('{"version": 1, "speed": 90}')
    steps = {1: lambda fields: {"tempo": fields["speed"]}, 2: lambda fields: {"knobs": {"tempo": fields["tempo"]}}}
    monkeypatch.setattr(patches, "FORMAT", Format(3, steps))
    patch = load_patch(str(path))
    assert (patch.version, patch.knobs) == (3, {"tempo": 90})


def test_a_full_disk_leaves_the_old_patch_whole(monkeypatch):
    save_patch(MINE, "mine")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HocketError, match="No space left on device; choose another place or make room"):
        save_patch(Patch(), "mine")
    assert load_patch("mine").knobs == MINE.knobs
    assert os.listdir(patches_dir()) == ["mine.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(HocketError, match=r"cannot save the patch to .*/none/here\.json"):
        save_patch(MINE, str(tmp_path / "none" / "here"))
    (tmp_path / "file").write_text("")
    with pytest.raises(HocketError, match="cannot save the patch"):
        save_patch(MINE, str(tmp_path / "file" / "here"))


def test_a_damaged_autosave_is_an_error_not_a_surprise():
    (state_dir() / "autosave.json").write_text("{")
    with pytest.raises(HocketError, match="damaged"):
        autosaved()


def test_learned_controllers_are_kept(tmp_path):
    learned = Patch(
        players=MINE.players,
        routing=Routing(bindings=(Binding("0/temperature", 1), Binding("band/tempo", 74, "note", 3))),
    )
    save_patch(learned, str(tmp_path / "learned"))
    assert load_patch(str(tmp_path / "learned.json")).routing == learned.routing
