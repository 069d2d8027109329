"""Buttons: what is pressed and acts once. The table of their names, and what each does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from instrument.engine.ipc.messages import KnobInfo, Value
from instrument.errors import HocketError

Action = Callable[[int], object]  # gets the time of the press (ns)


class Button(NamedTuple):
    """A row of the table. name: "group/what", unique among buttons and knobs; label and help: for the window."""

    name: str
    label: str
    help: str


CLIP_BARS = (1, 2, 4, 8)
"""Lengths of clips."""

ALL = "clip/all"
CLIPS = {f"clip/{bars}": bars for bars in CLIP_BARS} | {ALL: 1_000_000}
"""Buttons that keep bars, and how many at most."""

BUTTONS: tuple[Button, ...] = (
    Button("transport/play", "Play", "Start the music"),
    Button("transport/stop", "Stop", "Stop the music; the next start begins with bar 1"),
    Button("transport/toggle", "Play or stop", "Start the music, or stop it while it plays"),
    Button("transport/panic", "Panic", "End all notes on all outputs; the music goes on"),
    Button("transport/tap", "Tap", "Set the tempo to that of the last presses"),
    Button("form/again", "Again", "Play the section once more from its start, as it was, from the next bar on"),
    Button("form/previous", "Previous", "Play the section before this one once more, as it was"),
    Button("form/pin", "Pin", "Let every section begin with the motif of these two bars"),
    Button("form/new", "New section", "Begin a new section with the next bar"),
    Button("form/intro", "Intro", "Four bars of chords and bass, from the next bar on"),
    Button("form/fill", "Fill", "Let the drums fill in, in the next bar"),
    Button("form/break", "Break", "Let the melody play the next bar alone"),
    Button("form/ending", "Ending", "Play an ending, from the next bar on, and stop"),
    Button("chord/hold", "Hold chord", "Stay on the present chord of the plan"),
    Button(
        "chord/release", "To the plan", "Leave the chord of the left hand or one that is held, and go back to the plan"
    ),
    Button("idea/new", "New idea", "Another seed and a fresh memory for all players, on the same plan"),
    Button("idea/reroll", "Reroll", "Other notes for all players from the next bar on, on the same plan"),
    Button("answer/now", "Answer", "End your question, so that the lead answers (for a pedal)"),
    Button("remake/bar", "Remake bar", "Make the next bar of a player anew, so that it fits to those around it"),
    Button("remake/other", "Another", "Hear the next of four candidates for the bar that was made anew"),
    Button("remake/keep", "Keep", "Keep the bar as it now is, and forget the other candidates"),
    Button("remake/undo", "As it was", "Put back what was in the bar before it was made anew"),
    Button("patch/next", "Next patch", "Load the patch after the present one, by name"),
    Button("patch/previous", "Previous patch", "Load the patch before the present one, by name"),
    Button("patch/random", "Random patch", "Load any other patch"),
    *(
        Button(f"clip/{bars}", f"{bars}", f"Keep the last whole bars that were heard, up to {bars}, as a clip")
        for bars in CLIP_BARS
    ),
    Button(ALL, "Save what I just played", "Keep all whole bars since the start, as notes, take and sound"),
)


class Buttons:
    """What the buttons do. Actions are added as the parts of the engine are built; for the notes thread."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}

    @property
    def without_action(self) -> list[str]:
        """Names of the table for which no action was added."""
        return [button.name for button in BUTTONS if button.name not in self._actions]

    def on(self, name: str, action: Action) -> None:
        """Set what the button does. It must not wait. KeyError for a name that is not in the table."""
        if name not in {button.name for button in BUTTONS}:
            raise KeyError(name)
        self._actions[name] = action

    def press(self, name: str, ns: int) -> None:
        """Do what the button does; ns: when it was pressed. HocketError for an unknown name."""
        action = self._actions.get(name)
        if action is None:
            known = ", ".join(button.name for button in BUTTONS)
            raise HocketError(f"there is no button {name!r}: press a knob or one of {known}")
        action(ns)


def value_after_press(info: KnobInfo, value: Value) -> Value:
    """What a knob becomes where it is pressed like a button: a switch changes, a choice takes the next value, a number
    returns to its default."""
    if info.kind == "switch":
        return float(not value)
    if info.kind == "choice":
        return info.choices[(info.choices.index(str(value)) + 1) % len(info.choices)]
    return info.default
