"""Requests of scores, tables, manifest and report.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Sequence
from typing import Any

from circumplex.config.catalogue import SIZES
from circumplex.config.features import Feature
from circumplex.io.digests import file_digest
from circumplex.pipeline import requests
from circumplex.pipeline.contents import random_weights
from circumplex.pipeline.model_cards import model_cards
from circumplex.pipeline.plan import Run
from circumplex.pipeline.stage_context import LIBRARY, StageContext
from circumplex.pipeline.stages import RESULT_STAGES
from circumplex.targets import TARGETS

TABLE_TEMPLATE = LIBRARY / "evaluation" / "table.html.j2"
REPORT = LIBRARY / "report"
PAGE_SUFFIXES = (".j2", ".css", ".js")


def evaluate(context: StageContext) -> requests.EvaluationRequest:
    """Scores of all models and ensembles."""
    plan = context.plan
    strategies = {name: e["strategy"] for name, e in plan.experiments.items()}
    return requests.EvaluationRequest(
        *context.plain("evaluate"),
        runs=[[r.experiment, r.fold, r.seed, strategies[r.experiment]] for r in plan.runs],
        ensembles={name: sorted(plan.strategies(name)) for name in plan.ensembles},
        splits=_splits(context),
    )


def make_table(context: StageContext, name: str) -> requests.TableRequest:
    """A table of the paper, beside the published numbers."""
    plan = context.plan
    spec = plan.tables[name]
    rows = [{**row, "replicates": plan.replicates(row)} for row in spec["rows"]]
    units = [unit for row in rows for replicate in row["replicates"] for unit in replicate]
    ensembles = list(dict.fromkeys(n for kind, n, _ in units if kind == "ensemble"))
    scored = {n for kind, n, _ in units if kind == "model"}
    scored |= {run.path for ensemble in ensembles for run in plan.all_members(ensemble)}
    trace = _trace(context, [run for run in plan.runs if run.path in scored], ensembles)
    return requests.TableRequest(
        *context.plain("make_table"),
        name=name,
        title=spec["title"],
        targets=spec.get("targets", list(TARGETS)),
        split=spec.get("split", "val"),
        rows=rows,
        splits=_splits(context),
        random_weights=random_weights(plan, trace["features"]),
        models=model_cards(plan, {run.partition("/")[0] for run in trace["models"]}),
        template=file_digest(TABLE_TEMPLATE),
        trace=trace,
    )


def make_manifest(context: StageContext) -> requests.ManifestRequest:
    """What models and ensembles come from."""
    trace = _trace(context, context.plan.runs, list(context.plan.ensembles))
    return requests.ManifestRequest(*context.plain("make_manifest"), trace=trace)


def list_failures(context: StageContext) -> requests.FailuresRequest:
    """The list of failed samples."""
    return requests.FailuresRequest(*context.plain("list_failures"), stages=list(context.stages))


def make_report(context: StageContext) -> requests.ReportRequest:
    """The report."""
    plan = context.plan
    return requests.ReportRequest(
        *context.plain("make_report"),
        sources=page_sources("templates"),
        stages=list(context.stages),
        ensembles=ensemble_members(context),
        runs=[run.path for run in plan.trained_runs],
        tables=list(plan.tables),
        players=[sample.sample for sample in plan.shown],
        random_weights=random_weights(plan),
        models=model_cards(plan),
        features={
            f.name: {
                **plan.weight_choices(f),
                **_sizes(context, f),
                "dimension": f.dimension,
                "modality": f.modality.value,
                "framing": f.framing,
                "imported": f.imported,
            }
            for f in plan.features
        },
        excluded=plan.config.get("exclude", []),
        causal=plan.causal,
    )


def page_sources(folder: str) -> list[str]:
    """Digests of the templates, styles and scripts of a kind of pages, and of what all share."""
    paths = [path for name in (folder, "shared") for path in sorted((REPORT / name).iterdir())]
    return [file_digest(path) for path in paths if path.suffix in PAGE_SUFFIXES]


def ensemble_members(context: StageContext) -> dict[str, dict[str, list[str]]]:
    """By ensemble and target, the runs of its models."""
    plan = context.plan
    return {
        name: {target: [run.path for run in plan.members(name, target)] for target in TARGETS}
        for name in plan.ensembles
    }


def check_failures(context: StageContext) -> requests.ClosingRequest:
    """The last job, which prints what failed."""
    return requests.ClosingRequest(
        *context.plain("check_failures"),
        random_weights=random_weights(context.plan),
        models=model_cards(context.plan),
    )


def _trace(context: StageContext, runs: Sequence[Run], ensembles: Sequence[str]) -> dict[str, Any]:
    """What models and ensembles come from, as far as the plan decides it."""
    plan = context.plan
    used = {f for run in runs for f in plan.experiments[run.experiment]["features"]}
    models: dict[str, dict[str, Any]] = {}
    for run in runs:
        models[run.path] = {
            "experiment": run.experiment,
            "fold": run.fold,
            "seed": run.seed,
            "features": plan.experiments[run.experiment]["features"],
        }
        if plan.is_pretrained(run.experiment):
            models[run.path]["readout"] = plan.experiments[run.experiment]["readout"]
        elif plan.export is not None:
            sha256 = plan.export["models"][run.path]
            models[run.path]["checkpoint"] = {"file": f"{run.path}.pt", "sha256": sha256}
    members = {name: of for name, of in ensemble_members(context).items() if name in ensembles}
    features = {name: _provenance(context, name) for name in sorted(used)}
    return {"models": models, "ensembles": members, "features": features}


def _provenance(context: StageContext, feature: str) -> dict[str, Any]:
    """How a feature is computed, stage by stage, with the digest of its code."""
    return {
        stage: {
            **described,
            "code": context.code(context.stages.get(stage) or RESULT_STAGES[stage]),
        }
        for stage, described in context.features[feature].items()
    }


def _splits(context: StageContext) -> dict[str, str]:
    return {sample.sample: sample.split.value for sample in context.plan.samples}


def _sizes(context: StageContext, feature: Feature) -> dict[str, Any]:
    options = context.plan.config["features"][feature.name]
    return {key: options[key] for key in SIZES if key in options}
