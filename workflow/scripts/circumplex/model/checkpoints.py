"""Model files: one ``.pt`` of tensors and plain containers, loadable with ``weights_only``."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from circumplex.errors import RequestError
from circumplex.io.atomic import replacing
from circumplex.model.normalisation import AnyScaling, GroupScaling, Scaling
from circumplex.targets import Target

FORMAT = 2
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class TrainedModel:
    """What prediction needs of a trained model, and where it comes from.

    Attributes:
        spec: plain values of its `TrainingSpec`.
        dimensions: values per frame of each feature, in the order of concatenation.
        scalings: by feature; none where a feature is not scaled. One by group is fitted anew on
            the frames of each group that is predicted.
        checkpoints: for each target the kept epochs and their weights; predictions are averaged.
        seed: seed of the training.
        fold: number of the fold that was left out, or none.
        metadata: whatever else the caller wants on record (JSON-serialisable).
    """

    spec: Mapping[str, Any]
    dimensions: Mapping[str, int]
    scalings: Mapping[str, AnyScaling]
    checkpoints: Mapping[Target, list[tuple[int, Weights]]]
    seed: int
    fold: int | None
    metadata: Mapping[str, Any]

    def epochs(self) -> dict[int, Weights]:
        """Every kept epoch's weights, once, in order."""
        kept = {epoch: weights for of in self.checkpoints.values() for epoch, weights in of}
        return dict(sorted(kept.items()))


def pack_scalings(scalings: Mapping[str, AnyScaling]) -> dict[str, dict[str, Tensor] | None]:
    """Turn scalings into tensors, for a file."""
    return {
        feature: None
        if scaling is None
        else {name: torch.from_numpy(part) for name, part in vars(scaling).items()}
        for feature, scaling in scalings.items()
    }


def unpack_scalings(packed: Mapping[str, Mapping[str, Tensor] | None]) -> dict[str, AnyScaling]:
    """Turn tensors of `pack_scalings` into scalings again."""
    return {feature: _unpack_scaling(parts) for feature, parts in packed.items()}


def _unpack_scaling(parts: Mapping[str, Tensor] | None) -> AnyScaling:
    if parts is None:
        return None
    if "varies" in parts:
        return GroupScaling(parts["varies"].numpy())
    return Scaling(parts["mean"].numpy(), parts["scale"].numpy())


def save_tensors(value: Mapping[str, Any], path: Path) -> None:
    """Write tensors and plain containers, atomically; equal content gives equal bytes."""
    # Through a handle: given a path, torch would write its (temporary) name into the file.
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(_canonical(value), file)


def _canonical(value: Any) -> Any:
    """Plain containers with interned strings: pickle's bytes depend on which objects are one."""
    if isinstance(value, Mapping):
        return {_canonical(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return sys.intern(str(value)) if isinstance(value, str) else value


def load_tensors(path: Path) -> dict[str, Any]:
    """Read what `save_tensors` wrote; weights are memory-mapped until they are used.

    Raises:
        RequestError: the file is damaged or holds something else.
    """
    try:
        return dict(torch.load(path, map_location="cpu", mmap=True, weights_only=True))
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise RequestError(f"{path} cannot be read: {lines[0][:300]}") from error


def save_model(model: TrainedModel, path: Path) -> None:
    """Write a model file, atomically."""
    save_tensors(
        {
            "format": FORMAT,
            "spec": dict(model.spec),
            "dimensions": dict(model.dimensions),
            "scalings": pack_scalings(model.scalings),
            "checkpoints": {
                target.value: [[epoch, dict(weights)] for epoch, weights in kept]
                for target, kept in model.checkpoints.items()
            },
            "seed": model.seed,
            "fold": model.fold,
            "metadata": dict(model.metadata),
        },
        path,
    )


def load_model(path: Path) -> TrainedModel:
    """Read a model file.

    Raises:
        RequestError: the file is of another format or damaged, or a weight is not finite.
    """
    value = load_tensors(path)
    if value.get("format") != FORMAT:
        raise RequestError(f"{path} is not a model file of format {FORMAT}: train it again")
    try:
        model = TrainedModel(
            spec=dict(value["spec"]),
            dimensions=dict(value["dimensions"]),
            scalings=unpack_scalings(value["scalings"]),
            checkpoints={
                Target(target): [(int(epoch), dict(weights)) for epoch, weights in kept]
                for target, kept in value["checkpoints"].items()
            },
            seed=value["seed"],
            fold=value["fold"],
            metadata=dict(value["metadata"]),
        )
        check_model(model)
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
    ) as error:
        raise RequestError(f"{path} is a damaged model file: {error!r}") from error
    return model


def check_model(model: TrainedModel) -> None:
    """Check that a model has what prediction needs, in plain finite numbers.

    Raises:
        ValueError: naming the first part that is missing or otherwise.
        LookupError: a part that is missing.
    """
    for key in ("encoder", "visual", "missing_modality"):
        _ = model.spec[key]
    for feature, dimension in model.dimensions.items():
        scaling = model.scalings[feature]
        for part in () if scaling is None else vars(scaling).values():
            if part.shape != (dimension,) or not np.isfinite(part).all():
                raise ValueError(f"the scaling of {feature} is not {dimension} finite numbers")
        if isinstance(scaling, GroupScaling) and scaling.varies.dtype != np.bool_:
            raise ValueError(f"the scaling of {feature} by group is not {dimension} truth values")
    for target in Target:
        if not model.checkpoints[target]:
            raise ValueError(f"no checkpoint for {target}")
    for epoch, weights in model.epochs().items():
        for name, tensor in weights.items():
            if tensor.layout is not torch.strided or tensor.is_meta:
                raise ValueError(f"{name} of epoch {epoch} is no plain array")
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise ValueError(f"{name} of epoch {epoch} holds values that are not finite")
