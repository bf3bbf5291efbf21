"""ArcFace networks in ONNX form, exported as InsightFace's `torch2onnx.py` does, and otherwise."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from circumplex.errors import RequestError
from circumplex.features.extractors import iresnet as extractor
from circumplex.networks.iresnet import IResNet, iresnet18, iresnet34
from circumplex.networks.iresnet_onnx import read_iresnet
from circumplex.networks.weights import Weights, build_network
from networks_by_hand import unlike_initial

FOLDED = {"keep_initializers_as_inputs": False, "opset_version": 11}  # InsightFace's options
VARIANTS = {
    "as published": FOLDED,
    "norms of their own": {**FOLDED, "training": torch.onnx.TrainingMode.PRESERVE},
    "weights among the inputs": {**FOLDED, "keep_initializers_as_inputs": True},
    "nothing folded": {
        **FOLDED,
        "training": torch.onnx.TrainingMode.PRESERVE,
        "do_constant_folding": False,
        "opset_version": 17,
    },
}


def export(network, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        face = torch.zeros(1, 3, 112, 112)
        torch.onnx.export(network, face, str(path), input_names=["data"], dynamo=False, **options)
    return path


@pytest.fixture(scope="module")
def tuned():
    """A small ArcFace network of its own values, with faces and what it makes of them."""
    network = iresnet18()
    unlike_initial(network, seed=4)
    for name, tensor in network.state_dict().items():
        if name.endswith(("bn3.weight", "downsample.1.weight")):
            tensor.mul_(0.5)  # keeps the sums small enough to compare
    faces = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        return network, faces, network(faces)


@pytest.fixture(scope="module")
def published(tuned, tmp_path_factory):
    return export(tuned[0], tmp_path_factory.mktemp("onnx") / "r18.onnx", **FOLDED)


def same(network, faces, expected):
    with torch.inference_mode():
        found = network(faces)
    assert expected.std() > 0.05
    error = (found - expected).abs().max() / expected.abs().max()
    return float(error) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_network_out_of_its_export_computes_the_same(tuned, tmp_path, variant):
    network, faces, expected = tuned
    path = export(network, tmp_path / "w.onnx", **VARIANTS[variant])
    state = read_iresnet(path, iresnet18())
    assert state.keys() == network.state_dict().keys()
    loaded = build_network(iresnet18, Weights(file=path), read=extractor.read_state)
    assert same(loaded, faces, expected)
    assert not same(build_network(iresnet18, Weights(seed=0)), faces, expected)


def test_the_published_form_has_folded_norms_and_numbers_for_names(published):
    graph = onnx.load(published).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("Conv") == 1 + 4 * 5
    assert kinds.count("BatchNormalization") == 8 + 2  # a unit's first, bn2 and features
    names = {initializer.name for initializer in graph.initializer}
    assert "layer1.0.bn1.weight" in names
    assert "fc.weight" in names
    assert not any("conv1.weight" in name or "prelu" in name for name in names)


@pytest.mark.slow
def test_onnx_itself_computes_what_the_loaded_network_computes(tuned, tmp_path):
    network, faces, _ = tuned
    # onnx's reference takes norms of opsets before 14 for training ones.
    path = export(network, tmp_path / "w.onnx", **{**FOLDED, "opset_version": 15})
    (found,) = ReferenceEvaluator(str(path)).run(None, {"data": faces[:1].numpy()})
    loaded = build_network(iresnet18, Weights(file=path), read=read_iresnet)
    assert same(loaded, faces[:1], torch.from_numpy(found))


def test_the_extractor_takes_an_onnx_file(published, tuned):
    made = extractor.build({"weights": str(published), "depth": 18})
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    with torch.inference_mode():
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2) / 127.5 - 1
        expected = tuned[0](pixels).numpy()
    assert np.abs(made.embed(crops) - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.slow
def test_a_norms_own_epsilon_is_kept(tuned, tmp_path):
    network, faces, _ = tuned
    twin = iresnet18()
    twin.load_state_dict(network.state_dict())
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.eps = 2e-2
    with torch.inference_mode():
        expected = twin.eval()(faces)
    assert not same(network, faces, expected)
    path = export(twin, tmp_path / "w.onnx", **VARIANTS["norms of their own"])
    assert same(build_network(iresnet18, Weights(file=path), read=read_iresnet), faces, expected)


def edited(published, tmp_path, change):
    model = onnx.load(published)
    change(model.graph)
    onnx.save(model, tmp_path / "w.onnx")
    return tmp_path / "w.onnx"


def nodes(graph, kind):
    return [node for node in graph.node if node.op_type == kind]


def as_product_and_sum(graph):
    (gemm,) = nodes(graph, "Gemm")
    tensors = {t.name: t for t in graph.initializer}
    weight = numpy_helper.to_array(tensors[gemm.input[1]]).T.copy()
    graph.initializer.append(numpy_helper.from_array(weight, "turned"))
    place = list(graph.node).index(gemm)
    graph.node.remove(gemm)
    graph.node.insert(place, helper.make_node("Add", ["bias?", "product"], list(gemm.output)))
    graph.node[place].input[0] = gemm.input[2]
    graph.node.insert(place, helper.make_node("MatMul", [gemm.input[0], "turned"], ["product"]))


def as_reshape(graph):
    (flatten,) = nodes(graph, "Flatten")
    shape = numpy_helper.from_array(np.array([-1, 25088], np.int64), "shape")
    graph.initializer.append(shape)
    flatten.op_type = "Reshape"
    del flatten.attribute[:]
    flatten.input.append("shape")


def with_dropout(graph):
    (flatten,) = nodes(graph, "Flatten")
    source = flatten.input[0]
    flatten.input[0] = "dropped"
    graph.node.insert(
        list(graph.node).index(flatten), helper.make_node("Dropout", [source], ["dropped"])
    )


@pytest.mark.parametrize("change", [as_product_and_sum, as_reshape, with_dropout])
def test_other_spellings_of_the_same_function(published, tuned, tmp_path, change):
    path = edited(published, tmp_path, change)
    onnx.checker.check_model(str(path))
    network = build_network(iresnet18, Weights(file=path), read=read_iresnet)
    assert same(network, tuned[1], tuned[2])


def scaled_input(graph):
    graph.initializer.append(numpy_helper.from_array(np.array([2.0], np.float32), "two"))
    nodes(graph, "Conv")[0].input[0] = "scaled"
    graph.node.insert(0, helper.make_node("Mul", ["data", "two"], ["scaled"]))


def other_stride(graph):
    (strides,) = [a for a in nodes(graph, "Conv")[2].attribute if a.name == "strides"]
    strides.ints[:] = [2, 2]


def other_activation(graph):
    del nodes(graph, "PRelu")[2].input[1:]
    nodes(graph, "PRelu")[2].op_type = "Relu"


def other_shortcut(graph):
    second = nodes(graph, "Add")[1]
    second.input[1] = nodes(graph, "PRelu")[0].output[0]


def one_channel_less(graph):
    name = nodes(graph, "BatchNormalization")[0].input[1]
    (tensor,) = [t for t in graph.initializer if t.name == name]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[1:], name))


def unbiased(graph):
    nodes(graph, "Conv")[1].input.pop()


def norm_twice(graph):
    last = graph.node[-1]
    graph.node.append(helper.make_node("Relu", [last.output[0]], ["more"], name="after"))
    graph.output[0].name = "more"


def elsewhere(graph):
    (tensor,) = [t for t in graph.initializer if t.name == "fc.weight"]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../other")


def scaled_product(graph):
    (gemm,) = nodes(graph, "Gemm")
    for attribute in gemm.attribute:
        if attribute.name == "alpha":
            attribute.f = 2.0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (scaled_input, "at conv1: expected one Conv, the graph has Mul"),
        (other_stride, r"at layer1\.0\.conv1: strides are \[2, 2\] instead of \[1, 1\]"),
        (other_activation, r"at layer1\.1\.prelu: expected one PRelu, the graph has Relu"),
        (other_shortcut, r"at layer1\.1: the sum has another shortcut"),
        (one_channel_less, r"at layer1\.0\.bn1\.weight: shape \(63,\) instead of \(64,\)"),
        (unbiased, r"at layer1\.0\.downsample\.0: it has neither a bias nor a BatchNorm"),
        (norm_twice, "at the end: the graph continues with Relu after"),
        (elsewhere, r"at fc\.weight: fc\.weight is not a constant in the file"),
        (scaled_product, "at fc: the product is scaled"),
    ],
)
def test_another_graph_is_refused_by_the_place_that_differs(published, tmp_path, change, problem):
    path = edited(published, tmp_path, change)
    with pytest.raises(RequestError, match=problem) as raised:
        read_iresnet(path, iresnet18())
    assert "w.onnx do not fit IResNet" in str(raised.value)


@pytest.mark.parametrize("depth", [iresnet34, lambda: IResNet((1, 2, 2, 2))])
def test_another_depth_is_refused(published, depth):
    place = r"layer1\.2\.conv1\.weight" if depth is iresnet34 else r"layer2\.0\.conv1\.weight"
    with pytest.raises(RequestError, match=f"at {place}: "):
        read_iresnet(published, depth())


@pytest.mark.parametrize("content", [b"", b"no graph at all"])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "w.onnx").write_bytes(content)
    with pytest.raises(RequestError, match=r"w\.onnx (cannot be read|do not fit)"):
        read_iresnet(tmp_path / "w.onnx", iresnet18())
