import sys
from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrument.engine.offline.render import differences, replay, tempo_map
from instrument.engine.performance import takes
from instrument.engine.performance.patches import Patch, PlayerPatch
from instrument.engine.performance.performance import Performance
from instrument.engine.performance.takes import Input, Released, Stopped, Take, TakeRecorder, Turn, load_take
from instrument.errors import HocketError
from instrument.saved import Format
from tests.support.live import actions, perform, random_actions
from tests.support.players import ScaleBundle, ScalePlayer, open_scale

TRIO = Patch(
    knobs={"seed": 3, "tempo": 100, "key": "G", "scale": "minor"},
    players=(
        PlayerPatch("scale"),
        PlayerPatch("scale-2", {"density": 5}),
        PlayerPatch("scale", {"register": 7}),
    ),
)
MODELS = ("scale", "scale-2")


def played(actions: int = 150, seed: int = 1, live: float = 0.0) -> Take:
    performance = Performance(TRIO, open_scale)
    perform(performance, random_actions(seed, actions, live=live), MODELS)
    return performance.take


def saved(take: Take, path) -> bytes:
    TakeRecorder(path, take).close()
    return path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(actions, st.integers(0, 999_999))
def test_whatever_happens_live_is_rendered_to_the_same_notes(what, seed):
    performance = Performance(msgspec.structs.replace(TRIO, knobs={**TRIO.knobs, "seed": seed}), open_scale)
    perform(performance, what, MODELS)
    assert differences(performance.take, open_scale) == []
    assert replay(performance.take, open_scale).values == performance.values


def test_a_long_performance_with_knob_moves_is_rendered_to_the_same_notes(tmp_path):
    take = played(800, seed=2)
    assert take.heard_count > 300
    assert sum(isinstance(entry, Input) and bool(entry.knobs) for entry in take.entries) > 20
    assert any(entry.spacing for entry in take.entries if isinstance(entry, Input)), "it fell behind, too"
    saved(take, tmp_path / "a.take.json")
    loaded = load_take(tmp_path / "a.take.json")
    assert differences(loaded, open_scale) == []
    again = replay(loaded, open_scale)
    assert again.take.entries == take.entries
    assert sorted(again.take.heard()) == sorted(take.heard())


def test_live_notes_are_in_the_take_are_heard_by_the_player_and_last_as_long_as_they_were_held(tmp_path):
    take = played(400, live=0.3)
    saved(take, tmp_path / "live.take.json")
    loaded = load_take(tmp_path / "live.take.json")
    assert loaded.entries == take.entries
    assert differences(loaded, open_scale) == []
    live = [note for entry in take.entries if isinstance(entry, Input) for note in entry.live]
    held = {(e.tick, e.pitch): e.duration for e in take.entries if isinstance(e, Released)}
    assert len(live) > 30
    assert set(live) <= {note for _, note in take.heard()}
    sounded = {(note.tick, note.pitch): note.duration for _, note in take.sounded()}
    assert held.items() <= sounded.items()

    deaf = played(400)
    assert [note for _, note in deaf.heard()] != [note for _, note in take.heard() if note not in live]


def test_a_take_comes_back_as_it_was_saved(tmp_path):
    take = played()
    saved(take, tmp_path / "one.take.json")
    loaded = load_take(tmp_path / "one.take.json")
    assert loaded.header == take.header
    assert loaded.entries == take.entries
    assert list(loaded.heard()) == list(take.heard())
    assert isinstance(loaded.stopped, float)


def test_a_recording_that_breaks_off_anywhere_keeps_what_was_recorded(tmp_path):
    """As the file stands after any of its bytes."""
    performance = Performance(TRIO, open_scale)
    path = tmp_path / "crash.take.json"
    recorder = TakeRecorder(path, performance.take)
    for part in range(4):
        perform(performance, random_actions(part, 25, 0.2, live=0.2), MODELS)
        recorder.update()
    data = path.read_bytes()
    heard = list(performance.take.heard())
    first = data.index(b"\n") + 1
    for cut in (first, *range(first + 1, len(data), 997), len(data)):
        path.write_bytes(data[:cut])
        take = load_take(path)
        assert list(take.heard()) == heard[: take.heard_count]
        assert differences(take, open_scale) == []
    path.write_bytes(data[: first - 2])
    with pytest.raises(HocketError, match="is empty"):
        load_take(path)


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes are limited by the kernel here")
def test_a_full_disk_while_recording_keeps_what_was_recorded(tmp_path):
    import resource

    performance = Performance(TRIO, open_scale)
    recorder = TakeRecorder(tmp_path / "full.take.json", performance.take)
    perform(performance, random_actions(1, 100), MODELS)
    recorder.update()
    kept = performance.take.heard_count
    perform(performance, random_actions(2, 200), MODELS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (recorder.path.stat().st_size + 500, hard))
    try:
        with pytest.raises(HocketError, match=r"cannot record to .*: File too large; .*is kept"):
            recorder.update()
        recorder.update()
        recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    take = load_take(recorder.path)
    assert kept <= take.heard_count < performance.take.heard_count
    assert differences(take, open_scale) == []


def test_a_take_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(HocketError, match=r"cannot record to .*/none/x\.take\.json: No such file"):
        TakeRecorder(tmp_path / "none" / "x.take.json", played(5))


