"""Requests of what people hand on: submissions, CSV files, player pages, exports.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

import os
from pathlib import Path
from typing import Any

from circumplex.config.preparation import NATIVE
from circumplex.pipeline import requests
from circumplex.pipeline.builders.reports import ensemble_members, page_sources
from circumplex.pipeline.contents import random_weights
from circumplex.pipeline.plan import MEAN
from circumplex.pipeline.stage_context import StageContext
from circumplex.targets import TARGETS

PLAYER = "player"
"""Folder of the player pages, below the results folder."""
MAX_DIFFERENCE = 30
"""Frames that decoding and the organisers' list may differ by; Aff-Wild2's annotations do."""


def write_submission(context: StageContext, name: str) -> requests.SubmissionRequest:
    """One submission."""
    spec = context.plan.submissions[name]
    path = spec.get("list")
    return requests.SubmissionRequest(
        *context.plain("write_submission"),
        name=name,
        samples=context.plan.submitted(name),
        ensemble=spec["ensemble"],
        format=spec["format"],
        list=context.contents.digest(Path(path)) if path else None,
        rows=context.plan.counted_by(name),
        max_difference=spec.get("max_difference", MAX_DIFFERENCE),
    )


def write_predictions(context: StageContext) -> requests.PredictionFilesRequest:
    """The CSV files of predictions."""
    return requests.PredictionFilesRequest(
        *context.plain("write_predictions"), **_shown_predictions(context)
    )


def make_player(context: StageContext) -> requests.PlayerRequest:
    """The player pages."""
    return requests.PlayerRequest(
        *context.plain("make_player"),
        **_shown_predictions(context),
        videos={
            # As a browser resolves it: links are not followed.
            sample.sample: os.path.relpath(sample.video, context.plan.results / PLAYER)
            for sample in context.plan.shown
            if sample.video is not None
        },
        sources=page_sources("player"),
    )


def export_ensemble(context: StageContext, name: str) -> requests.ExportRequest:
    """An ensemble with its models, to predict with elsewhere."""
    plan = context.plan
    runs = plan.all_members(name)
    members = {run.experiment: plan.experiments[run.experiment] for run in runs}
    used = {feature for e in members.values() for feature in e["features"]}
    trained = plan.backbones.trained
    grouped = [name for name in members if name in plan.scaled_by_group]
    return requests.ExportRequest(
        *context.plain("export_ensemble"),
        description={
            "ensemble": name,
            "members": plan.ensembles[name],
            "experiments": {n: e for n, e in members.items() if not plan.is_pretrained(n)},
            "pretrained": {n: plan.pretrained[n] for n in members if plan.is_pretrained(n)},
            "folds": plan.config["folds"],
            "smoothing": plan.smoothing,
            "timeline": {"rate": NATIVE if plan.rate is None else plan.rate},
            "features": {feature: context.features[feature] for feature in sorted(used)},
            **({"scaled_by_group": grouped} if grouped else {}),
        },
        runs=[run.path for run in runs],
        pretrained=[run.path for run in runs if plan.is_pretrained(run.experiment)],
        trained={feature: trained[feature] for feature in sorted(used & trained.keys())},
    )


def _shown_predictions(context: StageContext) -> dict[str, Any]:
    """What files and pages of predictions have in common."""
    plan = context.plan
    return {
        "samples": [sample.sample for sample in plan.shown],
        "ensembles": ensemble_members(context),
        "notes": [_describe_ensemble(context, name) for name in plan.ensembles],
        "random_weights": random_weights(plan),
    }


def _describe_ensemble(context: StageContext, name: str) -> str:
    """An ensemble in a phrase, for people who read its predictions."""
    plan = context.plan
    method = plan.ensembles[name].get("method", MEAN).replace("_", " ")
    parts = []
    for target in TARGETS:
        runs = plan.members(name, target)
        experiments = ", ".join(dict.fromkeys(run.experiment for run in runs))
        count = f"{len(runs)} model{'' if len(runs) == 1 else 's'}"
        parts.append(f"{count} of {experiments}")
    if len(set(parts)) == 1:
        return f"Ensemble {name} ({method}): {parts[0]}."
    by_target = (f"{target} by {part}" for target, part in zip(TARGETS, parts, strict=True))
    return f"Ensemble {name} ({method}): {'; '.join(by_target)}."
