"""From a request to its plan. What makes a request invalid is reported here, before any job.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from circumplex.config.catalogue import published_weights
from circumplex.config.experiments import (
    PRETRAINED,
    Strategy,
    SubmissionFormat,
)
from circumplex.config.features import FEATURES
from circumplex.config.names import look_alikes, spell_out
from circumplex.config.root import read_config
from circumplex.config.samples import AUTO, MissingSheet, Split, place_emotions, read_samples
from circumplex.config.training import TrainingSpec
from circumplex.config.validation import suggestion
from circumplex.config.weights import PUBLISHED, WEIGHT_KEYS
from circumplex.errors import RequestError
from circumplex.pipeline.annotations import layout_names
from circumplex.pipeline.contents import UNUSABLE
from circumplex.pipeline.plan import MEAN, Plan, scales_by_group
from circumplex.targets import TARGETS

logger = logging.getLogger(__name__)
NEEDING_SAMPLES = ("experiments", "ensembles", "submissions", "tables")
"""Sections whose results come from samples."""
UNQUOTED = ',"'
"""What ends a cell for the organisers' readers; no name in a sheet has a line break."""


def make_plan(config: Mapping[str, Any]) -> Plan:
    """The plan of a config and the sheet that it names, validated.

    Raises:
        RequestError: unknown key or name, a sheet that breaks its schema, more folds than groups,
            an experiment without training samples, an export whose extractors differ.
    """
    values = read_config(config)
    try:
        rows = place_emotions(read_samples(Path(values["samples"])), values["labels"]["emotions"])
    except MissingSheet as error:
        if not values["backbones"]["still_sets"]:
            raise
        return _plan_backbones(values, str(error))
    excluded = set(values["exclude"])
    for name in excluded - {row.sample for row in rows}:
        known = [row.sample for row in rows]
        raise RequestError(
            f"config: exclude names sample {name!r}, which is not in the sheet"
            + suggestion(name, known)
        )
    plan = Plan(values, tuple(row for row in rows if row.sample not in excluded))
    _check_paths(plan)
    _check_names(plan)
    _check_pretrained(plan)
    plan.backbones.check()
    _check_annotations(plan)
    _check_imports(plan)
    _check_rate(plan)
    _check_strategies(plan)
    _check_training(plan)
    _check_search(plan)
    _check_groups(plan)
    return plan


def _plan_backbones(config: Mapping[str, Any], problem: str) -> Plan:
    """The plan of a run that trains backbones alone, without a sample sheet.

    Args:
        config: the checked config.
        problem: what is wrong with the sheet, for whoever asks for more.
    """
    values = {key: value for key, value in config.items() if key not in ("search", "export")}
    values |= {"exclude": [], **{section: {} for section in NEEDING_SAMPLES}}
    plan = Plan(values, (), without_sheet=problem)
    _check_paths(plan)
    plan.backbones.check()
    return plan


def _check_paths(plan: Plan) -> None:
    """Refuse paths that Snakemake would take for patterns, in a message that says nothing of it."""
    config = plan.config
    named = {key: config[key] for key in ("samples", "results", "export") if key in config}
    named["weights_cache"] = str(plan.weights_cache)
    for name, submission in plan.submissions.items():
        named[f"submissions.{name}.list"] = submission.get("list", "")
    for name, options in config["features"].items():
        if "import" not in options:
            named |= {f"features.{name}.{key}": options.get(key, "") for key in WEIGHT_KEYS}
    for name, recipe in config["backbones"].get("recipes", {}).items():
        named[f"backbones.recipes.{name}.start"] = recipe.get("start", "")
    for key, path in named.items():
        if UNUSABLE & set(path):
            raise RequestError(
                f"config: {key} is {path!r}: Snakemake takes braces and angle brackets in a path "
                "for patterns: name a place without them"
            )


def warn_of_look_alikes(names: Iterable[str]) -> None:
    """Warn of samples whose names look the same, each pair with the characters that differ."""
    for first, second in look_alikes(names):
        logger.warning(
            "samples %s and %s look alike but are two names: %s and %s. Is one of them a mistake?",
            *(first, second, spell_out(first), spell_out(second)),
        )


def _check_names(plan: Plan) -> None:
    if plan.export is not None:
        return
    experiments = plan.declared_experiments
    for name, experiment in experiments.items():
        kind = "pretrained" if name in plan.config["pretrained"] else "experiment"
        _known(experiment["features"], plan.config["features"], f"{kind} {name}: feature")
    for name in plan.config["pretrained"].keys() & plan.config["experiments"].keys():
        raise RequestError(
            f"config: {name!r} names an experiment and a pretrained model: rename one of them"
        )
    _known(plan.searched_features, plan.config["features"], "search: feature")
    for name, ensemble in plan.ensembles.items():
        for target in TARGETS:
            _known(ensemble[target], experiments, f"ensemble {name}: experiment")
    for name in plan.ensembles:
        for target in TARGETS:
            if not plan.members(name, target):
                raise RequestError(
                    f"config: ensemble {name} has no model for {target}: its seeds "
                    f"{plan.ensembles[name].get('seeds')} are none of its experiments'"
                )
        _check_method(plan, name)
    for name, submission in plan.submissions.items():
        _known([submission["ensemble"]], plan.ensembles, f"submission {name}: ensemble")
    _check_lists(plan)
    _check_tables(plan, experiments)
    for name, options in plan.config["features"].items():
        for key in WEIGHT_KEYS:
            _check_weights(f"features.{name}.{key}", options.get(key, ""))


