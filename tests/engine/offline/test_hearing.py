"""Hearing any model with `render --model`: a voice plays the band, a stream runs, a vocoder passes a file."""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pytest
import soundfile

from instrument import cli
from instrument.engine.performance.patches import Patch, PlayerPatch, load_patch, save_patch, with_voice
from instrument.engine.process import first_patch


def hocket(monkeypatch, capsys, *arguments) -> tuple[int, str]:
    """Exit status, and what was said on standard error."""
    monkeypatch.setattr(sys, "argv", ["hocket", *map(str, arguments)])
    status, said = 0, ""
    try:
        cli.main()
    except SystemExit as end:
        status, said = (end.code, "") if isinstance(end.code, int) else (1, str(end.code))
    return status, said + capsys.readouterr().err


def test_a_patch_gets_a_voice_once():
    patch = Patch(players=(PlayerPatch("band"),))
    with_one = with_voice(patch, "choir")
    assert [(p.model, p.knobs) for p in with_one.players] == [("band", {}), ("choir", {"part": "all"})]
    assert with_voice(with_one, "choir") == with_one


@pytest.mark.parametrize("model", ["ddsp-voices", "gansynth-voices", "genre-stream"])
def test_a_sound_model_alone_is_heard(monkeypatch, capsys, tmp_path, model):
    out = tmp_path / "heard.wav"
    assert hocket(monkeypatch, capsys, "render", "--model", model, "--seconds", 3, "--out", out)[0] == 0
    sound, _ = soundfile.read(out)
    assert np.abs(sound).max() > 0.01


def test_a_voice_plays_what_the_band_plays(monkeypatch, capsys, tmp_path):
    save_patch(Patch(players=(PlayerPatch("lstm-band"),)), str(tmp_path / "band.json"))
    told = ["render", "--patch", tmp_path / "band.json", "--seconds", 3]
    assert hocket(monkeypatch, capsys, *told, "--out", tmp_path / "plain.wav")[0] == 0
    assert hocket(monkeypatch, capsys, *told, "--model", "ddsp-voices", "--out", tmp_path / "voice.wav")[0] == 0
    plain, voice = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("plain", "voice"))
    assert np.abs(plain - voice).max() > 0.01
    assert hocket(monkeypatch, capsys, *told, "--model", "ddsp-voices", "--out", tmp_path / "a.mid")[0] == 0
    assert hocket(monkeypatch, capsys, *told, "--out", tmp_path / "b.mid")[0] == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_a_vocoder_passes_a_file(monkeypatch, capsys, tmp_path):
    source, out = tmp_path / "in.wav", tmp_path / "out.wav"
    time = np.arange(48000) / 48000
    soundfile.write(source, np.stack([0.3 * np.sin(2 * np.pi * 440 * time)] * 2, 1), 48000)
    status, said = hocket(monkeypatch, capsys, "render", "--model", "vocoder-44k", "--input", source, "--out", out)
    assert status == 0, said
    sound, rate = soundfile.read(out)
    assert (rate, len(sound)) == (44100, pytest.approx(44100, abs=512))
    middle = sound[8192 : 8192 + 16384, 0]
    hertz = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle))))) * rate / len(middle)
    assert hertz == pytest.approx(440, abs=4)


@pytest.mark.parametrize(("patch", "band"), [("", "First light"), ("Garage", "Garage")])
def test_play_lets_a_voice_play_the_band(patch, band):
    options = argparse.Namespace(model="ddsp-voices", patch=patch, midi_offset=None)
    players = first_patch(options)[0].players
    assert [player.model for player in players] == [p.model for p in load_patch(band).players] + ["ddsp-voices"]
    assert players[-1].knobs == {"part": "all"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--model", "vocoder-44k", "--out", "a.wav"), "--input FILE.wav"),
        (("--model", "ddsp-voices", "--input", "in.wav", "--out", "a.wav"), "no vocoder: leave out --input"),
        (("--input", "in.wav", "--out", "a.wav"), "give --model SLUG"),
        (("--model", "vocoder-44k", "--input", "none.wav", "--out", "a.wav"), "none.wav cannot be read as sound"),
        (("--model", "vocoder-44k", "--input", "in.wav", "--out", "a.wav"), "a.wav is silent"),
        (("--model", "genre-stream", "--seconds", "1", "--out", "a.mid"), "a.mid is silent: no notes were played"),
    ],
)
def test_silence_and_what_is_no_player_are_one_line(monkeypatch, capsys, tmp_path, arguments, line):
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", np.zeros(44100), 44100)
    status, said = hocket(monkeypatch, capsys, "render", *arguments)
    assert status == 1
    assert line in said
    assert said.count("\n") == 0
