"""Training in several processes that `torchrun` starts, on one machine or several: every process (rank) has the whole
network, computes the gradient on its share of the batch, and all take the same step with the mean gradient.

The mean is taken by one all-reduce after the backward pass. DistributedDataParallel, which overlaps the two, needs one
`forward` for all of a task's losses and does not know a critic's optimiser; for networks of some million parameters,
there is little to overlap. Without `torchrun` there is one rank, and these functions change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from instrument.errors import HocketError

PATIENCE = timedelta(hours=2)  # that ranks wait while the first one validates


def join(device: str) -> str:
    """Join the other processes, if `torchrun` started this one; returns the device to use: with several GPUs, that of
    this process. HocketError if the device is not there."""
    place = torch.device(device)
    local = int(os.environ.get("LOCAL_RANK", 0))
    if place.type == "cuda":
        there = torch.cuda.device_count()
        place = torch.device("cuda", local if place.index is None else place.index)
        if place.index >= there:
            raise HocketError(f"there is no device {place}: this machine has {there} GPUs that PyTorch can use")
        torch.cuda.set_device(place)
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=PATIENCE)
    return str(place)


def leave() -> None:
    """End what `join` began."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process. The first, 0, writes and prints."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def share(size: int) -> slice:
    """This process's rows of a batch of that size. HocketError if it cannot be divided evenly."""
    if size % count():
        raise HocketError(f"batch_size {size} cannot be divided among {count()} processes: choose a multiple")
    each = size // count()
    return slice(rank() * each, (rank() + 1) * each)


@contextmanager
def first_rank_first() -> Iterator[None]:
    """The first process runs the block before the others do, so that these find the files it writes."""
    if rank():
        dist.barrier()
    try:
        yield
    finally:
        if not rank() and count() > 1:
            dist.barrier()


def agreed(*values: float) -> list[float]:
    """The first process's values, in all of them."""
    if count() == 1:
        return list(values)
    told: list[Any] = [list(values)]
    dist.broadcast_object_list(told)
    return told[0]


def any_rank(true: bool) -> bool:
    """Whether it is true in any process."""
    if count() == 1:
        return true
    found: list[Any] = [None] * count()
    dist.all_gather_object(found, true)
    return any(found)


def mean_of_ranks(values: Tensor) -> Tensor:
    """The mean of the processes' values, without a gradient."""
    values = values.detach().clone()
    if count() > 1:
        dist.all_reduce(values)
        values /= count()
    return values


def over_batch(mean: Tensor) -> Tensor:
    """A mean over this process's rows as one over the whole batch: its value is that of all, its gradient this
    process's part. For what is not linear in the mean."""
    return mean if count() == 1 else mean + (mean_of_ranks(mean) - mean.detach())


def weighted_mean(values: Tensor, weights: Tensor, spare: float = 0.0) -> Tensor:
    """Mean of values by weights, or by a mask, over the whole batch: the sum of this process's part divided by its
    share of the weights of all, so that the mean over the processes is right even if their weights differ. spare: is
    added to the weights of all, where these may be zero."""
    total = weights.sum().float() + spare / count()
    return (values * weights).sum() / mean_of_ranks(total)


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace the gradients of these by their means over the processes."""
    if count() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = mean_of_ranks(torch.cat([g.reshape(-1) for g in gradients]))
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def joined_rows(rows: list[Any]) -> list[Any]:
    """The lists of all processes, one after another."""
    if count() == 1:
        return rows
    found: list[Any] = [None] * count()
    dist.all_gather_object(found, rows)
    return [row for part in found for row in part]


def joined_batch(states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """States (layers, batch, ...) of all processes, side by side."""
    if count() == 1:
        return states
    found = []
    for state in states:
        parts = [torch.empty_like(state) for _ in range(count())]
        dist.all_gather(parts, state.contiguous())
        found.append(torch.cat(parts, 1))
    return tuple(found)
