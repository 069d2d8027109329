"""Process many files in batches, each batch in its own process that writes its result to disk. A file that crashes
its process costs only that file, and an interrupted run resumes where it stopped."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from itertools import accumulate
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from instrument.errors import HocketError

CANNOT_WRITE = 3  # exit status of a process that could not write its result

T = TypeVar("T")


def work_through(
    batches: list[list[T]],
    work: Callable[[list[T]], None],
    saved: Callable[[list[T]], bool],
    lost: Callable[[T], None],
    jobs: int,
    seconds: float,
    what: str,
    console: Console,
) -> list[list[T]]:
    """Call `work` on all batches that are not `saved`, in `jobs` processes at a time; returns the batches as processed,
    in order.

    A batch whose process crashes, or takes more than `seconds`, is halved, down to the one item that causes
    it; `lost` is called for that item, and has to save it. what: the heading of the progress bar.
    HocketError where results cannot be written.
    """
    context = multiprocessing.get_context("spawn")
    places = accumulate((len(batch) for batch in batches), initial=0)
    at = dict(zip(places, batches, strict=False))  # by the number of their first item
    todo = [(place, batch) for place, batch in at.items() if not saved(batch)]
    running: dict[int, tuple[BaseProcess, int, list[T], float]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        total, left = sum(map(len, batches)), sum(len(batch) for _, batch in todo)
        task = progress.add_task(what, total=total, completed=total - left)
        todo.reverse()
        try:
            while todo or running:
                while todo and len(running) < jobs:
                    place, batch = todo.pop()
                    process = context.Process(target=work, args=(batch,), daemon=True)
                    process.start()
                    running[process.sentinel] = (process, place, batch, time.monotonic())
                wait(list(running), timeout=1.0)
                for sentinel, (process, place, batch, began) in list(running.items()):
                    if process.is_alive():
                        if time.monotonic() - began > seconds:
                            process.kill()
                        continue
                    process.join()
                    del running[sentinel]
                    if saved(batch):
                        progress.advance(task, len(batch))
                    elif process.exitcode == CANNOT_WRITE:
                        raise HocketError("results cannot be written: is the disk full?")
                    elif process.exitcode == 1:  # a Python error, no crash: it has been printed
                        raise RuntimeError(f"{what} failed in the batch from {batch[0]}")
                    elif len(batch) > 1:  # one of them crashes its process: find out which
                        half = len(batch) // 2
                        at[place], at[place + half] = batch[:half], batch[half:]
                        todo += [(place + half, batch[half:]), (place, batch[:half])]
                    else:
                        lost(batch[0])
                        progress.advance(task, 1)
        finally:
            for process, *_ in running.values():
                process.kill()
                process.join()
    return [batch for _, batch in sorted(at.items(), key=lambda entry: entry[0])]
