"""From a plan to the request of each of its jobs.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from circumplex.config.catalogue import SIZES
from circumplex.config.features import Feature
from circumplex.config.outputs import ProxyChoice
from circumplex.config.preparation import NATIVE
from circumplex.config.samples import Split
from circumplex.config.weights import TRAINED, WEIGHT_KEYS
from circumplex.errors import RequestError
from circumplex.io.digests import MISSING, DigestCache, file_digest, value_digest
from circumplex.pipeline import requests
from circumplex.pipeline.checks import warn_of_look_alikes
from circumplex.pipeline.code import code_digest, read_pins, restore_parsed, save_parsed
from circumplex.pipeline.contents import LAYOUT, Contents, random_weights
from circumplex.pipeline.exports import check_features
from circumplex.pipeline.model_cards import model_card, model_cards
from circumplex.pipeline.plan import MEAN, Plan, Run
from circumplex.pipeline.stages import (
    NAMED_MODULES,
    RESULT_STAGES,
    SAMPLE_STAGES,
    Stage,
    ancestors,
    sample_stages,
)
from circumplex.pipeline.weights import RunWeights
from circumplex.targets import TARGETS

LOCK = "requirements.lock"
CODE_CACHE = ".code.json"
"""What the code's files say, below the results folder, so that a start need not parse them."""
LIBRARY = Path(__file__).parent.parent
TABLE_TEMPLATE = LIBRARY / "evaluation" / "table.html.j2"
REPORT_TEMPLATES = LIBRARY / "report" / "templates"
PLAYER_SOURCES = LIBRARY / "report" / "player"
PAGE_SUFFIXES = (".j2", ".css", ".js")
PLAYER = "player"
"""Folder of the player pages, below the results folder."""
ALPHA = 0.01
"""Ridge penalty of stacking, in the unit of the predictions' variance (our choice)."""
MAX_DIFFERENCE = 30
"""Frames that decoding and the organisers' list may differ by; Aff-Wild2's annotations do."""


