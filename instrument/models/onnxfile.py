"""Checks of an ONNX file before it is run: operators, opset, no external data.

A bundle from a stranger is data. onnxruntime follows external data to any path, so the file is parsed here first, as
plain protocol buffers (onnx.proto has the field numbers).
"""

from __future__ import annotations

from collections.abc import Iterator

from instrument.errors import HocketError

MAX_BYTES = 64 << 20
MAX_OPSET = 23
MAX_IR = 11  # of the oldest onnxruntime that Hocket runs with
MAX_NODES = 5000
# Field numbers of onnx.proto.
MODEL_IR, MODEL_GRAPH, MODEL_OPSET, MODEL_FUNCTIONS = 1, 7, 8, 25
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_SPARSE = 1, 5, 11, 15
NODE_INPUT, NODE_OUTPUT, NODE_ATTRIBUTE, NODE_OP, NODE_DOMAIN = 1, 2, 5, 4, 7
VALUE_NAME = 1
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
TENSOR_DIMS, TENSOR_NAME, TENSOR_EXTERNAL, TENSOR_LOCATION = 1, 8, 13, 14
MAX_ELEMENTS = 64 << 20
# Operator -> which of its inputs set the size of its output by their values.
SIZES = {"ConstantOfShape": (0,), "Expand": (1,), "Pad": (1,), "Range": (0, 1, 2), "Reshape": (1,), "Tile": (1,)}


def check_graph(data: bytes, allowed: frozenset[str], name: str) -> None:
    """Raise HocketError unless `data` is an ONNX model of allowed operators ("Op" or "domain:Op") without
    subgraphs, functions or external data. name: of the file, for the message."""
    if len(data) > MAX_BYTES:
        raise HocketError(f"{name} has {len(data)} bytes, a graph may have {MAX_BYTES}: not loaded")
    try:
        _check_model(memoryview(data), allowed)
    except _Refused as error:
        raise HocketError(f"{name} is refused: {error}") from error


class _Refused(Exception):
    pass


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise _Refused("it is no ONNX file (damaged)")
        if size > end - at:
            raise _Refused("it is cut short")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise _Refused("it is no ONNX file (damaged)")
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Refused("it is no ONNX file (damaged)")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode("utf-8", "replace")


def _check_model(data: memoryview, allowed: frozenset[str]) -> None:
    graphs = 0
    for number, value in _fields(data):
        if number == MODEL_GRAPH:
            graphs += 1
            _check_graph(_message(value), allowed)
        elif number == MODEL_IR:
            if not isinstance(value, int) or not 1 <= value <= MAX_IR:
                raise _Refused(f"its IR version is {value}, at most {MAX_IR} is read")
        elif number == MODEL_FUNCTIONS:
            raise _Refused("it defines functions of its own")
        elif number == MODEL_OPSET:
            domain, version = "", 0
            for inner, what in _fields(_message(value)):
                if inner == OPSET_DOMAIN:
                    domain = _text(what)
                elif inner == OPSET_VERSION and isinstance(what, int):
                    version = what
            if domain in ("", "ai.onnx") and not 1 <= version <= MAX_OPSET:
                raise _Refused(f"its opset is {version}, at most {MAX_OPSET} is read")
    if graphs != 1:
        raise _Refused("it holds no graph")


def _check_graph(data: memoryview, allowed: frozenset[str]) -> None:
    nodes = elements = 0
    weights = {_name_in(_message(v), TENSOR_NAME) for number, v in _fields(data) if number == GRAPH_INITIALIZER}
    inputs = {_name_in(_message(v), VALUE_NAME) for number, v in _fields(data) if number == GRAPH_INPUT}
    given = inputs - weights  # names whose values depend on what the graph is fed
    for number, value in _fields(data):
        if number == GRAPH_NODE:
            nodes += 1
            _check_node(_message(value), allowed, given)
        elif number == GRAPH_INITIALIZER:
            elements += _check_tensor(_message(value))
        elif number == GRAPH_SPARSE:
            raise _Refused("it has sparse tensors")
    if not nodes or nodes > MAX_NODES:
        raise _Refused(f"it has {nodes} operators, 1 to {MAX_NODES} are read")
    if elements > MAX_ELEMENTS:
        raise _Refused(f"its weights have {elements} elements, at most {MAX_ELEMENTS} are read")


def _name_in(data: memoryview, field: int) -> str:
    """The name in a message, empty where it has none."""
    return next((_text(value) for number, value in _fields(data) if number == field), "")


def _check_node(data: memoryview, allowed: frozenset[str], given: set[str]) -> None:
    """given: names whose values depend on what the graph is fed; those of this node's outputs are added. Nodes come in
    the order in which they run."""
    fields = list(_fields(data))
    op, domain = (_name_in(data, field) for field in (NODE_OP, NODE_DOMAIN))
    called = op if domain in ("", "ai.onnx") else f"{domain}:{op}"
    if called not in allowed:
        raise _Refused(f"operator {called!r} is not among those of its family")
    inputs = [_text(value) for number, value in fields if number == NODE_INPUT]
    if any(inputs[at] in given for at in SIZES.get(op, ()) if at < len(inputs)):
        raise _Refused(f"the size of what {op} gives depends on the values that the graph is fed")
    if op != "Shape" and given.intersection(inputs):  # a shape depends on no value
        given.update(_text(value) for number, value in fields if number == NODE_OUTPUT)
    for number, value in fields:
        if number == NODE_ATTRIBUTE:
            _check_attribute(_message(value))


def _check_attribute(data: memoryview) -> None:
    for number, value in _fields(data):
        if number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
            raise _Refused("an operator holds a graph of its own")
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            _check_tensor(_message(value))


def _check_tensor(data: memoryview) -> int:
    elements = 1
    for number, value in _fields(data):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value):
            raise _Refused("its weights are in another file")
        if number == TENSOR_DIMS:
            for dim in [value] if isinstance(value, int) else _packed(value):
                elements *= dim
                if elements > MAX_ELEMENTS:
                    raise _Refused(f"a tensor has over {MAX_ELEMENTS} elements")
    return elements


def _packed(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value
