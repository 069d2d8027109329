"""The engine as a process: real sockets, threads and files; null devices; a small player."""

import json
import multiprocessing.connection
import signal
import stat
import time
from pathlib import Path

import pytest
from mido import MidiFile

from instrument.engine.ipc import instance
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.encoding import encode
from instrument.engine.ipc.messages import (
    Bye,
    Describe,
    Description,
    Hello,
    LoadModel,
    LoadPatch,
    Panic,
    Play,
    Quit,
    Record,
    Reply,
    SavePatch,
    SetDevice,
    SetKnob,
    SetProgression,
    Stop,
    Values,
)
from instrument.engine.offline.midi_file import arrangements
from instrument.engine.offline.render import differences
from instrument.engine.performance.patches import autosaved
from instrument.engine.performance.takes import load_take
from instrument.errors import HocketError
from instrument.music.midifile import CHANNELS, read_midi
from instrument.paths import state_dir
from tests.support.engine import OPTIONS, children, end, engine, kill, running_engine, start_engine, there
from tests.support.jack import wait_for
from tests.support.players import open_scale

__all__ = ["engine", "running_engine", "start_engine"]  # fixtures


def test_a_client_is_told_everything_at_once(start_engine):
    engine = start_engine(patch="", model="scale")
    engine.until(lambda: engine.description)
    told = engine.description
    assert told.players == ("scale",)
    assert told.values["band/tempo"] == 112  # as "First light" has it
    assert {"tempo", "key", "scale", "temperature"} <= {knob.id for knob in told.knobs}
    assert "First light" in told.patches
    assert told.patch == "First light"
    assert told.patch_changed  # another model plays it here
    engine.until(lambda: engine.plan, what="ghosts before Play")
    assert not engine.telemetry.playing


def test_play_commits_what_was_planned(engine):
    engine.until(lambda: len(engine.plan) > 8)
    ghosts = list(engine.plan)
    engine.client.ask(Play())
    engine.hear(5)
    assert engine.committed[:5] == ghosts[:5]
    assert engine.telemetry.playing
    assert engine.telemetry.bar >= 1


def test_stop_begins_anew_with_the_same_notes(engine):
    engine.client.ask(Play())
    engine.hear(6)
    engine.client.ask(Stop())
    engine.until(lambda: not engine.telemetry.playing and engine.telemetry.sounding == 0)
    first = engine.committed[:6]
    engine.reports.clear()
    engine.client.ask(Play())
    engine.hear(6)
    assert engine.committed[:6] == first


def test_a_knob_is_answered_shown_and_obeyed(engine):
    engine.client.ask(Play())
    engine.client.ask(SetKnob("high", 50))
    engine.client.ask(SetKnob("drums", 0))
    engine.until(lambda: engine.description.values["band/high"] == 50)
    assert engine.description.patch_changed
    engine.reports.clear()
    engine.hear(8)
    assert max(note.pitch for note in engine.committed[1:]) <= 50


def test_a_turned_knob_sends_itself_and_no_description(engine):
    reports = []

    def turn(high):
        def is_told():
            reports.extend(r for r in engine.client.poll() if isinstance(r, Description | Values))
            return reports and reports[-1].values.get("band/high") == high

        engine.client.ask(SetKnob("high", high))
        wait_for(is_told, 10, f"a highest pitch of {high}")

    turn(90)  # what was asked before this test is described by then
    reports.clear()
    for high in range(70, 80):
        turn(high)
    assert all(isinstance(report, Values) and len(encode(report)) < 100 for report in reports), reports


BAD_COMMANDS = [
    (SetKnob("tempo", 1000), "20 to 400"),
    (SetKnob("tempo", float("nan")), "20 to 400"),
    (SetKnob("nothing", 1), "temperature"),
    (SetKnob("temperature", 1, player=7), "temperature"),
    (LoadModel("nothing"), "scale"),
    (LoadModel("scale", player=3), "player 3"),
    (LoadPatch("nothing"), "First light"),
    (SavePatch("a/../.."), "patch"),
    (Record("song.xyz"), ".take.json"),
    (Record("/nowhere/song.mid"), "/nowhere"),
    (Record("/nowhere/song.take.json"), "/nowhere"),
    (Record("/nowhere/song.wav"), "/nowhere"),
    (SetDevice(audio="no such device"), "device"),
    (SetDevice(midi="no such port"), "no"),
    (SetDevice(offset_ms=900), "-500 to 500"),
    (SetDevice(offset_ms=float("nan")), "-500 to 500"),
]


def test_bad_commands_get_one_clear_line(engine):
    engine.client.ask(Play())
    for command, words in BAD_COMMANDS:
        with pytest.raises(HocketError) as failure:
            engine.client.ask(command, 15)
        assert words in str(failure.value), command
        assert "\n" not in str(failure.value)
    engine.hear(1)


