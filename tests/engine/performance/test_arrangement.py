from instrument.engine.offline.midi_file import arrangements
from instrument.engine.performance.arrangement import arrange, arrangement_messages
from instrument.engine.performance.patches import Patch, PlayerPatch, VoicePatch
from instrument.engine.performance.performance import Performance
from instrument.engine.voices.programs import band_programs
from instrument.music.midifile import CHANNELS
from instrument.music.notes import Part
from tests.support.players import open_scale


def test_the_band_is_that_of_the_genre_but_for_the_patch_s_own_voices():
    plain = arrange("jazz", {})
    assert plain[Part.BASS] == band_programs("jazz").bass
    own = arrange("jazz", {"bass": VoicePatch(program=42, level=-12)})
    assert (own[Part.BASS].program, own[Part.BASS].level) == (42, -12)
    assert own[Part.BASS].pan == plain[Part.BASS].pan
    assert own[Part.MELODY] == plain[Part.MELODY]
    assert arrange("no such genre", {}) == arrange("none", {})


def test_it_is_told_on_every_part_s_channel():
    messages = arrangement_messages(arrange("jazz", {"melody": VoicePatch(program=11)}))
    programs = {message[0] & 15: message[1] for message in messages if message[0] & 0xF0 == 0xC0}
    assert set(programs) == set(CHANNELS.values())
    assert programs[CHANNELS[Part.MELODY]] == 11


def test_it_changes_with_the_genre_where_the_take_says():
    patch = Patch(players=(PlayerPatch("scale", {"genre": "march"}),), voices={"melody": VoicePatch(program=72)})
    performance = Performance(patch, open_scale)
    assert performance.scene.genre == "march"
    performance.set("genre", "waltz")
    while performance.extend(110):
        pass
    performance.advance(100)
    performance.set("temperature", 0.5)
    performance.set("genre", "march")
    assert performance.scene.genre == "march"
    assert [tick for tick, _ in arrangements(performance.take)] == [0, performance.floor]
    assert arrangements(performance.take)[0][1][Part.MELODY].program == 72
    assert Performance(Patch(), open_scale).scene.genre == "none"
