"""Speed of training in several processes against one: `python -m training bench --processes 2`.

The same batch, divided among the processes, each in one thread. They run in turn with a single process, and of each the
quickest batch counts, as other programs on the machine only make it longer. Where these leave no core alone, two
processes hardly gain; the processor time of a batch says what they would gain, but for waiting for each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from instrument.errors import HocketError
from training.bench.speed import made_up, recipe_on
from training.core import ranks
from training.fit import Run

RECIPE = "lstm"
ROUNDS = 2  # of one process and of several
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def bench_processes(count: int, batches: int) -> dict[str, dict[str, Any]]:
    """A row: notes a second of the LSTM's recipe with one process and with `count`, their ratio, and that of the
    processor time of a batch in each process. HocketError if a run fails."""
    found: dict[int, list[list[float]]] = {1: [], count: []}
    with tempfile.TemporaryDirectory() as place:
        data = made_up(Path(place))
        for _ in range(ROUNDS):
            for processes, seconds in found.items():
                seconds.append(_quickest(processes, data, Path(place), batches))
        recipe = recipe_on(data, RECIPE)
    notes = recipe.train.batch_size * recipe.train.sequence_length
    (alone, alone_busy), (together, together_busy) = (map(min, *seconds) for seconds in found.values())
    return {
        f"{count} processes": {
            "notes/s": round(notes / together),
            "of one process": round(notes / alone),
            "ratio": round(alone / together, 2),
            "by processor time": round(alone_busy / together_busy, 2),
        }
    }


def _quickest(processes: int, data: Path, folder: Path, batches: int) -> list[float]:
    """Seconds of the quickest batch of a run in so many processes, and the least processor time of the first one."""
    result = folder / "seconds.json"
    done = subprocess.run(
        [*TORCHRUN, str(processes), "-m", "training.bench.processes", str(data), str(result), str(batches)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HocketError(f"{processes} processes did not train: {done.stderr.strip()[-500:]}")
    return [float(seconds) for seconds in json.loads(result.read_text())]


def _train(data: Path, result: Path, batches: int) -> None:
    """Runs in each process that torchrun started."""
    torch.set_num_threads(1)
    ranks.join("cpu")
    try:
        run, times = Run(recipe_on(data, RECIPE), result.parent / "run"), []
        for _ in range(batches + 1):
            begin, busy = time.perf_counter(), time.process_time()
            run.step(0.0)
            times.append((time.perf_counter() - begin, time.process_time() - busy))
        if not ranks.rank():
            result.write_text(json.dumps([min(each) for each in zip(*times[1:], strict=True)]))  # the first allocates
    finally:
        ranks.leave()


if __name__ == "__main__":
    _train(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