def _check_pretrained(plan: Plan) -> None:
    """Check that pretrained models in use read values that their features have."""
    for name in filter(plan.is_pretrained, plan.experiments):
        feature = plan.pretrained[name]["feature"]
        columns = dict.fromkeys(plan.columns(feature))
        if not columns:
            raise RequestError(
                f"config: pretrained {name}: the values of feature {feature} have no names; read "
                "a feature whose values have names"
            )
        for target in TARGETS:
            named = plan.pretrained[name][target]["coefficients"]
            _known([*named], columns, f"pretrained {name}: {target}: value")


def _check_method(plan: Plan, ensemble: str) -> None:
    method = plan.ensembles[ensemble].get("method", MEAN)
    strategies = plan.strategies(ensemble) - {PRETRAINED}
    allowed: set[str] = set(Strategy)
    if method == "ccc_weighted":
        allowed = {Strategy.OFFICIAL, Strategy.KFOLD}
    elif method == "stacked_ridge":
        allowed = {Strategy.KFOLD}
        for target in TARGETS:
            if all(plan.is_pretrained(run.experiment) for run in plan.members(ensemble, target)):
                raise RequestError(
                    f"config: ensemble {ensemble}: method {method} is fitted fold by fold, but "
                    f"{target} has pretrained models alone; use mean or ccc_weighted"
                )
    if strategies - allowed:
        raise RequestError(
            f"config: ensemble {ensemble}: method {method} is fitted on predictions of samples "
            f"held out by strategy {' or '.join(sorted(allowed))}, but a member has strategy "
            f"{', '.join(sorted(strategies - allowed))}"
        )


def _check_annotations(plan: Plan) -> None:
    layouts = [AUTO, *layout_names()]
    for sample in plan.samples:
        if sample.annotation_format not in layouts:
            raise RequestError(
                f"sample {sample.sample}: annotation_format is {sample.annotation_format!r}, which "
                f"no reader has{suggestion(sample.annotation_format, layouts)}"
            )


def _check_imports(plan: Plan) -> None:
    for name, options in plan.config["features"].items():
        if "import" in options and not Path(options["import"]).exists():
            raise RequestError(
                f"config: features.{name}.import names {options['import']}, which is not there"
            )
        fixed = name in FEATURES and FEATURES[name].dimension is not None
        if fixed and "dimension" in options and "import" not in options:
            raise RequestError(f"config: features.{name}.dimension goes with import")
    without_video = [sample.sample for sample in plan.samples if sample.video is None]
    extracted = [feature.name for feature in plan.features if not feature.imported]
    if without_video and extracted:
        raise RequestError(
            f"sample {without_video[0]} has no video in the sheet, from which "
            f"{', '.join(extracted)} would be extracted: name it, or import these features"
        )
    if without_video and len(without_video) < len(plan.samples):
        raise RequestError(
            f"sample {without_video[0]} has no video in the sheet, others have one: "
            "give all or none, so that all have their frames from the same source"
        )


def _check_rate(plan: Plan) -> None:
    """Refuse folders of crops, which are numbered by the video's frames, at a rate of one's own."""
    given = [sample.sample for sample in plan.samples if sample.faces is not None]
    if plan.rate is not None and given:
        raise RequestError(
            f"timeline.rate is {plan.rate:g} frames per second, but sample {given[0]} has a folder "
            "of crops, which are numbered by the frames of the video: set timeline.rate to native, "
            "or leave the column faces empty, so that faces are detected"
        )


def _check_lists(plan: Plan) -> None:
    splits = {sample.sample: sample.split for sample in plan.samples}
    excluded = set(plan.config.get("exclude", []))
    for name, spec in plan.submissions.items():
        listed = plan.lists.get(name, {})
        for sample in [sample for sample in listed if sample not in excluded]:
            if sample not in splits:
                raise RequestError(
                    f"config: submission {name}: {spec['list']} asks for sample {sample!r}, "
                    f"which is not in the sheet{suggestion(sample, [*splits])}"
                )
            if splits[sample] not in (Split.TEST, Split.PREDICT):
                raise RequestError(
                    f"config: submission {name}: {spec['list']} asks for sample {sample!r} of "
                    f"split {splits[sample]}; only test and predict are submitted"
                )
        names_only = None in listed.values() or not listed
        if spec.get("rows") == "list" and names_only:
            raise RequestError(f"config: submission {name}: rows: list needs a list of images")
        _check_cells(plan, name)
        if spec.get("rows") == "video" and spec["format"] == "abaw6" and not names_only:
            raise RequestError(
                f"config: submission {name}: a CSV has the rows of its list; drop rows: video"
            )


