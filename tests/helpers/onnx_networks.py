"""ONNX networks of the form of EmotiEffLib's, small and synthetic."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SCORES = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
"""Weights from the mean colour to the ten values."""


def write_network(
    path: Path,
    shape: tuple[int | str, ...] = ("batch", 3, 224, 224),
    axes: Sequence[int] = (2, 3),
) -> str:
    """Mean colour of the image, then ten scores of it; the mean colour is a second output."""
    values = [numpy_helper.from_array(SCORES, "scores")]
    values.append(numpy_helper.from_array(np.array(axes, np.int64), "axes"))
    nodes = [
        helper.make_node("ReduceMean", ["input", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "scores"], ["output"]),
    ]
    described = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        for name, dims in (
            ("input", shape),
            ("output", (shape[0], 10)),
            ("colour", (shape[0], 3)),
        )
    ]
    graph = helper.make_graph(nodes, "small", described[:1], described[1:], values)
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return str(path)
