"""Times the start for `hocket bench`: `python -m instrument.cli.timed_start TRACE` plays for four seconds without a
window, and the engine leaves its measurements in the file TRACE."""

from __future__ import annotations

import sys

from instrument.cli.playing import play_headless


def main(arguments: list[str]) -> int:
    """Run it; see the module."""
    play_headless({"trace": arguments[0]}, seconds=4.0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
