"""Requests of packs, folds, models and the search.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Mapping
from typing import Any

from circumplex.config.samples import Split
from circumplex.config.training import TrainingSpec
from circumplex.pipeline import requests
from circumplex.pipeline.plan import scales_by_group
from circumplex.pipeline.stage_context import StageContext


def pack_features(context: StageContext, unit: str) -> requests.PackRequest:
    """A feature's tables of a shard as one file for training; `unit` is ``<feature>/<shard>``."""
    feature = context.plan.feature(unit.partition("/")[0])
    return requests.PackRequest(
        *context.plain("pack_features"), feature.name, **context.pack_layout(feature)
    )


def fill_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a model with those that follow from its encoder, so that none counts as
    changed which is only written out."""
    return TrainingSpec.read(values).plain()


def make_folds(context: StageContext) -> requests.FoldsRequest:
    """Folds of the labelled samples."""
    labelled = context.plan.in_split(Split.TRAIN, Split.VAL)
    config = context.plan.config["folds"]
    return requests.FoldsRequest(
        *context.plain("make_folds"),
        groups=[[sample.sample, sample.group] for sample in labelled],
        count=config["count"],
        seed=config["seed"],
        keep=context.plan.kept_folds,
    )


def train_encoder(context: StageContext, path: str) -> requests.TrainingRequest:
    """One model; `path` is ``<experiment>/<fold>/seed<seed>``."""
    run = context.plan.run(path)
    options = fill_in(context.plan.training_values(run.experiment))
    labelled = context.plan.in_split(Split.TRAIN, Split.VAL)
    return requests.TrainingRequest(
        *context.plain("train_encoder", options["encoder"]["kind"]),
        options=options,
        roles=context.plan.roles(run),
        fold=run.fold,
        seed=run.seed,
        groups=context.plan.groups(labelled) if scales_by_group(options) else {},
    )


def train_trial(context: StageContext, number: str) -> requests.TrialRequest:
    """One trial of the search."""
    search = context.plan.search or {}
    labelled = context.plan.in_split(Split.TRAIN, Split.VAL)
    choices = [fill_in(values) for values in context.plan.search_choices]
    return requests.TrialRequest(
        *context.plain("train_trial", search["encoder"]),
        choices=choices,
        place=int(number) % search["parallel"],
        roles={sample.sample: sample.split.value for sample in labelled},
        fold="official",
        seed=search["seed"],
        groups=context.plan.groups(labelled) if any(map(scales_by_group, choices)) else {},
    )


def propose_trials(context: StageContext, number: str) -> requests.ProposalRequest:
    """The values of a round of trials."""
    search = context.plan.search or {}
    return requests.ProposalRequest(
        *context.plain("propose_trials"),
        space=search["space"],
        sampler=search["sampler"],
        seed=search["sampler_seed"],
        count=len(context.plan.search_rounds[int(number)]),
    )


def summarise_search(context: StageContext) -> requests.SearchRequest:
    """The table of all trials."""
    return requests.SearchRequest(
        *context.plain("summarise_search"), search=context.plan.search or {}
    )
