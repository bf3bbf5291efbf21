"""From a plan to the request of each of its jobs.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from circumplex.io.digests import DigestCache
from circumplex.pipeline.builders import (
    backbones,
    outputs,
    predictions,
    reports,
    samples,
    training,
)
from circumplex.pipeline.checks import warn_of_look_alikes
from circumplex.pipeline.contents import Contents
from circumplex.pipeline.exports import check_features
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.requests import Request
from circumplex.pipeline.stage_context import LIBRARY, StageContext
from circumplex.pipeline.stages import SAMPLE_STAGES, Stage
from circumplex.pipeline.weights import RunWeights

BUILDERS: Mapping[str, Callable[..., Request]] = {
    function.__name__: function
    for function in (
        training.pack_features,
        training.make_folds,
        training.train_encoder,
        training.propose_trials,
        training.train_trial,
        training.summarise_search,
        predictions.predict_frames,
        predictions.smooth_predictions,
        predictions.ensemble_predictions,
        predictions.restore_frames,
        outputs.write_submission,
        outputs.write_predictions,
        outputs.make_player,
        outputs.export_ensemble,
        reports.evaluate,
        reports.make_table,
        reports.make_manifest,
        reports.list_failures,
        reports.make_report,
        reports.check_failures,
        backbones.fetch_weights,
        backbones.list_stills,
        backbones.train_backbone,
    )
}
"""Builds the request of a stage of results; stages of per-sample files share `samples`."""


class RequestBuilder:
    """Builds requests, each once; the public attributes answer what rules ask beside them.

    Args:
        plan: validated request of the user.
        root: folder of the checkout, with the lock file.
        cache: digests of large files.
        library: folder of the package.
    """

    def __init__(self, plan: Plan, root: Path, cache: DigestCache, library: Path = LIBRARY) -> None:
        self._context = StageContext(plan, root, cache, library, backbones.identify_trained)
        self._requests: dict[tuple[str, str], Request] = {}

    @property
    def plan(self) -> Plan:
        """The validated request of the user."""
        return self._context.plan

    @property
    def contents(self) -> Contents:
        """Digests of the files that the plan names."""
        return self._context.contents

    @property
    def weights(self) -> RunWeights:
        """The weights that the plan asks for."""
        return self._context.weights

    @property
    def stages(self) -> Mapping[str, Stage]:
        """Stages of per-sample files that the run needs, in order."""
        return self._context.stages

    @property
    def features(self) -> Mapping[str, Mapping[str, Any]]:
        """How each feature in use is computed: by stage, options and version."""
        return self._context.features

    def prepare(self) -> None:
        """Hash what has changed since the last run, and refuse what cannot work.

        Missing weights are reported later, by `RunWeights.require`: to fetch them, the workflow
        must parse without them.

        Raises:
            RequestError: the extractors' options are not those of the export.
        """
        self._context.digest_code()
        warn_of_look_alikes(sample.sample for sample in self.plan.samples)
        columns = {column for stage in SAMPLE_STAGES.values() for column in stage.columns}
        self.contents.hash_samples(columns)
        if self.plan.export is not None and not self.weights.problems():
            check_features(self.plan.export["features"], self.features)

    def request(self, stage: str, unit: str = "") -> Request:
        """The request of a job.

        Args:
            stage: name of the stage.
            unit: what the job is for (a shard, a run, ...); empty if the stage has one job.
        """
        key = (stage, unit)
        if key not in self._requests:
            self._requests[key] = self._build(stage, unit)
        return self._requests[key]

    def _build(self, stage: str, unit: str) -> Request:
        if stage in self.stages or stage in SAMPLE_STAGES:
            return samples.process_shard(self._context, stage, unit)
        build = BUILDERS[stage]
        return build(self._context, unit) if unit else build(self._context)
