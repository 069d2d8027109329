"""The mix thread: renders blocks of sound and keeps a few of them ready for the audio device."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from instrument import last_resort, midi_spec
from instrument.engine.midi.scheduler import Agenda, strikes
from instrument.engine.performance.performance import Performance, Played
from instrument.engine.sound.click import Click, Metronome
from instrument.engine.sound.lead import LEAD_S, MAX_LEAD_S, Lead
from instrument.engine.sound.memory import SoundMemory
from instrument.engine.sound.mixer import BLOCK, KEYS, SHORT_BLOCK, VOICES, Event, Mixer
from instrument.engine.sound.sound_players import SILENT, SoundPlayers
from instrument.engine.sound.spectrum import SIZE, spectrum
from instrument.engine.sound.wavfile import WavRecorder
from instrument.engine.voices.gain import Frames
from instrument.engine.voices.live_channels import LiveChannels
from instrument.engine.voices.opening import Voice, open_voice
from instrument.io.ports import AudioOutput
from instrument.io.priority import DEADLINE_PRIORITY, set_realtime_priority
from instrument.music.midifile import CHANNELS
from instrument.music.timebase import TempoMap

MIN_READY_S = 0.012  # at least this much is ready while the mixer waits for a stream
LOOKAHEAD = 128  # frames by which the mixer renders ahead of what it returns, and the grain of a voice
STALE_S = 0.1  # a note-on later than this is dropped
_SMOOTH = 0.05  # weight of the last round in `load`

Setting = tuple[Event, ...]  # programs, pans and levels of all parts; knobs of the sound players


class MixThread:
    """An `Output` of the notes thread that plays notes with the built-in voices, from a thread of its own.

    load: time spent on mixing as a share of real time, 0..1; begun: frame of the mixer at which streams last began;
    memory: the last minutes of the output, begun anew where the sample rate changes;
    recorded: first frame of the last recording, counted by the mixer, and when (ns) that frame is heard.
    """

    def __init__(self, audio: AudioOutput) -> None:
        """audio: an open device. Loads the voices, which takes a second."""
        self.agenda = Agenda()
        self.audio = audio
        self.load = 0.0
        self.begun = 0
        self.recorded = (0, 0)
        self._problem = ""
        self._tempo: TempoMap | None = None
        self._begins = False  # the transport has been started
        self._place = (0, 0.0, 1.0)  # a frame of the mixer, when (ns) it is heard, and how long a frame lasts
        self._settings: deque[tuple[int, Setting]] = deque()  # settings to come, each with the tick from which it holds
        self._recorders: tuple[SoundRecorder, ...] = ()
        self._lead = Lead()
        self._recent: deque[Frames] = deque(maxlen=SIZE // SHORT_BLOCK)  # blocks
        self._players: SoundPlayers | None = None
        self._live = LiveChannels()
        self._metronome = Metronome()
        self._posting = threading.Lock()
        self._latest = 0  # frame of the last event posted
        self._mixed = 0  # frames of this mixer
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="mix", daemon=True)
        self._build(audio)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def strike(self, played: Sequence[Played]) -> None:
        """As `Output.strike`."""
        self.agenda.add(strikes(played))
        self.players.chords.add_notes(note for _, note in played)

    def cut(self, played: Sequence[Played]) -> None:
        """As `Output.cut`."""
        with self._posting:
            for message in self.agenda.cut(strikes(played)):
                self._mixer.post(self._latest, message)

    def retime(self, tempo: TempoMap | None) -> None:
        """As `Output.retime`."""
        self._begins = tempo is not None and (self._begins or self._tempo is None)
        self._tempo = tempo
        if tempo is None:
            self.players.stop()

    def arrange(self, performance: Performance) -> None:
        """As `Output.arrange`. The scene holds from the floor on."""
        self._metronome.arrange(performance)
        self._lead.buffer = float(performance.setting("buffer")) / 1000
        if setting := self.players.arrange(performance.scene, performance.floor):
            self._settings.append((performance.floor, setting))

    def lead_ns(self) -> int:
        """As `Output.lead_ns`."""
        status = self.audio.status()
        lead = self._lead.buffer + (MAX_LEAD_S if self.players.keyed else LEAD_S)
        frames = max(lead * status.rate, 2 * status.block) + BLOCK + LOOKAHEAD
        return int(frames / status.rate * 1e9) + status.latency_ns

    def silence(self) -> None:
        """As `Output.silence`."""
        with self._posting:
            for message in self.agenda.silence():
                self._mixer.post(self._latest, message)

    def panic(self) -> None:
        """As `Output.panic`."""
        with self._posting:
            self.agenda.silence()
            self._mixer.panic()

    def play(self, message: bytes) -> None:
        """Play a short MIDI message from a person as soon as possible. Any thread."""
        self._lead.played = time.monotonic()
        with self._posting:
            for each in self._live.take(message):
                self._mixer.post(self._mixed, each)

    def poll(self) -> None:
        """Keep the device alive."""
        self.audio.poll()

    def use(self, audio: AudioOutput) -> None:
        """Play to another open device from now on, and close the previous one."""
        last, self.audio = self.audio, audio
        last.close()

    @property
    def players(self) -> SoundPlayers:
        """The sound players."""
        assert self._players
        return self._players

    @property
    def problem(self) -> str:
        """What the person playing should know, empty if all is well."""
        return "; ".join(filter(None, (self._problem, *self.players.problems)))

    def peaks(self, players: int) -> tuple[tuple[tuple[float, float], ...], tuple[float, float]]:
        """Peaks (left, right) since the last call in dBFS: of each sound player, and of the built-in voices."""
        peaks = self._mixer.peaks()
        built_in = [peaks.get(strip, SILENT) for strip in (VOICES, KEYS)]
        return (
            tuple(peaks.get(strip, SILENT) for strip in self.players.strips(players)),
            (max(left for left, _ in built_in), max(right for _, right in built_in)),
        )

    def spectrum(self) -> bytes:
        """The spectrum of the last blocks: see `engine.sound.spectrum`."""
        recent = list(self._recent)
        return spectrum(np.concatenate(recent), self._mixer.rate) if recent else b""

    def levels(self) -> tuple[float, float]:
        """Peak of left and right since the last call, dBFS."""
        return self._mixer.meter().peak

    def record(self, path: Path) -> SoundRecorder:
        """Record the output to a .wav file from now on. HocketError if it cannot be written."""
        recorder = SoundRecorder(path, self._mixer.rate, self)
        self._recorders = (*self._recorders, recorder)
        return recorder

    def forget(self, recorder: SoundRecorder) -> None:
        """Stop writing to a recorder."""
        self._recorders = tuple(other for other in self._recorders if other is not recorder)

    def close(self) -> None:
        """End the thread and close the device."""
        self._closed = True
        if self._thread.is_alive():
            self._thread.join(2)
        self.players.close()
        self.audio.close()

    def _build(self, audio: AudioOutput) -> None:
        """Make a mixer at the sample rate of a device. The next frame of the device is frame 0 of the mixer."""
        voice, keys = open_voice(audio.rate), open_voice(audio.rate)
        for each in (voice, keys):
            _warm_up(each)
        self._problem = voice.name if voice.name.startswith("plain") else ""
        with self._posting:
            self._device = audio
            self._latest = 0
            self._mixer = Mixer(audio.rate, voice, keys=keys, click=Click(audio.rate))
            self.memory = SoundMemory(audio.rate)
            self._settings.appendleft((0, self._players.settings if self._players else ()))
            self._mixed = 0
            self._base = audio.status().written
            if self._players:
                self._players.use(self._mixer)
            else:
                self._players = SoundPlayers(self._mixer, self._tick_at, live=True)

    def _continue_on(self, audio: AudioOutput) -> None:
        """Change to another device. What sounds goes on there, unless the sample rate differs."""
        if audio.rate != self._mixer.rate:
            last = self._mixer
            self._build(audio)
            for voice in filter(None, (last.voice, last.keys)):
                voice.close()
        else:
            self._device = audio
            self._base = audio.status().written - self._mixed

    def _run(self) -> None:
        set_realtime_priority(DEADLINE_PRIORITY)
        last_resort.keep_going("the mix thread", self._turn, lambda: self._closed)

    def _turn(self) -> None:
        audio = self.audio
        if audio is not self._device or audio.rate != self._mixer.rate:
            self._continue_on(audio)
        began = time.perf_counter()
        starved, keyed = audio.status().starved, self.players.keyed
        lead_s = self._lead.seconds(time.monotonic(), starved, keyed, self.load)
        lead, block = int(lead_s * audio.rate), BLOCK if lead_s >= LEAD_S else SHORT_BLOCK
        free, mixed = audio.free(lead), 0
        while free >= block and not (lead - free > MIN_READY_S * audio.rate and self.players.is_short(block)):
            self._mix(audio, block)
            free, mixed = free - block, mixed + block
        if mixed:
            share = (time.perf_counter() - began) * audio.rate / mixed
            self.load += _SMOOTH * (min(1.0, share) - self.load)
        time.sleep(max(0.001, (block - free) / audio.rate))

    def _mix(self, audio: AudioOutput, frames: int) -> None:
        """Render so many more frames for the device."""
        with self._posting:
            self._post(audio, frames)
        block = self._mixer.render(frames)
        self._mixed += frames
        self._recent.append(block)
        self.memory.add(block, audio.heard_ns(self._base + self._mixed - frames))
        audio.write(block)
        for recorder in self._recorders:
            if not recorder.begun:
                recorder.begun = True
                self.recorded = self._mixed - frames, audio.heard_ns(self._base + self._mixed - frames)
            recorder.write(block, self._mixer.rate)

    def _post(self, audio: AudioOutput, frames: int) -> None:
        """Post to the mixer all events that are heard in the next frames."""
        tempo = self._tempo
        if tempo is None:
            self._set_until(float("inf"))
            return
        start = audio.heard_ns(self._base + self._mixed)
        frame_ns = (audio.heard_ns(self._base + self._mixed + BLOCK) - start) / BLOCK
        self._place = (self._mixed, start, frame_ns)
        if self._begins:
            self._begins = False
            self.begun = max(self._mixer.horizon, self._mixed + round((tempo.ns(0) - start) / frame_ns))
            self.players.begin(self.begun)
            self._metronome.begin(tempo)
        until = tempo.tick(start + (frames + LOOKAHEAD) * frame_ns)
        self._set_until(until)
        for beat_tick, beat in self._metronome.take(until):
            self._mixer.post(self._mixed + round((tempo.ns(beat_tick) - start) / frame_ns), beat)
        for tick, message in self.agenda.take(until):
            frame = self._mixed + round((tempo.ns(tick) - start) / frame_ns)
            if frame > self._mixed - STALE_S * self._mixer.rate or not midi_spec.parse(message).starts:
                self._latest = max(self._latest, frame)
                self._mixer.post(frame, message)

    def _tick_at(self, frame: int) -> float:
        """The tick at which a frame of the mixer is heard; infinite while the transport is stopped."""
        tempo, (known, start, frame_ns) = self._tempo, self._place
        return tempo.tick(start + (frame - known) * frame_ns) if tempo else float("inf")

    def _set_until(self, tick: float) -> None:
        """Post the settings that hold from a tick before `tick`."""
        while self._settings and self._settings[0][0] < tick:
            for event in self._settings.popleft()[1]:
                self._mixer.post(self._mixed, event)


def _warm_up(voice: Voice) -> None:
    """Play a first note on every channel: it loads samples, which is too slow to do while playing."""
    for channel in CHANNELS.values():
        voice.note_on(channel, 60, 1)
        voice.render(BLOCK)
    voice.all_off()


class SoundRecorder(WavRecorder):
    """A .wav file of the output."""

    def __init__(self, path: Path, rate: int, sound: MixThread) -> None:
        """HocketError if the file cannot be written."""
        super().__init__(path, rate)
        self.begun = False
        self._sound = sound

    def close(self) -> None:
        """As `Recorder.close`."""
        self._sound.forget(self)
        super().close()
