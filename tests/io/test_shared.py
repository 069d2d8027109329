"""Shared memory: what one process writes is what the other reads, and nothing half written."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrument.errors import HocketError
from instrument.io import shared
from instrument.io.audio.ring import FRAMES, AudioRing
from instrument.io.midi.ring import LONGEST, MidiRing, pack, unpack
from instrument.io.shared import FAILED, PairRing
from instrument.midi_spec import all_notes_off

INT64 = st.integers(-(2**63), 2**63 - 1)


def pair_ring(slots: int) -> PairRing:
    return PairRing(memoryview(bytearray(8 * PairRing.size(slots))).cast("q"), slots)


@given(st.lists(st.tuples(INT64, INT64), max_size=40), st.integers(1, 16))
def test_pairs_come_out_as_they_went_in(pairs: list[tuple[int, int]], slots: int) -> None:
    ring = pair_ring(slots)
    seen, number = [], 0
    for i, pair in enumerate(pairs):
        ring.push(*pair)
        if i % 3 == 0 and slots >= 3:
            fresh, number = ring.pull(number)
            seen += fresh
    fresh, number = ring.pull(number)
    if slots >= 3:
        assert seen + fresh == pairs
    else:
        assert fresh == pairs[-slots:]
    assert number == len(pairs) == ring.count
    assert ring.pull(number) == ([], number)


def test_no_pair_is_read_half_written() -> None:
    ring = pair_ring(8)
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            ring.push(n, n * 1_000_003)
            n += 1

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that the writer is stopped between any two words
    writer = threading.Thread(target=write)
    writer.start()
    try:
        number, seen = 0, []
        while len(seen) < 2000:
            pairs, number = ring.pull(max(number, ring.count - 20))
            seen += pairs
    finally:
        stop.set()
        writer.join(10)
        sys.setswitchinterval(old)
    assert all(b == a * 1_000_003 for a, b in seen)
    assert [a for a, _ in seen] == sorted(a for a, _ in seen)


def test_a_torn_slot_is_not_a_pair_until_it_is_whole() -> None:
    words = memoryview(bytearray(8 * PairRing.size(4))).cast("q")
    ring = PairRing(words, 4)
    ring.push(1, 2)
    ring.push(3, 4)
    check, words[6] = words[6], 0
    assert ring.pull(0) == ([(1, 2)], 1)
    words[6] = check
    assert ring.pull(1) == ([(3, 4)], 2)


def test_another_process_reads_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_folder", lambda: str(tmp_path))
    ring = AudioRing.create(rate=44_100)
    ring.write(np.arange(20, dtype=np.float32).reshape(10, 2))
    ring.put_text("device", "Klavier é")
    code = """if True:
        import sys
        from instrument.io.audio.ring import AudioRing
        ring = AudioRing.open(sys.argv[1])
        assert ring.get("rate") == 44100 and ring.text("device") == "Klavier é"
        assert ring.sound[:ring.get("written")].ravel().tolist() == list(range(20))
        ring.pairs.push(5, 6)
        ring.fail("it is\\n  broken")
    """
    subprocess.run([sys.executable, "-c", code, str(ring.path)], check=True, timeout=30)
    assert ring.pairs.pull(0)[0] == [(5, 6)]
    assert (ring.get("state"), ring.text("detail")) == (FAILED, "it is broken")
    assert list(tmp_path.iterdir()) == []  # its name is gone, whatever happens to either side


def test_strange_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    path.write_bytes(b"not a ring")
    with pytest.raises(HocketError, match="another size"):
        AudioRing.open(path)
    path.write_bytes(bytes(AudioRing.header_bytes() + AudioRing.body_bytes()))
    with pytest.raises(HocketError, match="not written by this version"):
        AudioRing.open(path)


def test_no_room_for_a_ring_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "_folder", lambda: "/nowhere")
    with pytest.raises(HocketError, match="/nowhere"):
        AudioRing.create()


def test_long_texts_are_cut_and_stay_text() -> None:
    ring = AudioRing.create()
    ring.put_text("detail", "é" * 5000)
    assert set(ring.text("detail")) <= {"é", "\N{REPLACEMENT CHARACTER}"}
    ring.unlink()


def test_sound_wraps_around() -> None:
    ring = AudioRing.create()
    sound = np.random.default_rng(1).random((FRAMES + 1000, 2), np.float32)
    for start in range(0, len(sound), 777):
        ring.write(sound[start : start + 777])
    assert ring.get("written") == len(sound)
    assert np.array_equal(ring.sound, np.roll(sound[-FRAMES:], 1000, axis=0))
    ring.unlink()


@given(st.binary(min_size=1, max_size=LONGEST))
def test_messages_pack_into_a_word(message: bytes) -> None:
    word = pack(message)
    assert 0 <= word < 2**63
    assert unpack(word) == message


@pytest.mark.parametrize("message", [b"", bytes(LONGEST + 1)])
def test_messages_that_do_not_fit_are_refused(message: bytes) -> None:
    with pytest.raises(HocketError, match=f"{len(message)} bytes"):
        pack(message)


def test_all_notes_off_reaches_every_channel() -> None:
    messages = all_notes_off()
    assert {m[0] for m in messages} == set(range(0xB0, 0xC0))
    assert {m[1:] for m in messages} == {b"\x78\x00", b"\x7b\x00"}
    assert MidiRing.body_bytes() > 0
