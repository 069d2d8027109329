"""Plain names of knobs, and which of them come first. A knob that is not in the tables keeps the name that it has."""

from __future__ import annotations

import msgspec

from instrument.engine.ipc.messages import KnobInfo
from instrument.engine.performance.knobs import INSTRUMENT

# id: (name, sentence or "" for its own)
_OF_THE_BAND = {
    "other": ("Extras", "Whether what belongs to no other part may play, plays as the genre has it, or must play"),
    "chromatic": ("Outside notes", "How freely notes outside the scale come between the beats"),
    "low": ("Lowest note", "No melody, chord or bass note is lower"),
    "high": ("Highest note", "No melody, chord or bass note is higher"),
    "plan": ("Chord plan", "Which chords the band plays: none given, those you typed, a model's own, or a known row"),
    "harmony": ("Keep to chords", "How closely the players keep to the chords of the plan"),
    "vary": ("Variation", "How much a section changes when it returns"),
    "fills": ("Drum fills", "Drums fill in before a new section"),
    "lead": (
        "Chords by keys",
        "Keys that give the band its chord: those below the split point, or all",
    ),
    "split": ("Split point", "Keys below this one are your left hand, which gives the chords"),
    "turn": ("Turn at", "When the band turns to the chord of your left hand"),
    "mode": ("With you", "All play, the lead answers you, or the band accompanies you"),
    "question": ("You end with", "What ends your question, so that the band answers: silence, bars, or the pedal"),
    "silence": ("Silence", "How many beats of your silence end your question"),
    "changes": ("New style at", "When another genre, model or patch takes effect"),
    "mutes": ("Mute at", "When a part or player falls silent, or comes in again"),
    "feel": ("Drummer's feel", "How far accents and timing are those of the genre's drummers"),
    "dynamics": ("Swells", "How far phrases and sections swell and fade"),
    "seed": ("Idea number", "The same number and knobs give the same music again"),
    "new_seed": ("New idea each start", "Every start has another idea number"),
    "level": ("Loudness", "Loudness of the built-in sounds"),
    "keys_level": ("Your loudness", "Loudness of your keyboard with the built-in sound"),
    "keys_transpose": ("Transpose you", "Semitones by which your keyboard is moved up or down"),
    "keys_velocity": ("Your touch", "Above 0: keys sound harder than you strike them; below: softer"),
    "keys_channel": ("Listen to", "The MIDI channel of your keyboard that is heard"),
    "keys_out": ("Send keys", "Whether the MIDI output gets what you play, and on which channel"),
}
_OF_PLAYERS = {
    "style": ("Genre strength", "How strongly it enters a genre: 1 as it learnt it, more exaggerates its first bars"),
    "temperature": ("Surprise", "Low repeats what is likely, high surprises"),
    "density": ("Busy", "How many notes it plays, from few to many"),
    "register": ("Height", "How high it plays, from low notes to high ones"),
    "top_p": ("Odd notes", "How unlikely a note may be: low keeps to the usual ones, 1 allows all"),
    "hear": ("Listens", "It takes up what the players before it have played"),
    "follow": ("From you", "How far it sets out from what was just played"),
    "syncopation": ("Off the beat", "From on the beat to off it"),
    "length": ("Note length", "From short notes to long ones"),
    "instrument_b": ("Second sound", "The instrument that it changes into"),
    "morph": ("Morph", "From the one instrument to the other, also while notes are held"),
    "brightness": ("Bright", "From dull to bright"),
    "ring": ("Ring on", "How much longer a note rings when its key is released"),
    "genre_b": ("Second genre", "What it blends into"),
    "motion": ("Drift", "How fast its style wanders: 0 stays where it is"),
    "tune": ("Tune to band", "How strongly it is tuned to the key and scale of the band"),
    "chords": ("Tune to chords", "It follows the chords that the band plays, not only its key"),
    "duck": ("Dip on beats", "How far its level falls at every beat"),
    "part": ("Plays", "The part that it plays; keys: your keyboard; all: everything but drums"),
}
_OF_SOUNDS = {
    "x": ("Tone", "Where notes of one instrument differ most: from one end to the other"),
    "y": ("Colour", "Where they differ next"),
}

YOU = ("question", "silence", "lead", "split", "turn", "keys_level", "keys_transpose", "keys_velocity",
       "keys_channel", "keys_out")  # fmt: skip
"""Knobs of the instrument that are about the person who plays."""

_FIRST = {
    "band": ("key", "scale", "plan", "seed", "harmony", "vary", "level"),
    "you": ("question", "lead", "turn", "silence", "split", "keys_level"),
    "notes": ("genre", "temperature", "density", "register", "wander"),
    "voice": ("instrument", "instrument_b", "part", "morph", "brightness", "vibrato"),
    "stream": ("genre", "genre_b", "blend", "temperature", "motion", "tune"),
}


def plain(info: KnobInfo) -> KnobInfo:
    """A knob with the plain name and sentence that it has in the window."""
    table = _OF_THE_BAND if info.player == INSTRUMENT else _OF_PLAYERS | _OF_SOUNDS
    name, help = table.get(info.id, ("", ""))
    return msgspec.structs.replace(info, label=name or info.label, help=help or info.help)


def comes_first(info: KnobInfo, of: str) -> bool:
    """Whether a knob is seen at once, not behind *More*. of: "band", "you", or the kind of player."""
    return info.id in _FIRST.get(of, ())
