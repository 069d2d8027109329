"""Graphs of a bundle: from a module to ONNX, and its weights made small."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from instrument.models.manifest import Port

OPSET = 20
Graph = tuple[nn.Module, tuple[Tensor, ...], list[Port], list[Port]]  # module, example inputs, ports in and out


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """The graph of a module; what its ports give as -1 is free."""
    module, inputs, ins, outs = graph
    dynamic = torch.export.Dim.DYNAMIC
    shapes: list = [{i: dynamic for i, size in enumerate(port.shape) if size < 0} for port in ins]
    fixed = module.forward.__code__.co_argcount - 1  # arguments by name; the rest are states
    if len(inputs) > fixed:
        shapes = [*shapes[:fixed], tuple(shapes[fixed:])]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            dynamic_shapes=tuple(shapes),
            opset_version=OPSET,
            verbose=False,
            input_names=[p.name for p in ins],
            output_names=[p.name for p in outs],
        )
    assert program is not None
    model = program.model_proto
    name_weights(model, module)
    for node in model.graph.node:  # the exporter's notes on where an operator came from: paths of this machine
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    del model.graph.value_info[:]  # shapes from before the exporter transposed the weights
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    return model


def name_weights(model: onnx.ModelProto, module: nn.Module) -> None:
    """Name the initialisers that the exporter made of parameters, transposed or not, after these."""
    known = {name: value.detach().numpy() for name, value in module.named_parameters()}
    names: dict[str, str] = {}
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 2 or tensor.name in known:
            continue
        value = numpy_helper.to_array(tensor)
        for name, parameter in known.items():
            if np.array_equal(parameter.T, value) or np.array_equal(parameter, value):
                names[tensor.name] = name
                break
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)


def as_is(model: onnx.ModelProto, path: Path) -> None:
    """Weights as they were trained."""
    onnx.save(model, path)


def int8(model: onnx.ModelProto, path: Path) -> None:
    """Weights in 8 bits, a scale a channel; activations are quantised as they come. Products of 8 by 8 bits
    saturate on processors without VNNI, which cost 0.15 nats: hence the reduced range of 7 bits."""
    whole = path.with_suffix(".whole")
    onnx.save(model, whole)
    logging.getLogger().setLevel(logging.ERROR)
    quantize_dynamic(
        whole,
        path,
        op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    whole.unlink()
    onnx.save(_stored8(onnx.load(path)), path)


def stored8(model: onnx.ModelProto, path: Path) -> None:
    """Weights kept in 8 bits, unpacked before use: a quarter of the size at the same arithmetic."""
    onnx.save(_stored8(onnx.ModelProto.FromString(model.SerializeToString())), path)


def _stored8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Matrices that have no product in 8 bits (those of an LSTM) are kept in 8 bits, a scale a row, and unpacked
    before use."""
    unpack = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < 1024:
            continue
        values = numpy_helper.to_array(tensor)
        rows = np.abs(values).reshape(len(values), -1).max(1)
        scale = np.maximum(rows, 1e-8).astype(np.float32) / 127
        small = np.rint(values / scale.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
        name = tensor.name
        scales = numpy_helper.from_array(scale, f"{name}_scale")
        unpack.append((onnx.helper.make_node("DequantizeLinear", [f"{name}_8", scales.name], [name], axis=0), scales))
        tensor.CopyFrom(numpy_helper.from_array(small, f"{name}_8"))
    nodes = [*(node for node, _ in unpack), *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(scales for _, scales in unpack)
    return model


def fp16(model: onnx.ModelProto, path: Path) -> None:
    """Weights in 16 bits, cast back before use: half the size at the same arithmetic."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) > 256:
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}_half")
            casts.append(onnx.helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
