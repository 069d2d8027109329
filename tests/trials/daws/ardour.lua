-- Ardour without a window, for the trials: a session on JACK with a MIDI and a stereo track, driven by lines.
--
--   ardour7-lua ardour.lua FOLDER LEADER BPM [BEAT BPM]
--
-- LEADER: whose time it keeps, "JACK" or "MIDI Clock". BPM: the tempo of the session, and another from a beat on.
--
-- Commands have their words divided by |. Each is answered by its lines, and then "done" or "failed WHY".

local folder, leader = arg[1], arg[2]
local bpm, beat, later = tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])
AudioEngine:set_backend("JACK", "Ardour", "")
assert(AudioEngine:start(false) == 0, "no JACK server")
local session = assert(create_session(folder, "trial", 48000))

local tempos = Temporal.TempoMap.fetch_writable()
tempos:set_tempo(Temporal.Tempo(bpm, bpm, 4), Temporal.timepos_t(0))
if beat then
  local from = Temporal.timepos_t.from_ticks(Temporal.ticks_per_beat * beat)
  tempos:set_tempo(Temporal.Tempo(later, later, 4), from)
end
Temporal.TempoMap.update(tempos)

local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
local last, normal = ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal
for _, name in ipairs({"notes", "control"}) do
  session:new_midi_track(midi, midi, true, ARDOUR.PluginInfo(), nil, nil, 1, name, last, normal, true)
end
session:new_audio_track(2, 2, nil, 1, "sound", last, normal, true)

-- Notes lie where they arrived ("Align with Capture Time"), not earlier by the latency of the sound card, as for
-- somebody who plays to what he hears. Lua cannot set it, so the session is saved, changed and opened again.
session:save_state("")
close_session()
session = nil
local path = folder .. "/trial.ardour"
local file = assert(io.open(path))
local text = file:read("a"):gsub('alignment%-choice="Automatic"', 'alignment-choice="UseCaptureTime"')
file:close()
file = assert(io.open(path, "w"))
file:write(text)
file:close()
session = assert(load_session(folder, "trial"))
session:cfg():set_external_sync(true)
session:cfg():set_jack_time_master(false) -- it is on, but acts only when it is switched
session:cfg():set_jack_time_master(leader == "JACK")

local function say(...)
  io.stdout:write(string.format(...), "\n")
  io.stdout:flush()
end

local function ticks(beats) -- of a time, which is printed as BEATS:TICKS
  local whole, rest = tostring(beats):match("(-?%d+):(%d+)")
  return whole * Temporal.ticks_per_beat + rest
end

local function regions(track)
  return session:route_by_name(track):to_track():playlist():region_list():iter()
end

local commands = {}

function commands.connect(track, ...)
  for i, source in ipairs({...}) do
    local problem = session:route_by_name(track):input():nth(i - 1):connect(source)
    assert(problem == 0, "cannot connect " .. source .. ": " .. tostring(problem))
  end
end

function commands.clock(source) -- whose MIDI clock it hears
  local problem = AudioEngine:connect(source, "MIDI Clock in")
  assert(problem == 0, "cannot connect " .. source .. ": " .. tostring(problem))
end

function commands.joined() -- whether JACK has not put it out
  say("%s", AudioEngine:running())
end

function commands.arm()
  for track in session:get_tracks():iter() do
    track:to_track():rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
  end
  session:maybe_enable_record(false)
end

function commands.roll()
  session:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
end

function commands.stop()
  session:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
end

function commands.locate(sample)
  local stay = ARDOUR.LocateTransportDisposition.MustStop
  session:request_locate(tonumber(sample), false, stay, ARDOUR.TransportRequestSource.TRS_UI)
end

function commands.where() -- sample, and whether it rolls and records
  say("%d %s %s", session:transport_sample(), session:transport_rolling(), session:actively_recording())
end

function commands.notes(track) -- ticks (1920 a beat) from the start of the session, pitch, velocity, length
  for region in regions(track) do
    local start = ticks(region:position():beats()) - ticks(region:start():beats())
    for note in ARDOUR.LuaAPI.note_list(region:to_midiregion():model()):iter() do
      local begins, length = start + ticks(note:time()), ticks(note:length())
      say("%d %d %d %d", begins, note:note(), note:velocity(), length)
    end
  end
end

function commands.sound() -- sample at which a region begins, and its length
  for region in regions("sound") do
    say("%d %d", region:position():samples(), region:length():samples())
  end
end

say("ready")
for line in io.lines() do
  local words = {}
  for word in line:gmatch("[^|]+") do words[#words + 1] = word end
  if words[1] == "quit" then break end
  local ok, problem = pcall(commands[words[1]], table.unpack(words, 2))
  say(ok and "done" or "failed " .. tostring(problem))
end
session:save_state("")
close_session()
quit()