def test_a_take_of_another_bundle_is_refused_naming_both():
    take = played(40)

    def other(slug):
        bundle, player = open_scale(slug)
        return (ScaleBundle(slug, "0dd" * 20) if slug == "scale-2" else bundle), player

    says = "played by scale-2 5ca1f5ca1f5c, but the installed bundle is scale-2 0dd0dd0dd0dd"
    with pytest.raises(HocketError, match=says):
        replay(take, other)
    with pytest.raises(HocketError, match="unknown model"):
        replay(take, lambda slug: open_scale("gone"))


def test_differences_are_found():
    class Shifted(ScalePlayer):
        def propose(self, ask):
            note = super().propose(ask)
            return note._replace(velocity=1) if self.count == 20 and self._key & 0xFFFF == 1 else note

    (line,) = differences(played(), lambda slug: (open_scale(slug)[0], Shifted()))
    assert line.startswith("player 1, note 20 of ")
    assert "rendered Note(" in line


def test_time_is_in_the_take():
    performance = Performance(TRIO, open_scale)
    performance.advance(100)
    performance.set("tempo", 50)
    performance.set("level", -6)
    performance.set("tempo", 200, tick=300)
    performance.stop(400.5)
    assert performance.take.entries[-4:] == [
        Turn(101.0, "band/tempo", 50.0),
        Turn(101.0, "band/level", -6.0),
        Turn(300.0, "band/tempo", 200.0),
        Stopped(400.5),
    ]
    tempo = tempo_map(performance.take)
    assert [round(tempo.bpm(tick)) for tick in (0, 101, 300)] == [100, 50, 200]
    assert tempo.ns(101 + 24) - tempo.ns(101) == pytest.approx(60e9 / 50)


def test_older_takes_are_brought_up_to_date_line_by_line_with_the_patch_in_them(tmp_path, monkeypatch):
    path = tmp_path / "old.take.json"
    path.write_text(
        '{"type":"take","patch":{"version":1,"speed":90},"bundles":[{"slug":"scale","hash":"a"}],"version":1}\n'
        '{"type":"turned","tick":4,"knob":"tempo","value":80.0}\n[0,0,0,60,6,90,0]\n'
    )
    renamed = {"turned": "turn"}
    monkeypatch.setattr(takes, "FORMAT", Format(
        version=2,
        migrations={1: lambda fields: fields | {"type": renamed.get(fields["type"], fields["type"])}},
        inside={"patch": Format(2, {1: lambda fields: {"knobs": {"tempo": fields["speed"]}}})},
    ))  # fmt: skip
    take = load_take(path)
    assert (take.header.version, take.header.patch.version, take.header.patch.knobs) == (2, 2, {"tempo": 90.0})
    assert take.entries == [Turn(4.0, "tempo", 80.0)]
    assert take.heard_count == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[:0], "is empty"),
        (
            lambda lines: [lines[0].replace(b'"version":3}', b'"version":7}'), *lines[1:]],
            "take .* has version 7, this Hocket reads up to version 3: update Hocket",
        ),
        (lambda lines: [b"{}", *lines[1:]], "version None"),
        (
            lambda lines: [lines[0].replace(b'"version":2,"name"', b'"version":{},"name"'), *lines[1:]],
            "damaged",
        ),
        (lambda lines: [lines[0], b"{}", *lines[1:]], "damaged in line 2"),
        (lambda lines: [lines[0], b'{"type":"input","player":-1,"count":0,"floor":0}'], "damaged in line 2"),
        (
            lambda lines: [lines[0], b'{"type":"input","player":0,"count":0,"floor":9999999999}'],
            "damaged in line 2",
        ),
        (lambda lines: [lines[0], b'{"type":"keyboard","tick":1,"message":[300,60,1]}'], "damaged in line 2"),
        (lambda lines: [lines[0], b"[7,0,0,60,1,90,0]"], "there is no player 7"),
        (lambda lines: [lines[0], b"[0,0,0,128,1,90,0]"], "is not possible"),
        (lambda lines: [lines[0], b"[0,0,0,60,1,90]"], "damaged in line 2"),
        (lambda lines: [lines[0], b"\xff\xfe"], "damaged in line 2"),
    ],
)
def test_a_damaged_take_is_refused_with_its_line(tmp_path, change, says):
    path = tmp_path / "bad.take.json"
    lines = saved(played(30), path).split(b"\n")[:-1]
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    with pytest.raises(HocketError, match=says) as error:
        load_take(path)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> bytes:
    return saved(played(60), tmp_path_factory.mktemp("takes") / "whole.take.json")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_bytes_may_be_wrong(recorded, tmp_path_factory, changes):
    data = bytearray(recorded)
    for place, byte in changes:
        data[int(place * (len(data) - 1))] = byte
    path = tmp_path_factory.getbasetemp() / "mutated.take.json"
    path.write_bytes(data)
    with suppress(HocketError):
        replay(load_take(path), open_scale)


def test_notes_heard_are_in_order_for_each_player():
    take = played()
    for player in range(3):
        orders = [note.order for number, note in take.heard() if number == player]
        assert all(a < b for a, b in pairwise(orders))
