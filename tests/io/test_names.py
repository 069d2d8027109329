"""Names of ports: without ALSA's numbers, and without Hocket's own."""

from instrument.io.names import is_own, plain, plain_names


def test_the_numbers_of_alsa_are_no_part_of_a_name() -> None:
    names = ["Synth:Synth MIDI 1 20:0", "Synth:Synth MIDI 1 24:0", "Keys 4:2 88:1", "Hocket:out"]
    assert plain_names(names) == ["Synth:Synth MIDI 1", "Synth:Synth MIDI 1 #2", "Keys 4:2", "Hocket:out"]
    assert plain("system:midi_capture_1") == "system:midi_capture_1"


def test_own_ports_are_known_by_their_client() -> None:
    own = ["Hocket:out", "Hocket in:in", "Hocket in:Hocket in 129:0", "Hocket:Hocket", "Hocket in list:x"]
    assert all(map(is_own, own))
    assert not any(map(is_own, ["Hocketeer:out", "keys:Hocket", "My Hocket in:in"]))
