"""Loads patches and MIDI maps while the music plays: by name, by the buttons of the list, by program changes; and
takes steps back."""

from __future__ import annotations

import gc
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from instrument.engine.describing import Describer
from instrument.engine.midi_reading import read_chords
from instrument.engine.note_thread import NoteThread
from instrument.engine.performance.knobs import OF_THE_ROOM
from instrument.engine.performance.patches import Patch, list_patches, patch_of_program, remove_patch, save_patch
from instrument.engine.performance.takes import Take, load_take, patch_of
from instrument.engine.restoring import go_to
from instrument.engine.surface.history import Moment, seats
from instrument.engine.surface.midi_maps import load_map
from instrument.errors import HocketError

CALL_TIMEOUT_S = 2.0  # how long the notes thread may take for a quick call
NO_ANSWER = f"the players did not answer within {CALL_TIMEOUT_S:g} s: try again"


class PatchLoader:
    """problem: why the last patch that a button or a program change asked for was not loaded."""

    def __init__(self, notes: NoteThread, describer: Describer, worker: ThreadPoolExecutor) -> None:
        """worker: for what is slow."""
        self.problem = ""
        self._notes = notes
        self._describer = describer
        self._worker = worker
        notes.midi_learn.choose_patch = self._choose
        notes.buttons.on("patch/next", lambda _: self._step(1))
        notes.buttons.on("patch/previous", lambda _: self._step(-1))
        notes.buttons.on("patch/random", lambda _: self._step(0))

    def use(self, name: str) -> None:
        """Load a patch. Slow: for the worker. HocketError if it cannot be loaded; nothing has changed then."""
        patch = patch_of(name)
        here = self._as_here(patch)
        self._notes.call(lambda: self._notes.use_in_time(here)).result(CALL_TIMEOUT_S)
        self._describer.saved_patch = patch
        gc.collect()  # players of patches before, which the notes process releases once nobody has them

    def play_take(self, path: str) -> None:
        """Play a take again. Slow: for the worker. HocketError if it cannot be played; nothing has changed then."""
        take = load_take(Path(path).expanduser())
        here = self._as_here(take.header.patch)
        self._notes.call(lambda: self._begin_take(take, here)).result(CALL_TIMEOUT_S)
        self._describer.saved_patch = take.header.patch

    def open_chart(self, path: str) -> None:
        """Play the chords of a MIDI file. Slow: for the worker. HocketError if there are none, or it cannot be read."""
        text = read_chords(path)
        self._notes.call(lambda: self._notes.act(lambda one: one.play_typed(text))).result(CALL_TIMEOUT_S)

    def _begin_take(self, take: Take, patch: Patch) -> None:
        self._notes.use(patch, take)
        self._notes.play()

    def _as_here(self, patch: Patch) -> Patch:
        """A patch with the present devices and room. Its models are opened. HocketError if one cannot be."""
        for player in patch.players:
            self._notes.models.load(player.model)
        now = self._notes.view.snapshot.patch
        room = {knob: value for knob, value in now.knobs.items() if knob in OF_THE_ROOM}
        routing = replace(now.routing, channels=patch.routing.channels)
        return replace(patch, knobs=patch.knobs | room, routing=routing)

    def use_map(self, name: str) -> None:
        """Use the bindings of a MIDI map; of none, if the name is empty. HocketError if there is no such map."""
        bindings = load_map(name).bindings if name else ()
        self._notes.call(lambda: self._notes.midi_learn.bind(bindings)).result(CALL_TIMEOUT_S)

    def save(self, name: str) -> None:
        """Save the present patch. HocketError if that cannot be."""
        saved = self._describer.saved_patch = save_patch(self._notes.view.snapshot.patch, name)
        self._notes.call(lambda: self._notes.set_fields(name=saved.name)).result(CALL_TIMEOUT_S)

    def remove(self, name: str) -> None:
        """Remove a patch of the user's. HocketError if it is not one."""
        remove_patch(name)
        self._describer.look_at_patch(self._notes.view.snapshot.patch)

    def undo(self, redo: bool) -> None:
        """Take the last step back, or do it again. Slow: for the worker. HocketError if there is none, or if it cannot
        be taken back any more."""
        notes = self._notes
        wanted = notes.call(lambda: self._next_moment(redo)).result(CALL_TIMEOUT_S)
        if wanted is None:
            return
        now = notes.view.snapshot.patch
        seated_anew = seats(wanted.patch) != seats(now)  # else all models are there
        for player in wanted.patch.players if seated_anew else ():
            notes.models.load(player.model)
        if wanted.patch.name != now.name:
            self._describer.look_at_patch(wanted.patch)
        notes.call(lambda: go_to(notes, wanted)).result(CALL_TIMEOUT_S)
        if seated_anew:
            notes.models.forget()  # those that were opened and not needed
            gc.collect()

    def _next_moment(self, redo: bool) -> Moment | None:
        """Where the next undo or redo leads. A patch that has not begun is dropped instead, which leads nowhere."""
        if self._notes.coming and not redo:
            self._notes.drop_coming()
            return None
        return self._notes.view.history.take(redo)

    def _choose(self, bank: int, program: int) -> None:
        """Load the patch of a program change."""
        self._worker.submit(self.attempt, lambda: self.use(patch_of_program(bank, program)))

    def _step(self, by: int) -> None:
        """Load another patch of the list: by so many places on; 0: any other."""

        def step() -> None:
            names, now = list_patches(), self._notes.patch_name
            at = names.index(now) if now in names else -1 if by > 0 else 0
            self.use(names[(at + (by or 1 + secrets.randbelow(max(1, len(names) - 1)))) % len(names)])

        self._worker.submit(self.attempt, step)

    def attempt(self, do: Callable[[], object]) -> None:
        """Do what a press asks for. What fails is shown until something else is asked for."""
        try:
            do()
            self.problem = ""
        except HocketError as error:
            self.problem = str(error)
        except TimeoutError:
            self.problem = NO_ANSWER
        self._describer.expire()
