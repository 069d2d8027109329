"""Music without threads, time or devices: players, knobs, patches, takes."""
