"""Requests of predictions and ensembles.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from circumplex.pipeline import requests
from circumplex.pipeline.model_cards import model_card
from circumplex.pipeline.plan import MEAN
from circumplex.pipeline.stage_context import StageContext
from circumplex.targets import TARGETS

ALPHA = 0.01
"""Ridge penalty of stacking, in the unit of the predictions' variance (our choice)."""


def predict_frames(context: StageContext, path: str) -> requests.PredictionRequest:
    """Predictions of one model; `path` is ``<experiment>/<fold>/seed<seed>``."""
    plan, name = context.plan, context.plan.run(path).experiment
    experiment = plan.experiments[name]
    pretrained = plan.is_pretrained(name)
    encoder = () if pretrained else (experiment["encoder"],)
    return requests.PredictionRequest(
        *context.plain("predict_frames", *encoder),
        run=path,
        features=experiment["features"],
        samples=[sample.sample for sample in plan.samples],
        columns=plan.columns(experiment["features"][0]) if pretrained else [],
        readout=experiment["readout"] if pretrained else {},
        card=model_card(plan, name) if pretrained else {},
        groups=plan.groups(plan.samples) if name in plan.scaled_by_group else {},
    )


def smooth_predictions(context: StageContext, path: str) -> requests.SmoothingRequest:
    """Smoothed predictions of one model."""
    plan = context.plan
    smoothing, search = plan.smoothing, plan.window_search
    if plan.export is not None:
        smoothing = plan.export.get("windows", {}).get(path, smoothing)
    strategy = plan.experiments[context.plan.run(path).experiment]["strategy"]
    return requests.SmoothingRequest(
        *context.plain("smooth_predictions"),
        smoothing=smoothing,
        search=search,
        searched_on=plan.held_out([strategy]) if search else [],
    )


def ensemble_predictions(context: StageContext, name: str) -> requests.EnsembleRequest:
    """Predictions of an ensemble."""
    plan = context.plan
    spec = plan.ensembles[name]
    strategies = plan.strategies(name)
    return requests.EnsembleRequest(
        *context.plain("ensemble_predictions"),
        ensemble=name,
        members={
            target: [[run.experiment, run.fold] for run in plan.members(name, target)]
            for target in TARGETS
        },
        method=spec.get("method", MEAN),
        alpha=spec.get("alpha", ALPHA),
        fitted_on=plan.held_out(strategies) if plan.fits(name) else [],
        combination={} if plan.export is None else plan.export.get("combination", {}),
    )


def restore_frames(context: StageContext, name: str) -> requests.RestorationRequest:
    """An ensemble's predictions at the videos' own frames."""
    return requests.RestorationRequest(*context.plain("restore_frames"), ensemble=name)
