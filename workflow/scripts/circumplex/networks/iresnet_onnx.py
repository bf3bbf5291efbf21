"""Read an ArcFace network's state dict from an ONNX file, such as InsightFace's Glint360K R100.

The published files come from PyTorch's exporter, which folds a norm after a convolution into the
convolution's weights and names these by numbers. Since names carry no information, the graph is
followed from its input to its output together with the network, and every node, shape, stride and
constant must match the network's arithmetic. A folded norm becomes a norm that only adds the
convolution's bias: the same function, with other numbers in the state dict.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from circumplex.errors import RequestError
from circumplex.networks.iresnet import IResNet, Unit
from circumplex.networks.weights import load_state

Array = NDArray[np.float32]
Norm = nn.BatchNorm1d | nn.BatchNorm2d
PASSING = ("Identity", "Dropout")  # nodes that output their first input


def read_iresnet(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    """Read the state dict of a network from an ONNX file of the same architecture.

    Args:
        path: path of the ONNX file.
        network: an `IResNet`, of which only the architecture is used.

    Raises:
        RequestError: the file cannot be read, or its graph has another architecture; the message
            names the module of the network and what the graph has in its place.
    """
    if not isinstance(network, IResNet):
        raise TypeError(f"{type(network).__name__} is not an IResNet")
    try:
        # External data would be read from wherever the file says.
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise RequestError(f"weights {path} cannot be read: {error}") from error
    walk = _Walk(path, model.graph)
    x = walk.conv(walk.source(), "conv1", network.conv1, "bn1", network.bn1)
    x = walk.prelu(x, "prelu", network.prelu)
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        for number, unit in enumerate(getattr(network, stage)):
            x = walk.unit(x, f"{stage}.{number}", unit)
    x = walk.norm(x, "bn2", network.bn2)
    x = walk.linear(walk.flatten(x), "fc", network.fc)
    walk.finish(walk.norm(x, "features", network.features))
    return {name: torch.from_numpy(np.array(value)) for name, value in walk.state.items()}


class _Walk:
    """Follow a graph node by node and collect the state dict."""

    def __init__(self, path: Path, graph: onnx.GraphProto) -> None:
        self.state: dict[str, NDArray[Any]] = {}
        self._path = path
        self._graph = graph
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._aliases: dict[str, str] = {}
        self._users: Mapping[str, list[onnx.NodeProto]] = defaultdict(list)
        self._left: dict[str, onnx.NodeProto] = {}
        for node in graph.node:
            if node.op_type in PASSING or node.op_type == "Unsqueeze":
                self._aliases[node.output[0]] = node.input[0]
            elif node.op_type == "Constant":
                self._constants[node.output[0]] = node.attribute[0].t
        for node in graph.node:
            if node.op_type not in (*PASSING, "Unsqueeze", "Constant"):
                self._left[node.output[0]] = node
                for name in {self._resolve(name) for name in node.input}:
                    self._users[name].append(node)

    def source(self) -> str:
        """Name of the only input that is not a constant."""
        names = [i.name for i in self._graph.input if i.name not in self._constants]
        if len(names) != 1:
            raise self._misfit("input", f"expected one input, the graph has {len(names)}")
        return str(names[0])

    def unit(self, x: str, place: str, unit: Unit) -> str:
        """Follow a residual unit; return the name of its sum."""
        y = self.norm(x, f"{place}.bn1", unit.bn1)
        y = self.conv(y, f"{place}.conv1", unit.conv1, f"{place}.bn2", unit.bn2)
        y = self.prelu(y, f"{place}.prelu", unit.prelu)
        y = self.conv(y, f"{place}.conv2", unit.conv2, f"{place}.bn3", unit.bn3)
        match list(unit.downsample.children()) if unit.downsample else []:
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm]:
                names = f"{place}.downsample.0", f"{place}.downsample.1"
                x = self.conv(x, names[0], conv, names[1], norm)
        node = self._user(y, "Add", f"{place} sum")
        if {self._resolve(name) for name in node.input} != {x, y}:
            raise self._misfit(place, "the sum has another shortcut than the unit's input")
        return self._take(node)

    def conv(self, x: str, place: str, conv: nn.Conv2d, norm_place: str, norm: Norm) -> str:
        """Follow a convolution and its norm, which may be folded into it; return the output."""
        node = self._user(x, "Conv", place)
        padding, stride = list(conv.padding), list(conv.stride)
        expected = {"strides": stride, "pads": [*padding, *padding], "group": 1}
        found = {"strides": [1, 1], "pads": [0, 0, 0, 0], "group": 1, "dilations": [1, 1]}
        found |= {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for key, value in {**expected, "dilations": [1, 1]}.items():
            if found[key] != value:
                raise self._misfit(place, f"{key} are {found[key]} instead of {value}")
        self._keep(f"{place}.weight", node.input[1], conv.weight)
        bias = node.input[2] if len(node.input) > 2 else None
        y = self._take(node)
        followed = any(user.op_type == "BatchNormalization" for user in self._users[y])
        if followed == (bias is not None):
            both = "both a bias and" if followed else "neither a bias nor"
            raise self._misfit(place, f"it has {both} a BatchNormalization after it")
        if bias is None:
            return self.norm(y, norm_place, norm)
        self._keep(f"{norm_place}.bias", bias, norm.bias)
        size = norm.num_features
        self._keep_norm(norm_place, np.ones(size), np.zeros(size), np.full(size, 1 - norm.eps))
        return y

    def norm(self, x: str, place: str, norm: Norm) -> str:
        """Follow a batch norm that is not folded; return the name of its output."""
        node = self._user(x, "BatchNormalization", place)
        names = ("weight", "bias", "running_mean", "running_var")
        for name, source in zip(names, node.input[1:], strict=True):
            self._keep(f"{place}.{name}", source, norm.running_mean)
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), 1e-5)
        variance = self.state[f"{place}.running_var"].astype(np.float64) + (epsilon - norm.eps)
        self._keep_norm(
            place, self.state[f"{place}.weight"], self.state[f"{place}.running_mean"], variance
        )
        return self._take(node)

    def prelu(self, x: str, place: str, prelu: nn.PReLU) -> str:
        """Follow a PReLU with one slope per channel; return the name of its output."""
        node = self._user(x, "PRelu", place)
        slope = self._array(node.input[1], f"{place}.weight")
        self._set(f"{place}.weight", slope.reshape(-1), prelu.weight)
        return self._take(node)

    def flatten(self, x: str) -> str:
        """Follow the flattening of maps to vectors; return the name of its output."""
        kinds = {user.op_type for user in self._users[x]}
        return self._take(self._user(x, "Reshape" if "Reshape" in kinds else "Flatten", "fc input"))

    def linear(self, x: str, place: str, linear: nn.Linear) -> str:
        """Follow a linear layer, one node or a product and a sum; return the name of its output."""
        if any(user.op_type == "MatMul" for user in self._users[x]):
            product = self._user(x, "MatMul", place)
            weight = self._array(product.input[1], f"{place}.weight").T
            node = self._user(self._take(product), "Add", f"{place}.bias")
            (bias,) = (
                n for n in node.input if self._resolve(n) != self._resolve(product.output[0])
            )
        else:
            node = self._user(x, "Gemm", place)
            found = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
            found |= {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if (found["alpha"], found["beta"], found["transA"]) != (1.0, 1.0, 0):
                raise self._misfit(place, f"the product is scaled or transposed: {found}")
            weight = self._array(node.input[1], f"{place}.weight")
            weight = weight if found["transB"] else weight.T
            bias = node.input[2] if len(node.input) > 2 else ""
        self._set(f"{place}.weight", weight, linear.weight)
        self._keep(f"{place}.bias", bias, linear.bias)
        return self._take(node)

    def finish(self, x: str) -> None:
        """Check that the graph ends where the network does."""
        outputs = [self._resolve(output.name) for output in self._graph.output]
        if outputs != [x] or self._left:
            more = ", ".join(f"{n.op_type} {n.name or n.output[0]}" for n in self._left.values())
            raise self._misfit("the end", f"the graph continues with {more or outputs}")

    def _resolve(self, name: str) -> str:
        for _ in self._aliases:  # more steps lead in a circle
            if name not in self._aliases:
                break
            name = self._aliases[name]
        return name

    def _user(self, x: str, kind: str, place: str) -> onnx.NodeProto:
        users = self._users[x]
        matching = [node for node in users if node.op_type == kind]
        if len(matching) != 1:
            found = ", ".join(f"{n.op_type} {n.name or n.output[0]}" for n in users) or "nothing"
            raise self._misfit(place, f"expected one {kind}, the graph has {found}")
        return matching[0]

    def _take(self, node: onnx.NodeProto) -> str:
        self._left.pop(node.output[0], None)
        return str(node.output[0])

    def _array(self, name: str, place: str) -> Array:
        tensor = self._constants.get(self._resolve(name))
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise self._misfit(place, f"{name or 'it'} is not a constant in the file")
        return np.asarray(numpy_helper.to_array(tensor), np.float32)

    def _keep(self, key: str, name: str, like: torch.Tensor | None) -> None:
        self._set(key, self._array(name, key), like)

    def _set(self, key: str, value: Array, like: torch.Tensor | None) -> None:
        shape = () if like is None else tuple(like.shape)
        if value.shape != shape:
            raise self._misfit(key, f"shape {value.shape} instead of {shape}")
        self.state[key] = value

    def _keep_norm(
        self, place: str, weight: NDArray[Any], mean: NDArray[Any], variance: NDArray[Any]
    ) -> None:
        self.state[f"{place}.weight"] = np.asarray(weight, np.float32)
        self.state[f"{place}.running_mean"] = np.asarray(mean, np.float32)
        self.state[f"{place}.running_var"] = np.asarray(variance, np.float32)
        self.state[f"{place}.num_batches_tracked"] = np.zeros((), np.int64)

    def _misfit(self, place: str, problem: str) -> RequestError:
        return RequestError(f"weights {self._path} do not fit IResNet at {place}: {problem}")


def read_state(path: Path, network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Read the state dict from a checkpoint, or from an ONNX file as InsightFace publishes it.

    Raises:
        RequestError: the file cannot be read, or is an ONNX file of another network.
    """
    return read_iresnet(path, network) if path.suffix == ".onnx" else load_state(path)
