"""The jobs of a run and the results that each reads and writes.

Rules, records and the check of what is current all ask here, so that a path stands in one place.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from circumplex.config.experiments import Strategy
from circumplex.errors import RequestError
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.records import Job
from circumplex.pipeline.request_builder import RequestBuilder
from circumplex.pipeline.requests import TableRequest
from circumplex.targets import TARGETS

WITHOUT_SAMPLES = ("fetch_weights", "list_stills", "train_backbone")
"""Stages that need no sample sheet."""
SAMPLE_OUTPUTS = {"index": "index/{stage}/{unit}.json"}
OUTPUTS: Mapping[str, Mapping[str, str]] = {
    "pack_features": {"array": "{stage}/{unit}.npy", "index": "{stage}/{unit}.json"},
    "make_folds": {"folds": "make_folds.json"},
    "train_encoder": {
        "index": "index/{stage}/{unit}.json",
        "epochs": "{stage}/{unit}.epochs.parquet",
    },
    "predict_frames": {"predictions": "{stage}/{unit}.parquet"},
    "smooth_predictions": {"predictions": "{stage}/{unit}.parquet"},
    "ensemble_predictions": {"predictions": "{stage}/{unit}.parquet"},
    "restore_frames": {"predictions": "{stage}/{unit}.parquet"},
    "export_ensemble": {"description": "exports/{unit}/ensemble.json"},
    "write_submission": {"manifest": "{stage}/{unit}.json"},
    "write_predictions": {"manifest": "write_predictions.json", "summary": "summary.csv"},
    "make_player": {"manifest": "make_player.json", "page": "player.html"},
    "evaluate": {
        "table": "evaluate/ccc.parquet",
        "csv": "evaluate/ccc.csv",
        "markdown": "evaluate/ccc.md",
    },
    "make_table": {
        "csv": "tables/{unit}.csv",
        "markdown": "tables/{unit}.md",
        "html": "tables/{unit}.html",
        "manifest": "tables/{unit}.json",
    },
    "make_manifest": {"manifest": "manifest.json"},
    "list_failures": {"failures": "list_failures.tsv"},
    "make_report": {"manifest": "make_report.json", "page": "report.html"},
    "check_failures": {"summary": "check_failures.txt"},
    "fetch_weights": {"fetched": "fetch_weights.json"},
    "list_stills": {"table": "{stage}/{unit}.parquet", "summary": "{stage}/{unit}.json"},
    "train_backbone": {
        "index": "index/{stage}/{unit}.json",
        "weights": "backbones/{unit}.safetensors",
        "card": "backbones/{unit}.json",
        "text": "backbones/{unit}.md",
    },
    "propose_trials": {"round": "search/round{unit}.json"},
    "train_trial": {
        "index": "index/{stage}/trial{unit}.json",
        "epochs": "search/trial{unit}.epochs.parquet",
    },
    "summarise_search": {
        "csv": "search/trials.csv",
        "markdown": "search/trials.md",
        "best": "search/best.yaml",
    },
}
"""Results of each stage, by name, below the results folder; stages of per-sample files that are not
listed write an index per shard."""


@dataclass(frozen=True)
class Source:
    """A result that a job reads.

    Attributes:
        stage: stage that writes it.
        unit: unit of the job that writes it.
        output: name of the result among that job's.
    """

    stage: str
    unit: str = ""
    output: str = ""

    @property
    def path(self) -> str:
        """Place below the results folder."""
        outputs = output_paths(self.stage, self.unit)
        return outputs[self.output or next(iter(outputs))]


def output_paths(stage: str, unit: str) -> dict[str, str]:
    """Results of a job by name, below the results folder; ``unit`` may be a wildcard."""
    patterns = OUTPUTS.get(stage, SAMPLE_OUTPUTS)
    return {name: path.format(stage=stage, unit=unit) for name, path in patterns.items()}


class Graph:
    """The jobs of a run.

    Args:
        builder: builder of the run's requests.
    """

    def __init__(self, builder: RequestBuilder) -> None:
        self._builder = builder
        self._jobs: dict[tuple[str, str], Job] = {}

    @property
    def _plan(self) -> Plan:
        return self._builder.plan

    def job(self, stage: str, unit: str = "") -> Job:
        """A job with its request, inputs and outputs."""
        key = (stage, unit)
        if key not in self._jobs:
            named = self.sources(stage, unit)
            sources = [source for several in named.values() for source in several]
            self._jobs[key] = Job(
                unit=unit,
                request=self._builder.request(stage, unit),
                inputs={name: tuple(s.path for s in several) for name, several in named.items()},
                outputs=tuple(output_paths(stage, unit).values()),
                upstream=tuple(dict.fromkeys((source.stage, source.unit) for source in sources)),
            )
        return self._jobs[key]

    def sources(self, stage: str, unit: str) -> Mapping[str, Sequence[Source]]:
        """Results that a job reads, by the name of the rule's input.

        Raises:
            RequestError: the job needs samples, and there is no sheet of any.
        """
        if self._plan.without_sheet and stage not in WITHOUT_SAMPLES:
            raise RequestError(
                f"{self._plan.without_sheet}. Without it, backbones alone are trained: "
                "snakemake --cores 8 -- backbones"
            )
        if stage in self._builder.stages:
            return self._of_shard(stage, unit)
        named = getattr(self, f"_{stage}", None)
        found: Mapping[str, Sequence[Source]] = {} if named is None else named(unit)
        return found

    def indexes(self, stage: str) -> list[Source]:
        """Indexes of all shards in a stage."""
        return [Source(stage, shard) for shard in self._plan.shards]

    def _of_shard(self, stage: str, shard: str) -> Mapping[str, Sequence[Source]]:
        found: dict[str, Sequence[Source]] = {}
        described = self._builder.stages[stage]
        plan = self._plan
        timeline = plan.native_timeline if described.reads_native else plan.timeline
        for name in described.follows:
            # Samples without video have their timeline from an imported feature.
            actual = timeline if name == "extract_frames" else name
            if actual in self._builder.stages:
                found[name] = [Source(actual, shard)]
        feature = stage.removeprefix("extract_")
        recipe = self._plan.backbones.trained.get(feature)
        if recipe in self._plan.trained_recipes:
            found["weights"] = [Source("train_backbone", recipe or "", "weights")]
        return found

    def _pack_features(self, unit: str) -> Mapping[str, Sequence[Source]]:
        feature, _, shard = unit.partition("/")
        return {
            "extract_frames": [Source(self._plan.timeline, shard)],
            "feature": [Source(self._plan.feature(feature).stage, shard)],
        }

    def _packs(self, features: Iterable[str]) -> list[Source]:
        return [
            Source("pack_features", f"{feature}/{shard}", output)
            for feature in features
            for shard in self._plan.shards
            for output in ("index", "array")
        ]

    def _make_folds(self, _: str) -> Mapping[str, Sequence[Source]]:
        return {"read_labels": self.indexes("read_labels")}

    def _train_encoder(self, path: str) -> Mapping[str, Sequence[Source]]:
        experiment = self._plan.experiments[path.split("/")[0]]
        kfold = experiment["strategy"] == Strategy.KFOLD
        return {
            "packs": self._packs(experiment["features"]),
            "read_labels": self.indexes("read_labels"),
            "folds": [Source("make_folds")] if kfold else [],
        }

    def _predict_frames(self, path: str) -> Mapping[str, Sequence[Source]]:
        experiment = self._plan.experiments[path.split("/")[0]]
        trained = path in {run.path for run in self._plan.trained_runs}
        return {
            "model": [Source("train_encoder", path, "index")] if trained else [],
            "packs": self._packs(experiment["features"]),
            "extract_frames": self.indexes(self._plan.timeline),
        }

    def _smooth_predictions(self, path: str) -> Mapping[str, Sequence[Source]]:
        return {
            "predictions": [Source("predict_frames", path)],
            "read_labels": self.indexes("read_labels") if self._plan.window_search else [],
        }

    def _smoothed(self, paths: Iterable[str]) -> list[Source]:
        return [Source("smooth_predictions", path) for path in paths]

    def _ensemble_predictions(self, name: str) -> Mapping[str, Sequence[Source]]:
        members = {
            target: self._smoothed(run.path for run in self._plan.members(name, target))
            for target in TARGETS
        }
        fits = self._plan.fits(name)
        return {**members, "read_labels": self.indexes("read_labels") if fits else []}

    def _restore_frames(self, name: str) -> Mapping[str, Sequence[Source]]:
        return {
            "predictions": [Source("ensemble_predictions", name)],
            "extract_frames": self.indexes(self._plan.native_timeline),
        }

    def _members(self) -> list[Source]:
        """Smoothed predictions of the models of all ensembles, each once."""
        plan = self._plan
        runs = dict.fromkeys(run for name in plan.ensembles for run in plan.all_members(name))
        return self._smoothed(run.path for run in runs)

    def _restored(self, ensemble: str) -> Source:
        """Predictions of an ensemble with a row per frame of the video."""
        return Source(self._plan.predictions, ensemble)

    def _export_ensemble(self, name: str) -> Mapping[str, Sequence[Source]]:
        plan = self._plan
        runs = plan.all_members(name)
        paths = [run.path for run in runs]
        used = {f for run in runs for f in plan.experiments[run.experiment]["features"]}
        recipes = [plan.backbones.trained[f] for f in sorted(used & plan.backbones.trained.keys())]
        return {
            "models": [
                Source("train_encoder", run.path, "index")
                for run in runs
                if not plan.is_pretrained(run.experiment)
            ],
            "smoothed": self._smoothed(paths) if plan.window_search else [],
            "fitted": [Source("ensemble_predictions", name)] if plan.fits(name) else [],
            "weights": [Source("train_backbone", recipe, "weights") for recipe in recipes],
            "timeline": self.indexes(plan.timeline) if plan.rate is None else [],
        }

    def _write_submission(self, name: str) -> Mapping[str, Sequence[Source]]:
        ensemble = self._plan.submissions[name]["ensemble"]
        return {"predictions": [self._restored(ensemble)]}

    def _evaluate(self, _: str) -> Mapping[str, Sequence[Source]]:
        return {
            "smoothed": self._smoothed(run.path for run in self._plan.runs),
            "ensembles": [Source("ensemble_predictions", name) for name in self._plan.ensembles],
            "read_labels": self.indexes("read_labels"),
        }

    def models(self) -> list[Source]:
        """Indexes of the models that the run trains."""
        return [Source("train_encoder", run.path, "index") for run in self._plan.trained_runs]

    def submissions(self) -> list[Source]:
        """Manifests of the run's submissions."""
        return [Source("write_submission", name) for name in self._plan.submissions]

    def _make_table(self, name: str) -> Mapping[str, Sequence[Source]]:
        trace = cast(TableRequest, self._builder.request("make_table", name)).trace
        trained = [run.path for run in self._plan.trained_runs if run.path in trace["models"]]
        return {
            "models": [Source("train_encoder", path, "index") for path in trained],
            "smoothed": self._smoothed(trace["models"]),
            "ensembles": [Source("ensemble_predictions", name) for name in trace["ensembles"]],
            "read_labels": self.indexes("read_labels"),
        }

    def _make_manifest(self, _: str) -> Mapping[str, Sequence[Source]]:
        return {
            "models": self.models(),
            "ccc": [Source("evaluate", "", "table")],
            "tables": [Source("make_table", name, "manifest") for name in self._plan.tables],
        }

    def sample_indexes(self) -> list[Source]:
        """Indexes of all shards in all stages of per-sample files."""
        return [source for stage in self._builder.stages for source in self.indexes(stage)]

    def _list_failures(self, _: str) -> Mapping[str, Sequence[Source]]:
        return {"indexes": self.sample_indexes()}

    def _make_report(self, _: str) -> Mapping[str, Sequence[Source]]:
        plan = self._plan
        return {
            "indexes": self.sample_indexes(),
            "failures": [Source("list_failures")],
            "ccc": [Source("evaluate", "", "table")],
            "ensembles": [Source("ensemble_predictions", name) for name in plan.ensembles],
            "members": self._members(),
            "tables": [Source("make_table", name) for name in plan.tables],
            "epochs": [Source("train_encoder", run.path, "epochs") for run in plan.trained_runs],
            "submissions": self.submissions(),
            "backbones": [Source("train_backbone", r, "card") for r in plan.trained_recipes],
        }

    def _check_failures(self, _: str) -> Mapping[str, Sequence[Source]]:
        shown = bool(self._plan.shown)
        return {
            "failures": [Source("list_failures")],
            "report": [Source("make_report", "", "page")],
            "predictions": [Source("ensemble_predictions", name) for name in self._plan.ensembles],
            "ccc": [Source("evaluate", "", "markdown")],
            "submissions": self.submissions(),
            "summary": [Source("write_predictions", "", "summary")] if shown else [],
            "player": [Source("make_player", "", "page")] if shown else [],
        }

    def _make_proxy(self, shard: str) -> Mapping[str, Sequence[Source]]:
        return {"extract_frames": [Source("extract_frames", shard)]}

    def _write_predictions(self, _: str) -> Mapping[str, Sequence[Source]]:
        return {
            "ensembles": [self._restored(name) for name in self._plan.ensembles],
            "members": self._members(),
            "align_faces": self._of_shown("align_faces"),
            "fill_frames": self._of_shown("fill_frames"),
            "failures": [Source("list_failures")],
        }

    def _make_player(self, _: str) -> Mapping[str, Sequence[Source]]:
        proxies = self._plan.proxies is not None
        return {
            **self._write_predictions(""),
            "extract_frames": self._of_shown(self._plan.native_timeline),
            "make_proxy": self._of_shown("make_proxy") if proxies else [],
        }

    def _of_shown(self, stage: str) -> list[Source]:
        """Indexes of a stage of the shards with samples that are shown, if the run has it."""
        known = stage in self._builder.stages or stage == "make_proxy"
        return [Source(stage, shard) for shard in self._plan.shown_shards] if known else []

    def _train_backbone(self, recipe: str) -> Mapping[str, Sequence[Source]]:
        sets = self._plan.backbones.require(recipe).sets
        return {"stills": [Source("list_stills", name, "table") for name in sets]}

    def _propose_trials(self, number: str) -> Mapping[str, Sequence[Source]]:
        earlier = self._plan.search_rounds[: int(number)]
        return {
            "rounds": [Source("propose_trials", f"{n:03d}") for n in range(int(number))],
            "epochs": [self._trial(trial) for trials in earlier for trial in trials],
        }

    def _trial(self, number: int) -> Source:
        return Source("train_trial", f"{number:03d}", "epochs")

    def _train_trial(self, number: str) -> Mapping[str, Sequence[Source]]:
        rounds = self._plan.search_rounds
        (round_of_trial,) = [n for n, trials in enumerate(rounds) if int(number) in trials]
        return {
            "packs": self._packs(self._plan.searched_features),
            "read_labels": self.indexes("read_labels"),
            "folds": [],
            "round": [Source("propose_trials", f"{round_of_trial:03d}")],
        }

    def _summarise_search(self, _: str) -> Mapping[str, Sequence[Source]]:
        rounds = self._plan.search_rounds
        return {
            "rounds": [Source("propose_trials", f"{n:03d}") for n in range(len(rounds))],
            "epochs": [self._trial(trial) for trials in rounds for trial in trials],
        }
