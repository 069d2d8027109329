"""A device for tests that stands in for a GPU: it computes on the processor, and refuses what CUDA refuses, an
operation on tensors of two devices and a conversion to numpy.

It is PyTorch's "privateuseone", the name that is kept for devices from outside. A tensor of it is a wrapper of one on
the processor; an operation unwraps, checks and wraps.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "separate"
MOVES = {"_to_copy", "copy_", "_copy_from", "_copy_from_and_resize"}  # operations that take tensors of two devices


class Wrapper(torch.Tensor):
    """A tensor on the device, held by the processor as `held`."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Wrapper:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
            requires_grad=False,
            dispatch_sizes_strides_policy="sizes",  # an operation in place may change them
        )
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:
        return f"Wrapper({self.held!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Device(TorchDispatchMode):
    """Sees every operation, also those that make tensors of nothing."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation on the device, or on the processor."""
    tensors = [a for a in pytree.arg_tree_leaves(*args, **kwargs) if isinstance(a, torch.Tensor)]
    wrapped = [t for t in tensors if isinstance(t, Wrapper)]
    device = kwargs.get("device")
    onto = device is not None and torch.device(device).type == NAME
    name = func.__name__.split(".")[0]
    foreign = [t for t in tensors if not isinstance(t, Wrapper) and (t.dim() or name.startswith("_fused"))]
    if wrapped and foreign and name not in MOVES:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found {NAME} and cpu")
    if not wrapped and not onto:
        return func(*args, **kwargs)
    if device is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    inside, inside_kwargs = pytree.tree_map_only(Wrapper, lambda t: t.held, (args, kwargs))
    found = INSTEAD.get(name, func)(*inside, **inside_kwargs)
    if device is not None and not onto:
        return found
    known = {id(t.held): t for t in wrapped} | {id(t): t for t in tensors if not isinstance(t, Wrapper)}
    return pytree.tree_map_only(torch.Tensor, lambda t: known[id(t)] if id(t) in known else Wrapper(t), found)


def lstm_cell(ours: Tensor, back: Tensor, cell: Tensor, ours_bias: Any = None, back_bias: Any = None) -> Any:
    """PyTorch's kernel for GPUs, which the processor does not have."""
    gates = ours + back if ours_bias is None else ours + back + ours_bias + back_bias
    enter, forget, value, leave = gates.chunk(4, 1)
    enter, forget, value, leave = enter.sigmoid(), forget.sigmoid(), value.tanh(), leave.sigmoid()
    after = forget * cell + enter * value
    return leave * after.tanh(), after, torch.cat([enter, forget, value, leave], 1)


def lstm_cell_backward(hidden: Any, late: Any, cell: Tensor, after: Tensor, gates: Tensor, biased: bool) -> Any:
    """Its gradients."""
    enter, forget, value, leave = gates.chunk(4, 1)
    hidden = torch.zeros_like(cell) if hidden is None else hidden
    bent = after.tanh()
    grad = hidden * leave * (1 - bent**2) + (0 if late is None else late)
    of_gates = torch.cat(
        [
            grad * value * enter * (1 - enter),
            grad * cell * forget * (1 - forget),
            grad * enter * (1 - value**2),
            hidden * bent * leave * (1 - leave),
        ],
        1,
    )
    return of_gates, grad * forget, of_gates.sum(0) if biased else None


def gru_cell(ours: Tensor, back: Tensor, hidden: Tensor, ours_bias: Any = None, back_bias: Any = None) -> Any:
    """The same for a GRU."""
    if ours_bias is not None:
        ours, back = ours + ours_bias, back + back_bias
    (one, two, three), (first, second, third) = ours.chunk(3, 1), back.chunk(3, 1)
    reset, keep = (one + first).sigmoid(), (two + second).sigmoid()
    new = (three + reset * third).tanh()
    return new + keep * (hidden - new), torch.cat([reset, keep, new, hidden, third], 1)


def gru_cell_backward(grad: Tensor, workspace: Tensor, biased: bool) -> Any:
    """Its gradients."""
    reset, keep, new, hidden, third = workspace.chunk(5, 1)
    of_new = grad * (1 - keep) * (1 - new**2)
    of_reset = of_new * third * reset * (1 - reset)
    of_keep = grad * (hidden - new) * keep * (1 - keep)
    ours = torch.cat([of_reset, of_keep, of_new], 1)
    back = torch.cat([of_reset, of_keep, of_new * reset], 1)
    return ours, back, grad * keep, ours.sum(0) if biased else None, back.sum(0) if biased else None


INSTEAD = {  # of what the processor does not have, and of lazy views, whose mark a wrapper does not show
    "_conj": torch.conj_physical,
    "_neg_view": torch.neg,
    "_thnn_fused_lstm_cell": lstm_cell,
    "_thnn_fused_lstm_cell_backward_impl": lstm_cell_backward,
    "_thnn_fused_gru_cell": gru_cell,
    "_thnn_fused_gru_cell_backward": gru_cell_backward,
}


@functools.cache
def _register() -> None:
    _setup_privateuseone_for_python_backend(NAME)


@contextmanager
def separate_device() -> Iterator[str]:
    """Within it there is the device of that name."""
    _register()
    with Device():
        yield NAME