def test_what_is_no_command_is_refused_and_harms_nobody(engine):
    engine.client._connection.send_bytes(b"\x80\x04nonsense")
    engine.until(lambda: any(isinstance(r, Reply) and r.error for r in engine.reports))
    engine.client.ask(Play())


def test_a_stranger_without_the_key_is_not_let_in(engine):
    family, address = instance.address(state_dir())
    with pytest.raises((multiprocessing.AuthenticationError, OSError, EOFError)):
        multiprocessing.connection.Client(address, family, authkey=b"guess")
    engine.client.ask(Play())
    key = state_dir() / "engine.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_there_is_one_engine_and_it_takes_several_clients(engine):
    other = EngineClient.connect()
    assert other.process is None
    other.ask(SetKnob("tempo", 90))
    engine.until(lambda: engine.description.values["band/tempo"] == 90)
    with pytest.raises(HocketError, match="already running"):
        instance.lock(state_dir())
    other.close()


def test_typed_chords_become_the_plan(engine):
    engine.client.ask(SetProgression("Dm9 | G13"))
    engine.until(lambda: engine.description.values["band/plan"] == "typed")
    with pytest.raises(HocketError, match="'Hm9' is no chord"):
        engine.client.ask(SetProgression("Hm9"))


def test_tempo_changes_keep_the_music_in_step(engine):
    engine.client.ask(Play())
    for bpm in (60, 200, 90, 300):
        engine.client.ask(SetKnob("tempo", bpm))
        engine.hear(2)
    engine.until(lambda: engine.telemetry.bpm == pytest.approx(300))
    ticks = [note.tick for note in engine.committed]
    assert ticks == sorted(ticks)


def test_another_model_takes_over_while_playing(engine):
    engine.client.ask(Play())
    engine.hear(2)
    engine.client.ask(LoadModel("scale-2"))
    engine.until(lambda: engine.description.players == ("scale-2",))
    engine.hear(3)


def test_the_offset_of_the_midi_port_is_told_kept_and_stays_with_the_port(start_engine):
    engine = start_engine(**{"midi-offset": "-20"})
    engine.until(lambda: engine.description.offset_ms == -20)
    engine.client.ask(SetDevice(offset_ms=35))
    engine.until(lambda: engine.description.offset_ms == 35)
    engine.client.ask(LoadPatch(OPTIONS["patch"]))
    engine.client.ask(Quit())
    end(engine.client.process)
    assert autosaved().routing.offset_ms == 35


def test_a_patch_comes_back_after_a_restart(start_engine):
    engine = start_engine()
    engine.client.ask(SetKnob("temperature", 0.5))
    engine.client.ask(SavePatch("Mine"))
    engine.until(lambda: engine.description.patch == "Mine" and not engine.description.patch_changed)
    engine.client.ask(SetKnob("tempo", 77))
    engine.client.ask(Quit())
    end(engine.client.process)
    assert autosaved().knobs["tempo"] == 77
    again = start_engine(patch="")
    again.until(lambda: again.description)
    assert again.description.values["band/tempo"] == 77
    assert again.description.values["0/temperature"] == 0.5
    assert again.description.patch == "Mine"
    assert again.description.patch_changed
    again.client.ask(LoadPatch("Mine"))
    again.until(lambda: again.description.values["band/tempo"] == 300)


def test_a_take_of_a_live_performance_renders_to_the_same_notes(engine, tmp_path):
    take, midi = tmp_path / "live.take.json", tmp_path / "live.mid"
    engine.client.ask(Record(str(take)))
    engine.client.ask(Record(str(midi)))
    engine.client.ask(Play())
    turns = [
        ("temperature", 0.6),
        ("density", 6),
        ("key", "D"),
        ("scale", "major"),
        ("register", 3),
        ("bass", 0),
    ]
    for knob, value in turns:
        engine.hear(3)
        engine.client.ask(SetKnob(knob, value))
    engine.client.ask(LoadModel("scale-2"))
    engine.hear(3)
    engine.until(lambda: engine.telemetry.recording.count(".") >= 2)
    engine.client.ask(Stop())
    heard = load_take(take)
    assert heard.heard_count >= 21
    assert heard.stopped
    assert differences(heard, open_scale) == []
    sounded = sum(note.tick < heard.stopped for _, note in heard.heard())
    assert abs(len(read_midi(midi, aligned=False)) - sounded) <= 1  # the last may fall on the very end
    told = {(m.channel, m.program) for m in MidiFile(midi) if m.type == "program_change"}
    programs = {(CHANNELS[part], seat.program) for part, seat in arrangements(heard)[0][1].items()}
    assert told
    assert told <= programs
    engine.until(lambda: not engine.telemetry.recording)


