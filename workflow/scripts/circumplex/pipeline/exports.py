"""An ensemble as one folder that predicts new videos with no training sample in the sheet.

The folder holds ``ensemble.json`` and the models it names. The description says which features the
models read and how those are computed, by options, weights and stage versions; what differs is
refused by name.

Imported while the workflow is parsed: standard library only.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from circumplex.config.exported import ExportedEnsemble
from circumplex.config.values import without_nulls
from circumplex.errors import RequestError
from circumplex.io.atomic import read_json, replacing, write_json
from circumplex.io.digests import file_digest
from circumplex.io.yaml_files import MOST_BYTES
from circumplex.pipeline.backbone_plan import FOLDER as WEIGHTS

logger = logging.getLogger(__name__)
DESCRIPTION = "ensemble.json"
EXTRACTION = "extraction of features"
TIMELINE = "resample_timeline"
MAY_CHANGE: Mapping[str, tuple[str, ...]] = {
    "align_faces": (
        *("min_face_size", "min_probability", "thresholds", "factor", "detect_every"),
        *("crop_format", "jpeg_quality"),
    ),
    "fill_frames": ("no_valid_face", "min_valid_share"),
    EXTRACTION: ("batch_size", "precision", "compile", "channels_last"),
}
"""Options by stage that may differ under ``export``: they decide which faces are found, how crops
are kept and how a network is run, not what a feature means."""


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
        content = f"sha256:{file_digest(folder / WEIGHTS / source.name)}"
        stage = f"extract_{feature}"
        described = features[feature][stage]
        options = {**described["options"], "weights": content}
        features[feature][stage] = {**described, "options": options}
    digests = {}
    for run, source in sorted(models.items()):
        with replacing(folder / f"{run}.pt") as temporary:
            shutil.copyfile(source, temporary)
        digests[run] = file_digest(folder / f"{run}.pt")
    made = {**description, "features": features, "models": digests}
    write_json(folder / DESCRIPTION, made)


def read_export(folder: Path) -> dict[str, Any]:
    """Read a folder's description and check that its models are there and unaltered.

    Returns:
        The description as `ExportedEnsemble` has it, in plain values; experiments and seeds without
        a model are left out.

    Raises:
        RequestError: no export there, its description altered, a model missing or altered.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise RequestError(
            f"config: export names {folder}, which holds no {DESCRIPTION}; "
            "name a folder that the rule export_ensemble wrote"
        )
    source = f"export {folder}: {DESCRIPTION} is altered"
    described = ExportedEnsemble.read(
        without_nulls(_read_json(path, source), source), source=source
    )
    try:
        described.check()
    except RequestError as error:
        raise RequestError(f"{source}: {error}") from error
    for run, sha256 in described.models.items():
        model = folder / f"{run}.pt"
        if not model.is_file() or file_digest(model) != sha256:
            raise RequestError(f"export {folder}: model {model} is missing or altered")
    return described.members_alone().plain()


def _read_json(path: Path, source: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RequestError(f"{source}: it has more than {MOST_BYTES} bytes")
        values = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise RequestError(f"{source}: it cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise RequestError(f"{source}: it holds no mapping")
    return values


def check_features(
    exported: Mapping[str, Mapping[str, Any]], here: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse features that are not computed as those that the exported models were trained on.

    Options in `MAY_CHANGE` may differ. Where the version of a stage differs, the export was written
    by another release whose results differ in it: a warning says so.

    The timeline is not compared: the export brings its rate.

    Args:
        exported: by feature and stage, options and version, as the export has them.
        here: the same of this run.

    Raises:
        RequestError: naming each feature, stage and option that differs.
    """
    problems = []
    for feature, stages in exported.items():
        found = _without_timeline(here.get(feature, {}))
        problems += [
            f"{feature}: this run has {stage}, the export has not"
            for stage in found
            if stage not in stages
        ]
        for stage, described in _without_timeline(stages).items():
            ours = found.get(stage)
            if ours is None:
                problems.append(f"{feature}: the export has {stage}, this run has not")
                continue
            problems += [
                f"{feature}: {stage}: {difference}"
                for difference in _differences(stage, described["options"], ours["options"])
            ]
            if described["version"] != ours["version"]:
                logger.warning(
                    "%s: %s has version %s here, the export was made with version %s: "
                    "predictions may differ from those of the release that made it",
                    *(feature, stage, ours["version"], described["version"]),
                )
    if problems:
        free = "; ".join(f"{stage}: {', '.join(keys)}" for stage, keys in MAY_CHANGE.items())
        raise RequestError(
            "features are not computed as those that the exported ensemble was trained on:\n  "
            + "\n  ".join(dict.fromkeys(problems))
            + f"\nSet these options as the export has them. Those that may be changed: {free}"
        )


def _without_timeline(stages: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stages.items() if name != TIMELINE}


def _differences(stage: str, exported: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    free = MAY_CHANGE.get(stage, MAY_CHANGE[EXTRACTION] if stage.startswith("extract_") else ())
    return [
        f"{key} is {here.get(key)!r}, the export has {exported.get(key)!r}"
        for key in sorted(exported.keys() | here.keys())
        if key not in free and here.get(key) != exported.get(key)
    ]
