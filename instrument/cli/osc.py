"""The OSC process beside `hocket play`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from instrument.errors import HocketError
from instrument.processes import command

_END_S = 3.0


@contextmanager
def osc_bridge(listen: str, target: str) -> Iterator[None]:
    """Listen for OSC meanwhile; listen empty: do not. target: who is told of changes. HocketError for an address that
    is none or is taken."""
    if not listen:
        if target:
            raise HocketError("--osc-out needs --osc: give a port to listen at, too")
        yield
        return
    process = subprocess.Popen(
        command("osc", listen, *filter(None, [target])), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        answer = json.loads(process.stdout.readline() or '"the OSC process did not start"')
        if isinstance(answer, str):
            raise HocketError(answer)
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
