"""The private socket: what is silent is hung up on, and no text with NUL goes further."""

from __future__ import annotations

import multiprocessing.connection
import socket
import threading
import time

import pytest

from instrument.engine.ipc import client, instance, server
from instrument.engine.ipc.client import EngineClient
from instrument.engine.ipc.encoding import decode_command, encode
from instrument.engine.ipc.messages import Envelope, LoadPatch, Record, SetKnob
from instrument.errors import HocketError
from instrument.paths import state_dir


@pytest.mark.parametrize("command", [LoadPatch("a\0b"), Record("/tmp/a\0.wav"), SetKnob("key", "C\0")])
def test_text_with_nul_is_refused_in_any_command(command):
    with pytest.raises(HocketError, match=f"of {type(command).__name__} contains the character NUL"):
        decode_command(encode(Envelope(1, command)))
    assert decode_command(encode(Envelope(1, LoadPatch("ab")))).command == LoadPatch("ab")


def ended(connection):
    """Whether the other end hangs up within a time."""
    try:
        while connection.poll(20):
            connection.recv_bytes()
    except (EOFError, OSError):
        return True
    return False


@pytest.mark.parametrize("says", ["nothing", "its key"])
def test_a_connection_that_stays_silent_is_ended(hocket_home, monkeypatch, says):
    monkeypatch.setattr(server, "SILENT_S", 0.3)
    state = state_dir()
    listening = server.Server(state)
    try:
        family, address = instance.address(state)
        key = instance.authkey(state) if says == "its key" else None
        began = time.monotonic()
        with multiprocessing.connection.Client(address, family, authkey=key) as connection:
            assert ended(connection), "it is still open"
        assert time.monotonic() - began < 20
        assert not listening.peers
    finally:
        listening.close()


def test_an_engine_that_does_not_answer_is_given_up(hocket_home, monkeypatch):
    monkeypatch.setattr(client, "_SILENT_S", 0.2)
    family, address = instance.address(state_dir())
    if family != "AF_UNIX":
        pytest.skip("the stand-in is a Unix socket")
    silent = socket.socket(socket.AF_UNIX)
    silent.bind(address)
    silent.listen(8)
    held: list[socket.socket] = []
    threading.Thread(target=lambda: held.extend(silent.accept()[0] for _ in range(2)), daemon=True).start()
    began = time.monotonic()
    with pytest.raises(HocketError, match="no engine is running"):
        EngineClient.connect(spawn=False, timeout_s=5)
    assert time.monotonic() - began < 5
    silent.close()