def test_a_recording_survives_the_death_of_the_engine(start_engine, tmp_path):
    take = tmp_path / "broken.take.json"
    engine = start_engine()
    engine.client.ask(Record(str(take)))
    header = take.stat().st_size
    engine.client.ask(Play())
    engine.until(lambda: take.stat().st_size > header + 100, what="a recording that grows")
    kill(engine.client.process.pid)
    end(engine.client.process)
    assert differences(load_take(take), open_scale) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
@pytest.mark.parametrize("suffix", [".take.json", ".wav"])
def test_a_full_disk_is_told(engine, tmp_path, suffix):
    full = tmp_path / f"full{suffix}"
    full.symlink_to("/dev/full")
    engine.client.ask(Play())
    try:
        engine.client.ask(Record(str(full)))
    except HocketError as error:
        assert "full" in str(error)  # noqa: PT017  (others only find out when they flush)
    else:
        engine.until(lambda: any("full" in banner for banner in engine.telemetry.banners))
    engine.hear(2)


def test_it_ends_by_itself_when_no_client_is_left(start_engine):
    engine = start_engine()
    engine.client.close()
    assert end(engine.client.process) == 0


def test_a_client_that_leaves_does_not_end_it_for_another(engine):
    other = EngineClient.connect(spawn=False)
    with pytest.raises(HocketError, match="plays on for its other client"):
        other.ask(Quit(alone=True))
    other.close()
    engine.client.ask(Play())
    engine.hear(1)


def test_it_stays_where_it_was_asked_to(start_engine):
    engine = start_engine(keep=True)
    engine.client.ask(Play())
    engine.client.close()
    time.sleep(2.5)  # longer than it would linger: that nothing happens can only be waited for
    again = start_engine()
    assert again.client.process is None
    again.hear(1)
    again.client.ask(Quit())
    assert end(engine.client.process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_clean(start_engine, number):
    engine = start_engine(audio="null")
    engine.client.ask(Play())
    engine.hear(1)
    pid = engine.client.process.pid
    kill(pid, number)
    engine.until(lambda: any(isinstance(r, Bye) for r in engine.reports))
    assert end(engine.client.process) == 0
    assert not there(pid)
    assert not children(pid)
    assert not engine.client.alive


def test_a_client_that_never_listens_holds_nobody_up(engine):
    family, address = instance.address(state_dir())
    deaf = multiprocessing.connection.Client(address, family, authkey=instance.authkey(state_dir()))
    engine.client.ask(Play())
    engine.hear(8)
    before = engine.telemetry.tick
    engine.until(lambda: engine.telemetry.tick > before + 24)
    deaf.close()


def test_panic_goes_on_playing(engine):
    engine.client.ask(Play())
    engine.hear(3)
    engine.client.ask(Panic())
    engine.hear(3)


def test_describe_is_answered(engine):
    engine.client.ask(Hello())
    engine.client.ask(Describe(), 15)
    engine.until(lambda: engine.description)


def test_what_an_engine_cannot_begin_with_is_said(start_engine):
    with pytest.raises(HocketError, match="unknown model 'nothing'"):
        start_engine(model="nothing")
    with pytest.raises(HocketError, match="there is no patch 'nothing'"):
        start_engine(patch="nothing")


def test_a_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOCKET_HOME", str(tmp_path / "file"))
    with pytest.raises(HocketError, match="HOCKET_HOME"):
        EngineClient.connect(timeout_s=2)


def test_a_damaged_autosave_is_told_and_left_behind(start_engine):
    (state_dir() / "autosave.json").write_text("{ not json")
    engine = start_engine(patch="", model="scale")
    engine.until(lambda: any("begins with the default patch" in banner for banner in engine.telemetry.banners))
    engine.client.ask(Play())
    engine.hear(1)


def test_long_state_folders_have_a_socket_too(start_engine, monkeypatch, tmp_path):
    deep = tmp_path / ("a" * 100)
    deep.mkdir()
    monkeypatch.setenv("HOCKET_HOME", str(deep))
    engine = start_engine()
    engine.client.ask(Play())
    _, address = instance.address(state_dir())
    assert len(address) < 108
    engine.client.ask(Quit())
    end(engine.client.process)
    assert not Path(address).exists()


def test_the_trace_tells_what_was_measured(start_engine, tmp_path):
    engine = start_engine(trace=str(tmp_path / "trace.json"))
    engine.client.ask(Play())
    engine.client.ask(SetKnob("temperature", 0.7))
    engine.hear(2)
    engine.client.ask(Quit())
    end(engine.client.process)
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert len(trace["knobs"]) == 1
    assert len(trace["notes"]) > 2
    assert trace["sends"]