def _check_cells(plan: Plan, submission: str) -> None:
    """Refuse names that the one CSV of a challenge cannot hold, before days of extraction."""
    if plan.submissions[submission]["format"] != SubmissionFormat.ABAW6:
        return
    for sample in plan.submitted(submission):
        if set(sample) & set(UNQUOTED):
            raise RequestError(
                f"config: submission {submission}: sample {sample!r} has a comma or a quote in its "
                "name, which a CSV of format abaw6 cannot hold unquoted: give the sample another "
                "name in the sheet, or use format abaw3"
            )


def _check_tables(plan: Plan, experiments: Mapping[str, Any]) -> None:
    for name, table in plan.tables.items():
        for row in table["rows"]:
            where = f"table {name}, row {row['label']!r}"
            if len({"experiment", "ensembles", "submission"} & set(row)) != 1:
                raise RequestError(
                    f"config: {where}: give one of experiment, ensembles and submission"
                )
            if "experiment" in row:
                _known([row["experiment"]], experiments, f"{where}: experiment")
            _known(row.get("ensembles", []), plan.ensembles, f"{where}: ensemble")
            if "submission" in row:
                _known([row["submission"]], plan.submissions, f"{where}: submission")
            if "fold" in row and f"fold{row['fold']}" not in (
                plan.folds(row["experiment"]) if "experiment" in row else []
            ):
                raise RequestError(
                    f"config: {where} has no fold {row['fold']}: folds.count is "
                    f"{plan.fold_count}, and only experiments of strategy kfold have folds"
                )


def _check_strategies(plan: Plan) -> None:
    if plan.export is not None:
        return
    strategies = {e["strategy"] for e in plan.experiments.values()} - {PRETRAINED}
    if not strategies:
        return
    training = plan.in_split(Split.TRAIN)
    validation = plan.in_split(Split.VAL)
    if not training:
        raise RequestError("the sheet has no sample of split train: nothing can be trained")
    if Strategy.OFFICIAL in strategies and not validation:
        raise RequestError(
            "strategy official needs samples of split val to choose the epoch by; "
            "add some, or use strategy kfold or train_val_mix"
        )
    groups = {sample.group for sample in [*training, *validation]}
    if Strategy.KFOLD in strategies:
        # Read here, so that a file that is none stops the run before any job.
        _ = plan.kept_folds
    if Strategy.KFOLD in strategies and plan.fold_count > len(groups):
        raise RequestError(
            f"config: folds.count is {plan.fold_count}, but training and validation have only "
            f"{len(groups)} groups, which are never split; use at most {len(groups)} folds"
        )


def _check_training(plan: Plan) -> None:
    """Check what the training itself refuses, before days of extraction."""
    if plan.export is not None:
        return
    for name in (name for name in plan.experiments if not plan.is_pretrained(name)):
        TrainingSpec.read(plan.training_values(name), f"experiments.{name}")


def _check_groups(plan: Plan) -> None:
    """Refuse to take files of one name for one speaker where features are scaled by group."""
    if not plan.scaled_by_group and not any(map(scales_by_group, plan.search_choices)):
        return
    videos: dict[str, Path] = {}
    for sample in plan.samples:
        if sample.video is None or sample.group != sample.video.name:
            continue  # its group is given
        other = videos.setdefault(sample.group, sample.video)
        if other != sample.video:
            raise RequestError(
                f"features are scaled by group, and {other} and {sample.video} fall into one "
                "group by their file name alone: write the sheet's column group, such as the "
                "speaker's name"
            )


def _check_search(plan: Plan) -> None:
    search = plan.search
    if search is None:
        return
    if not plan.in_split(Split.TRAIN) or not plan.in_split(Split.VAL):
        raise RequestError(
            "a search trains on split train and is scored on val: the sheet needs samples of both"
        )
    space = search["space"]
    for values in plan.search_choices:
        for hidden in space.get("hidden", [None]):
            wider = {} if hidden is None else {"hidden": hidden}
            TrainingSpec.read({**values, "encoder": {**values["encoder"], **wider}}, "search")


def _check_weights(where: str, choice: str) -> None:
    if choice.startswith(PUBLISHED):
        name = choice.removeprefix(PUBLISHED)
        _known([name], published_weights(), f"{where}: published weights")


def _known(names: Sequence[str], known: Mapping[str, Any], what: str) -> None:
    for name in names:
        if name not in known:
            raise RequestError(
                f"config: {what} {name!r} does not exist{suggestion(name, [*known])}"
            )
