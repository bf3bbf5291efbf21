"""An ensemble as one folder that predicts new videos with no training sample in the sheet.

The folder holds ``ensemble.json`` and the models it names. The description says which features the
models read and how those were extracted; extractors that differ are refused by name.

Imported while the workflow is parsed: standard library only.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.errors import RequestError
from circumplex.io.atomic import read_json, replacing, write_json
from circumplex.io.digests import file_digest
from circumplex.pipeline.backbone_plan import FOLDER as WEIGHTS

DESCRIPTION = "ensemble.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Of an experiment or ensemble, as the config's schema has it."""
RUN_PATH = re.compile(NAME.pattern + r"/\w+/seed\d+", re.ASCII)
"""A run's path: experiment, fold, seed."""


def write_export(
    folder: Path,
    description: Mapping[str, Any],
    models: Mapping[str, Path],
    weights: Mapping[str, Path] | None = None,
) -> None:
    """Write the folder; the description comes last, so that a half-written one is never read.

    Args:
        folder: to write into.
        description: ensemble, members, experiments, folds, smoothing, features' identities.
        models: model files by run path.
        weights: by feature, weights that the run itself trained: they go along, and stand in the
            description by their content.
    """
    features = {name: dict(identity) for name, identity in description["features"].items()}
    for feature, source in (weights or {}).items():
        with replacing(folder / WEIGHTS / source.name) as temporary:
            shutil.copyfile(source, temporary)
        options = f"extract_{feature} options"
        content = f"sha256:{file_digest(folder / WEIGHTS / source.name)}"
        features[feature][options] = {**features[feature][options], "weights": content}
    digests = {}
    for run, source in sorted(models.items()):
        with replacing(folder / f"{run}.pt") as temporary:
            shutil.copyfile(source, temporary)
        digests[run] = file_digest(folder / f"{run}.pt")
    made = {**description, "features": features, "models": digests}
    write_json(folder / DESCRIPTION, made)


def read_export(folder: Path) -> dict[str, Any]:
    """Read a folder's description and check that its models are there and unaltered.

    Raises:
        RequestError: no export there, its description altered, a model missing or altered.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise RequestError(
            f"config: export names {folder}, which holds no {DESCRIPTION}; "
            "name a folder that the rule export_ensemble wrote"
        )
    try:
        description: dict[str, Any] = read_json(path)
        models = description["models"]
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"export {folder}: {path} is altered: {error}") from error
    # They name files, and an export may be a stranger's.
    for name in [description["ensemble"], *description.get("experiments", {})]:
        if not NAME.fullmatch(name):
            raise RequestError(f"export {folder}: {name!r} cannot name anything")
    for run, sha256 in models.items():
        if not RUN_PATH.fullmatch(run):
            raise RequestError(f"export {folder}: {run!r} cannot name a model")
        model = folder / f"{run}.pt"
        if not model.is_file() or file_digest(model) != sha256:
            raise RequestError(f"export {folder}: model {model} is missing or altered")
    return description


def check_identities(
    exported: Mapping[str, Mapping[str, Any]], here: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse extractors whose parameters, weights or code are not those of the export.

    Raises:
        RequestError: naming the extractor and what differs.
    """
    problems = []
    for feature, identity in exported.items():
        for part, value in identity.items():
            ours = here.get(feature, {}).get(part)
            if ours != value:
                problems.append(f"{feature}: {part} is {ours}, the export has {value}")
    if problems:
        raise RequestError(
            "the extractors are not those that the exported ensemble was trained with:\n  "
            + "\n  ".join(problems)
        )
