"""Reports to clients some 30 times a second: the state of the transport, the sound and the devices."""

from __future__ import annotations

import time

from instrument import last_resort
from instrument.engine.devices import Devices, audio_text, midi_text
from instrument.engine.ipc.messages import BarReport, NoteReport, RemadeBar, Telemetry
from instrument.engine.midi.ports import MidiPorts
from instrument.engine.note_thread import NoteThread
from instrument.engine.performance.knobs import knob_name
from instrument.engine.recording import Recordings
from instrument.engine.sound.mix_thread import MixThread
from instrument.engine.state_view import drained
from instrument.engine.surface.buttons import BUTTONS

TOO_SLOW = "this machine is too slow for the model: it plays fewer notes"
LEARNING = "move a knob or press a button of your MIDI controller: it will work {}"


class Reporter:
    """Makes the telemetry. For the control thread."""

    def __init__(self, notes: NoteThread, ports: MidiPorts, sound: MixThread, devices: Devices) -> None:
        self._notes = notes
        self._ports = ports
        self._sound = sound
        self._devices = devices
        self._shown: tuple[NoteReport, ...] | None = None
        self._shown_bars: tuple[BarReport, ...] | None = None

    def show_all(self) -> None:
        """Send all planned notes and bars with the next telemetry, as a client is new."""
        self._shown = self._shown_bars = None

    def telemetry(self, recordings: Recordings, problems: tuple[str, ...]) -> Telemetry:
        """The state now. recordings: what is being recorded; problems: what the person playing should know."""
        notes, sound = self._notes, self._sound
        transport = notes.transport
        now = time.perf_counter_ns()
        tick, (bar, beat) = transport.position(now), transport.shown(now)
        audio, midi = sound.audio.status(), self._ports.first.port.status()
        plan, shown = notes.view.plan, self._shown
        bars, shown_bars = notes.view.bars, self._shown_bars
        players = len(notes.view.snapshot.kinds)
        player_levels, voices_level = sound.peaks(players)
        self._shown, self._shown_bars = plan, bars
        return Telemetry(
            playing=transport.playing,
            tick=tick,
            bpm=transport.bpm_at(tick),
            bar=bar,
            beat=beat,
            committed=tuple(drained(notes.view.committed)),
            plan=None if plan is shown else plan,
            levels=sound.levels(),
            load=sound.load,
            starved=audio.starved,
            xruns=audio.xruns,
            latency_ms=sound.lead_ns() / 1e6,
            late_notes=self._ports.late,
            sounding=self._ports.sounding,
            ms_per_note=notes.ms_per_note,
            audio=audio_text(audio),
            midi=midi_text(midi),
            recording=recordings.text,
            recording_s=recordings.seconds,
            banners=(*problems, *filter(None, [self._learning()])),
            midi_in=self._devices.midi_in,
            player_levels=player_levels,
            voices_level=voices_level,
            underruns=sound.players.underruns(players),
            spectrum=sound.spectrum(),
            keys=self._devices.keys,
            time=notes.following.text,
            learning=notes.midi_learn.learning,
            clock_seen=notes.following.sees_clock,
            clock_sent=self._ports.clock_runs,
            bars=None if bars is shown_bars else bars,
            led=notes.view.led,
            remade=self._remade(),
            lead=notes.performance.company.lead,
            undo=notes.view.history.undoes,
            redo=notes.view.history.redoes,
        )

    def problems(self) -> tuple[str, ...]:
        """What is wrong with devices, players and sound; empty where nothing is."""
        return (
            *self._devices.banners,
            *self._notes.problems,
            TOO_SLOW if self._notes.performance.thinned else "",
            self._sound.problem,
            *last_resort.problems(),
            self._notes.midi_learn.problem,
        )

    def _remade(self) -> RemadeBar | None:
        last = self._notes.performance.remaking.last
        return RemadeBar(last.player, last.bar + 1, len(last.candidates or ()), last.chosen) if last else None

    def _learning(self) -> str:
        learning = self._notes.midi_learn.learning
        if not learning:
            return ""
        labels = {button.name: button.label for button in BUTTONS}
        labels |= {knob_name(info.player, info.id): info.label for info in self._notes.view.snapshot.knobs}
        return LEARNING.format(labels.get(learning, learning))
