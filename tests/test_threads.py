"""One thread multiplies, whatever starts the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = (
    "import {module}, numpy, os, time; a = numpy.ones((600, 600), numpy.float32)\n"
    "for _ in range(20): a @ a\n"
    "print(sum(open(f'/proc/self/task/{{t}}/stat').read().rpartition(')')[2].split()[11] != '0'"
    " for t in os.listdir('/proc/self/task')))"
)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
@pytest.mark.parametrize("module", ["instrument.cli", "instrument.engine.process", "instrument.models.sound.ddsp"])
def test_matrices_are_multiplied_by_one_thread(module):
    environment = {k: v for k, v in os.environ.items() if "THREADS" not in k}
    code = COUNT.format(module=module)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) <= 1