class RequestBuilder:
    """Builds requests; the public attributes answer what rules ask beside them.

    Args:
        plan: validated request of the user.
        root: folder of the checkout, with the lock file.
        cache: digests of large files.
        library: folder of the package.
    """

    def __init__(self, plan: Plan, root: Path, cache: DigestCache, library: Path = LIBRARY) -> None:
        self.plan = plan
        self.contents = Contents(plan, cache)
        self.weights = RunWeights(plan, self.contents, self._trained_identity)
        self._library = library
        self._pins = read_pins(root / LOCK)
        restore_parsed(plan.results / CODE_CACHE)
        self._codes: dict[tuple[str, tuple[str, ...]], str] = {}
        self._requests: dict[tuple[str, str], requests.Request] = {}

    def prepare(self) -> None:
        """Hash what has changed since the last run, and refuse what cannot work.

        Missing weights are reported later, by `RunWeights.require`: to fetch them, the workflow
        must parse without them.

        Raises:
            RequestError: the extractors' options are not those of the export.
        """
        for stage in (*self.stages.values(), *RESULT_STAGES.values()):
            self.code(stage)
        save_parsed(self.plan.results / CODE_CACHE)
        warn_of_look_alikes(sample.sample for sample in self.plan.samples)
        columns = {column for stage in SAMPLE_STAGES.values() for column in stage.columns}
        self.contents.hash_samples(columns)
        if self.plan.export is not None and not self.weights.problems():
            check_features(self.plan.export["features"], self.features)

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        """Stages of per-sample files that the run needs, in order."""
        return sample_stages(self.plan)

    def request(self, stage: str, unit: str = "") -> requests.Request:
        """The request of a job.

        Args:
            stage: name of the stage.
            unit: what the job is for (a shard, a run, ...); empty if the stage has one job.
        """
        key = (stage, unit)
        if key not in self._requests:
            self._requests[key] = self._build(stage, unit)
        return self._requests[key]

    def _build(self, stage: str, unit: str) -> requests.Request:
        if stage in self.stages or stage in SAMPLE_STAGES:
            return self._shard(stage, unit)
        if stage == "make_table":
            return self.table(unit)
        build = getattr(self, f"_{stage}")
        request: requests.Request = build(unit) if unit else build()
        return request

    def code(self, stage: Stage, *names: str) -> str:
        """Version and code digest of a stage.

        Args:
            stage: the stage.
            names: modules of the stage's package of `NAMED_MODULES` that the request chooses.
        """
        key = (stage.name, names)
        if key not in self._codes:  # a dry run of hundreds of samples asks a thousand times
            chosen = [f"{NAMED_MODULES[stage.name]}.{name}" for name in names]
            digest = code_digest([*stage.modules, *chosen], self._library, self._pins)
            self._codes[key] = f"v{stage.version}-{digest}"
        return self._codes[key]

    def options(self, stage: Stage) -> dict[str, Any]:
        """Options that change a stage's results; weights are given by content, not by path."""
        if stage.name == "import_frames":
            return {"fps": self.plan.config["media"]["audio_only_fps"]}
        if stage.name == "resample_timeline":
            return {"rate": self.plan.rate}
        if stage.name == "make_proxy":
            always = self.plan.proxies is ProxyChoice.ALWAYS
            return {"height": self.plan.config["outputs"]["proxy_height"], "always": always}
        if stage.name.startswith("import_"):
            return {"dimension": self.plan.feature(stage.name.removeprefix("import_")).dimension}
        if stage.name == "read_labels":
            without_video = self.plan.native_timeline == "import_frames"
            labels = dict(self.plan.config["labels"])
            without = labels.pop("max_difference_without_video")
            return labels | ({"max_difference": without} if without_video else {})
        options: Any = self.plan.config if stage.section else {}
        for key in stage.section.split(".") if stage.section else ():
            options = options[key]
        others = {place for other in SAMPLE_STAGES.values() for place in other.options}
        further = [place.split(".") for place in stage.options]
        return {
            key: self.weights.identity(value) if key in WEIGHT_KEYS else value
            for key, value in options.items()
            if f"{stage.section}.{key}" not in others
        } | {key: self.plan.config[section][key] for section, key in further}

    @cached_property
    def features(self) -> dict[str, dict[str, Any]]:
        """How each feature in use is computed: by stage, options and version.

        This is what an export carries and what it compares: no digest of code, so that an export
        survives an upgrade.
        """
        return {feature.name: self._describe(feature) for feature in self.plan.features}

    def _describe(self, feature: Feature) -> dict[str, Any]:
        # A feature that is imported comes from the user's files: its form alone must agree.
        imported = feature.imported
        names = [feature.stage] if imported else ancestors(self.stages, feature.stage)
        described = {
            name: {"version": self.stages[name].version, "options": self.options(self.stages[name])}
            for name in names
        }
        pack = self._pack_features(f"{feature.name}/")
        described["pack_features"] = {
            "version": RESULT_STAGES["pack_features"].version,
            "options": {
                "dimension": pack.dimension,
                "framing": pack.framing,
                "dtype": pack.dtype,
            },
        }
        return described

    # Stages of per-sample files

    def _shard(self, name: str, shard: str) -> requests.ShardRequest:
        stage = self.stages.get(name) or SAMPLE_STAGES[name]
        members = self.plan.shards[shard]
        if name == "make_proxy":
            shown = {sample.sample for sample in self.plan.shown}
            members = [sample for sample in members if sample.sample in shown]
        samples: dict[str, dict[str, str]] = {}
        feature = source = ""
        if stage.columns:
            samples = {s.sample: self.contents.sample_key(s, stage.columns) for s in members}
        if name.startswith("import_"):
            imported = (
                self.plan.counted_feature
                if name == "import_frames"
                else self.plan.feature(name.removeprefix("import_"))
            )
            samples = {s.sample: self.contents.import_key(s, imported) for s in members}
            source = self.plan.config["features"][imported.name]["import"]
            feature = imported.name
        elif name.startswith("extract_") and name not in SAMPLE_STAGES:
            feature = name.removeprefix("extract_")
        annotated = [s.sample for s in members if s.is_annotated and name == "read_labels"]
        layouts = {samples[sample][LAYOUT] for sample in annotated}
        code = self.code(stage, *sorted(layouts))
        options = self.options(stage)
        return requests.ShardRequest(name, code, options, samples, feature, source)

    def _plain(self, stage: str, *names: str) -> tuple[str, str]:
        """Stage and code, the first two values of every request."""
        return stage, self.code(RESULT_STAGES[stage], *names)

    # Training

    def _pack_features(self, unit: str) -> requests.PackRequest:
        feature = self.plan.feature(unit.partition("/")[0])
        framing = feature.framing.value if feature.framing else None
        dtype = self.plan.config["packs"]["dtype"]
        plain = self._plain("pack_features")
        dimension = int(feature.dimension or 0)  # a feature in use has one
        return requests.PackRequest(*plain, feature.name, dimension, framing, dtype)

    def _make_folds(self) -> requests.FoldsRequest:
        labelled = self.plan.in_split(Split.TRAIN, Split.VAL)
        config = self.plan.config["folds"]
        return requests.FoldsRequest(
            *self._plain("make_folds"),
            groups=[[sample.sample, sample.group] for sample in labelled],
            count=config["count"],
            seed=config["seed"],
            keep=self.plan.kept_folds,
        )

    def _train_encoder(self, path: str) -> requests.TrainingRequest:
        run = self._run(path)
        options = self.plan.training_values(run.experiment)
        return requests.TrainingRequest(
            *self._plain("train_encoder", options["encoder"]["kind"]),
            options=options,
            roles=self.plan.roles(run),
            fold=run.fold,
            seed=run.seed,
        )

    def _train_trial(self, number: str) -> requests.TrialRequest:
        search = self.plan.search or {}
        labelled = self.plan.in_split(Split.TRAIN, Split.VAL)
        return requests.TrialRequest(
            *self._plain("train_trial", search["encoder"]),
            choices=self.plan.search_choices,
            place=int(number) % search["parallel"],
            roles={sample.sample: sample.split.value for sample in labelled},
            fold="official",
            seed=search["seed"],
        )

    def _propose_trials(self, number: str) -> requests.ProposalRequest:
        search = self.plan.search or {}
        return requests.ProposalRequest(
            *self._plain("propose_trials"),
            space=search["space"],
            sampler=search["sampler"],
            seed=search["sampler_seed"],
            count=len(self.plan.search_rounds[int(number)]),
        )

    def _summarise_search(self) -> requests.SearchRequest:
        return requests.SearchRequest(
            *self._plain("summarise_search"), search=self.plan.search or {}
        )

    # Predictions

    def _predict_frames(self, path: str) -> requests.PredictionRequest:
        plan, name = self.plan, self._run(path).experiment
        experiment = plan.experiments[name]
        pretrained = plan.is_pretrained(name)
        encoder = () if pretrained else (experiment["encoder"],)
        return requests.PredictionRequest(
            *self._plain("predict_frames", *encoder),
            run=path,
            features=experiment["features"],
            samples=[sample.sample for sample in plan.samples],
            columns=plan.columns(experiment["features"][0]) if pretrained else [],
            readout=experiment["readout"] if pretrained else {},
            card=model_card(plan, name) if pretrained else {},
        )

    def _smooth_predictions(self, path: str) -> requests.SmoothingRequest:
        plan = self.plan
        smoothing, search = plan.smoothing, plan.window_search
        if plan.export is not None:
            smoothing = plan.export.get("windows", {}).get(path, smoothing)
        strategy = plan.experiments[self._run(path).experiment]["strategy"]
        return requests.SmoothingRequest(
            *self._plain("smooth_predictions"),
            smoothing=smoothing,
            search=search,
            searched_on=plan.held_out([strategy]) if search else [],
        )

    def _ensemble_predictions(self, name: str) -> requests.EnsembleRequest:
        plan = self.plan
        spec = plan.ensembles[name]
        strategies = plan.strategies(name)
        return requests.EnsembleRequest(
            *self._plain("ensemble_predictions"),
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

    def _restore_frames(self, name: str) -> requests.RestorationRequest:
        return requests.RestorationRequest(*self._plain("restore_frames"), ensemble=name)

    def _export_ensemble(self, name: str) -> requests.ExportRequest:
        plan = self.plan
        runs = plan.all_members(name)
        members = {run.experiment: plan.experiments[run.experiment] for run in runs}
        used = {feature for e in members.values() for feature in e["features"]}
        trained = plan.backbones.trained
        return requests.ExportRequest(
            *self._plain("export_ensemble"),
            description={
                "ensemble": name,
                "members": plan.ensembles[name],
                "experiments": {n: e for n, e in members.items() if not plan.is_pretrained(n)},
                "pretrained": {n: plan.pretrained[n] for n in members if plan.is_pretrained(n)},
                "folds": plan.config["folds"],
                "smoothing": plan.smoothing,
                "timeline": {"rate": NATIVE if plan.rate is None else plan.rate},
                "features": {feature: self.features[feature] for feature in sorted(used)},
            },
            runs=[run.path for run in runs],
            pretrained=[run.path for run in runs if plan.is_pretrained(run.experiment)],
            trained={feature: trained[feature] for feature in sorted(used & trained.keys())},
        )

    # What people read and hand on

    def _write_submission(self, name: str) -> requests.SubmissionRequest:
        spec = self.plan.submissions[name]
        path = spec.get("list")
        return requests.SubmissionRequest(
            *self._plain("write_submission"),
            name=name,
            samples=self.plan.submitted(name),
            ensemble=spec["ensemble"],
            format=spec["format"],
            list=self.contents.digest(Path(path)) if path else None,
            rows=self.plan.counted_by(name),
            max_difference=spec.get("max_difference", MAX_DIFFERENCE),
        )

    def _write_predictions(self) -> requests.PredictionFilesRequest:
        return requests.PredictionFilesRequest(
            *self._plain("write_predictions"), **self._shown_predictions()
        )

    def _make_player(self) -> requests.PlayerRequest:
        sources = sorted(path for path in PLAYER_SOURCES.iterdir() if path.suffix in PAGE_SUFFIXES)
        return requests.PlayerRequest(
            *self._plain("make_player"),
            **self._shown_predictions(),
            videos={
                # As a browser resolves it: links are not followed.
                sample.sample: os.path.relpath(sample.video, self.plan.results / PLAYER)
                for sample in self.plan.shown
                if sample.video is not None
            },
            sources=[file_digest(path) for path in sources],
        )

    def _shown_predictions(self) -> dict[str, Any]:
        """What files and pages of predictions have in common."""
        plan = self.plan
        return {
            "samples": [sample.sample for sample in plan.shown],
            "ensembles": {
                name: {
                    target: [run.path for run in plan.members(name, target)] for target in TARGETS
                }
                for name in plan.ensembles
            },
            "notes": [self._describe_ensemble(name) for name in plan.ensembles],
            "random_weights": random_weights(plan),
        }

    def _describe_ensemble(self, name: str) -> str:
        """An ensemble in a phrase, for people who read its predictions."""
        plan = self.plan
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

    def _evaluate(self) -> requests.EvaluationRequest:
        plan = self.plan
        strategies = {name: e["strategy"] for name, e in plan.experiments.items()}
        return requests.EvaluationRequest(
            *self._plain("evaluate"),
            runs=[[r.experiment, r.fold, r.seed, strategies[r.experiment]] for r in plan.runs],
            ensembles={name: sorted(plan.strategies(name)) for name in plan.ensembles},
            splits=self._splits(),
        )

    def table(self, name: str) -> requests.TableRequest:
        """The request of a table of the paper."""
        plan = self.plan
        spec = plan.tables[name]
        rows = [{**row, "replicates": plan.replicates(row)} for row in spec["rows"]]
        units = [unit for row in rows for replicate in row["replicates"] for unit in replicate]
        ensembles = list(dict.fromkeys(n for kind, n, _ in units if kind == "ensemble"))
        scored = {n for kind, n, _ in units if kind == "model"}
        scored |= {run.path for ensemble in ensembles for run in plan.all_members(ensemble)}
        trace = self._trace([run for run in plan.runs if run.path in scored], ensembles)
        return requests.TableRequest(
            *self._plain("make_table"),
            name=name,
            title=spec["title"],
            targets=spec.get("targets", list(TARGETS)),
            split=spec.get("split", "val"),
            rows=rows,
            splits=self._splits(),
            random_weights=random_weights(plan, trace["features"]),
            models=model_cards(plan, {run.partition("/")[0] for run in trace["models"]}),
            template=file_digest(TABLE_TEMPLATE),
            trace=trace,
        )

    def _make_manifest(self) -> requests.ManifestRequest:
        trace = self._trace(self.plan.runs, list(self.plan.ensembles))
        return requests.ManifestRequest(*self._plain("make_manifest"), trace=trace)

    def _list_failures(self) -> requests.FailuresRequest:
        return requests.FailuresRequest(*self._plain("list_failures"), stages=list(self.stages))

    def _make_report(self) -> requests.ReportRequest:
        plan = self.plan
        return requests.ReportRequest(
            *self._plain("make_report"),
            templates=[file_digest(path) for path in sorted(REPORT_TEMPLATES.glob("*.j2"))],
            stages=list(self.stages),
            ensembles=list(plan.ensembles),
            runs=[run.path for run in plan.trained_runs],
            random_weights=random_weights(plan),
            models=model_cards(plan),
            features={
                f.name: {
                    **plan.weight_choices(f),
                    **self._sizes(f),
                    "dimension": f.dimension,
                    "modality": f.modality.value,
                    "framing": f.framing,
                    "imported": f.imported,
                }
                for f in plan.features
            },
            excluded=plan.config.get("exclude", []),
        )

    def _check_failures(self) -> requests.ClosingRequest:
        return requests.ClosingRequest(
            *self._plain("check_failures"),
            random_weights=random_weights(self.plan),
            models=model_cards(self.plan),
        )

    def _trace(self, runs: Sequence[Run], ensembles: Sequence[str]) -> dict[str, Any]:
        """What models and ensembles come from, as far as the plan decides it."""
        plan = self.plan
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
        members = {
            name: {target: [run.path for run in plan.members(name, target)] for target in TARGETS}
            for name in ensembles
        }
        features = {name: self._provenance(name) for name in sorted(used)}
        return {"models": models, "ensembles": members, "features": features}

    def _provenance(self, feature: str) -> dict[str, Any]:
        """How a feature is computed, stage by stage, with the digest of its code."""
        return {
            stage: {
                **described,
                "code": self.code(self.stages.get(stage) or RESULT_STAGES[stage]),
            }
            for stage, described in self.features[feature].items()
        }

    def _splits(self) -> dict[str, str]:
        return {sample.sample: sample.split.value for sample in self.plan.samples}

    def _sizes(self, feature: Feature) -> dict[str, Any]:
        options = self.plan.config["features"][feature.name]
        return {key: options[key] for key in SIZES if key in options}

    # Weights and backbones

    def _fetch_weights(self) -> requests.FetchRequest:
        return requests.FetchRequest(
            *self._plain("fetch_weights"),
            cache=str(self.plan.weights_cache),
            published=[entry.name for entry in self.weights.published()],
            by_hand=self.weights.by_hand(),
        )

    def _list_stills(self, name: str) -> requests.StillsRequest:
        options = dict(self.plan.still_sets[name])
        drop = options.pop("drop_duplicates", False)
        return requests.StillsRequest(
            *self._plain("list_stills", options["kind"]),
            name=name,
            options=options,
            drop_duplicates=drop,
            input=self.contents.still_set(name),
        )

    def _train_backbone(self, recipe: str) -> requests.BackboneRequest:
        plan = self.plan.backbones
        return requests.BackboneRequest(
            *self._plain("train_backbone"),
            options=plan.values(recipe),
            start=self.weights.identity(plan.start(recipe)),
            sets={name: self._still_set_digest(name) for name in plan.recipes[recipe].sets},
            paper=plan.paper(recipe),
        )

    def _still_set_digest(self, name: str) -> str:
        try:
            return self.request("list_stills", name).digest
        except RequestError:
            return MISSING  # reported by `RunWeights.recipe_problems`

    def _trained_identity(self, recipe: str) -> str:
        """Identity of weights that this run trains.

        Their content is not known before: what they come from stands for it, and the job that
        extracts takes the content's digest.
        """
        request = self._train_backbone(recipe)
        asked = {key: value for key, value in vars(request).items() if key != "paper"}
        return f"{TRAINED}{value_digest(asked)}"

    def _run(self, path: str) -> Run:
        return next(run for run in self.plan.runs if run.path == path)
