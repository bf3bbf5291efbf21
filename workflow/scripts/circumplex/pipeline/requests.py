"""What each job depends on, by content: the tracked parameters of the rules up to submissions.

Those of backbones are an attribute of `Identities`; those of what people read and hand on are in
`circumplex.pipeline.result_requests`.

Imported while the workflow is parsed: standard library, yaml and jsonschema only.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from circumplex.config.catalogue import Published, missing_weights, published_problems
from circumplex.config.features import Feature
from circumplex.config.modalities import Modality
from circumplex.config.samples import Sample, Split
from circumplex.config.weights import RANDOM, WEIGHT_KEYS
from circumplex.errors import RequestError
from circumplex.features.imports.sources import source_files
from circumplex.io.digests import MISSING, DigestCache
from circumplex.pipeline.backbone_plan import recipe_of
from circumplex.pipeline.backbone_requests import BackboneIdentities
from circumplex.pipeline.code import code_digest, read_pins
from circumplex.pipeline.exports import check_identities
from circumplex.pipeline.plan import MEAN, TARGETS, Plan, Run
from circumplex.pipeline.still_sets import still_set_digest

LOCK = "requirements.lock"
ALPHA = 0.01
"""Ridge penalty of stacking, in the unit of the predictions' variance (ours)."""
MAX_DIFFERENCE = 30
"""Frames that decoding and the organisers' list may differ by; Aff-Wild2's annotations do."""
RAW_COLUMNS: Mapping[str, Sequence[str]] = {
    "extract_frames": ("video",),
    "extract_audio": ("video", "audio"),
    "align_faces": ("video", "faces", "subject"),
    "read_labels": ("annotation",),
}
"""Columns of the sheet that a stage reads itself; other stages read only earlier stages' files."""


class Identities:
    """Digests of code, options and contents, stage by stage.

    Args:
        plan: the validated request.
        scripts: folder of the scripts.
        cache: digests of large files.
    """

    def __init__(self, plan: Plan, scripts: Path, cache: DigestCache) -> None:
        self._plan = plan
        self._scripts = scripts
        self._cache = cache
        self._pins = read_pins(scripts.parents[1] / LOCK)
        self.backbones = BackboneIdentities(
            plan, cache, self._weights, self.still_set, lambda: self.code("train_backbone")
        )
        self._codes: dict[str, str] = {}

    def prepare(self) -> None:
        """Hash what has changed since the last run, and refuse what cannot work.

        Weights that are missing are told later, by `require_weights`: to fetch them, the workflow
        must parse without them.

        Raises:
            RequestError: extractors that are not those of the export.
        """
        for sample in self._plan.samples:
            for columns in RAW_COLUMNS.values():
                self._sample_key(sample, columns)
            for feature in self._plan.features:
                if feature.imported:
                    self._import_key(sample, feature)
        for name in self._plan.submissions:
            for path in self.list_files(name):
                self._cache.digest(Path(path))
        missing = self.weight_problems()
        self._cache.save()
        if self._plan.export is not None and not missing:
            check_identities(self._plan.export["features"], self.features)

    def weight_problems(self) -> list[str]:
        """What keeps the run's weights from being used, a line each."""
        return [problem for f in self._plan.features for problem in self._weight_problems(f)]

    def require_weights(self) -> None:
        """Refuse to extract with weights that are not there.

        Raises:
            RequestError: naming all that are missing or altered, and what to put where.
        """
        if problems := self.weight_problems():
            raise RequestError("\n".join(problems))

    def _published(self) -> list[Published]:
        choices = {c for f in self._plan.features for c in self._plan.weight_choices(f).values()}
        choices |= {self._plan.backbones.start(recipe) for recipe in self.backbones.used()}
        return [entry for choice in sorted(choices) if (entry := self._plan.published(choice))]

    def is_fetched(self) -> bool:
        """Whether all published weights that the config asks for are there, unaltered."""
        cache, digest = self._plan.weights_cache, self._cache.digest
        return not any(published_problems(entry, cache, digest) for entry in self._published())

    def fetching(self) -> dict[str, Any]:
        """Tracked parameter of ``fetch_weights``: what to fetch, and what a person must obtain."""
        others = [
            problem
            for feature in self._plan.features
            for key, choice in self._plan.weight_choices(feature).items()
            if self._plan.published(choice) is None
            for problem in self._problems_of(feature, key, choice)
        ]
        return self.plain(
            "fetch_weights",
            cache=str(self._plan.weights_cache),
            published=[entry.name for entry in self._published()],
            by_hand=others,
        )

    def code(self, stage: str) -> str:
        """Digest of a stage's script, of all it imports of ours, and of its packages' versions."""
        if stage.startswith("import_") and stage != "import_frames":
            stage = "import_features"
        if stage not in self._codes:  # a dry run of hundreds of samples asks a thousand times
            self._codes[stage] = code_digest(self._scripts / f"{stage}.py", self._pins)
        return self._codes[stage]

    def stage(self, name: str, shard: str) -> dict[str, Any]:
        """Tracked parameter of a stage of per-sample files, for one shard."""
        tracked = {"name": name, "code": self.code(name), "options": self.options(name)}
        if name in RAW_COLUMNS:
            members = self._plan.shards[shard]
            columns = RAW_COLUMNS[name]
            tracked["samples"] = {s.sample: self._sample_key(s, columns) for s in members}
        if name.startswith("import_"):
            feature = self._imported(name)
            members = self._plan.shards[shard]
            tracked["samples"] = {s.sample: self._import_key(s, feature) for s in members}
            tracked["feature"] = feature.name
            tracked["source"] = self._plan.config["features"][feature.name]["import"]
        return tracked

    def _imported(self, stage: str) -> Feature:
        if stage == "import_frames":
            return self._plan.counted_feature
        return self._plan.feature(stage.removeprefix("import_"))

    def import_files(self, shard: str, feature: str) -> list[str]:
        """Existing files of the user's that hold a feature of a shard's samples."""
        members = self._plan.shards[shard]
        found = {str(p) for s in members for p in self._import_sources(s, feature)}
        # Snakemake would take braces for wildcards; the digest in the parameter counts anyway.
        return sorted(path for path in found if not set("{}") & set(path))

    def _import_sources(self, sample: Sample, feature: str) -> list[Path]:
        root = Path(self._plan.config["features"][feature]["import"])
        return source_files(root, feature, sample.sample)

    def _import_key(self, sample: Sample, feature: Feature) -> dict[str, str]:
        files = self._import_sources(sample, feature.name)
        # The name too: one file may hold all samples.
        return {"sample": sample.sample, **{p.name: self._cache.digest(p) for p in files}}

    def options(self, stage: str) -> dict[str, Any]:
        """What of the config changes a stage's numbers; weights by identity, not by path."""
        config = self._plan.config
        match stage:
            case "extract_frames":
                return dict(config["media"])
            case "align_faces":
                return dict(config["faces"])
            case "fill_frames":
                return dict(config["fill"])
            case "read_labels":
                return dict(config["labels"])
            case "extract_audio" | "summarise_quality":
                return {}
            case "import_frames":
                return {"fps": config["media"]["audio_only_fps"]}
        if stage.startswith("import_"):
            return {"dimension": self._imported(stage).dimension}
        options = dict(config["features"][stage.removeprefix("extract_")])
        for key in WEIGHT_KEYS:
            if key in options:
                options[key] = self._weights(options[key])
        return options

    def packs(self, feature: str) -> dict[str, Any]:
        """Tracked parameter of ``pack_features``."""
        known = self._plan.feature(feature)
        options = {
            **self._plan.config["packs"],
            "dimension": known.dimension,
            "framing": known.framing,
        }
        return {"code": self.code("pack_features"), "feature": feature, "options": options}

    def plain(self, stage: str, **options: Any) -> dict[str, Any]:
        """Tracked parameter of a stage that is not of per-sample files."""
        return {"code": self.code(stage), **options}

    def still_set(self, name: str) -> dict[str, Any]:
        """Tracked parameter of ``list_stills``.

        Raises:
            RequestError: the set is not where the config says.
        """
        options = dict(self._plan.still_sets[name])
        sources = still_set_digest(name, options, self._cache)
        self._cache.save()
        drop = options.pop("drop_duplicates", False)
        return self.plain(
            "list_stills", name=name, options=options, drop_duplicates=drop, input=sources
        )

    def folds(self) -> dict[str, Any]:
        """Tracked parameter of ``make_folds``; the order of samples counts."""
        known = self._plan.in_split(Split.TRAIN, Split.VAL)
        groups = [[sample.sample, sample.group] for sample in known]
        config = self._plan.config["folds"]
        return self.plain(
            "make_folds",
            groups=groups,
            count=config["count"],
            seed=config["seed"],
            keep=self._plan.kept_folds,
        )

    def training(self, path: str) -> dict[str, Any]:
        """Tracked parameter of ``train_encoder``."""
        run = self._run(path)
        return self.plain(
            "train_encoder",
            name="train_encoder",
            options=self._plan.training_values(run.experiment),
            roles=self._plan.roles(run),
            fold=run.fold,
            seed=run.seed,
        )

    def search(self) -> dict[str, Any]:
        """Tracked parameter of ``summarise_search``."""
        return self.plain("summarise_search", search=self._plan.search or {})

    def proposal(self, number: int) -> dict[str, Any]:
        """Tracked parameter of ``propose_trials`` of a round."""
        search = self._plan.search or {}
        return self.plain(
            "propose_trials",
            space=search["space"],
            sampler=search["sampler"],
            seed=search["sampler_seed"],
            count=len(self._plan.search_rounds[number]),
        )

    def trial(self, number: int) -> dict[str, Any]:
        """Tracked parameter of ``train_trial``: its place in its round, and what it starts from."""
        search = self._plan.search or {}
        known = self._plan.in_split(Split.TRAIN, Split.VAL)
        return self.plain(
            "train_trial",
            choices=self._plan.search_choices,
            place=number % search["parallel"],
            roles={sample.sample: sample.split.value for sample in known},
            fold="official",
            seed=search["seed"],
        )

    def prediction(self, path: str) -> dict[str, Any]:
        """Tracked parameter of ``predict_frames``."""
        run = self._run(path)
        features = self._plan.experiments[run.experiment]["features"]
        samples = [sample.sample for sample in self._plan.samples]
        return self.plain("predict_frames", run=path, features=features, samples=samples)

    def smoothing(self, path: str) -> dict[str, Any]:
        """Tracked parameter of ``smooth_predictions``: windows, or those to choose from."""
        plan = self._plan
        smoothing, search = plan.smoothing, plan.window_search
        if plan.export is not None:
            smoothing = plan.export.get("windows", {}).get(path, smoothing)
        strategy = plan.experiments[self._run(path).experiment]["strategy"]
        return self.plain(
            "smooth_predictions",
            smoothing=smoothing,
            search=search,
            searched_on=plan.held_out([strategy]) if search else [],
        )

    def ensemble(self, name: str) -> dict[str, Any]:
        """Tracked parameter of ``ensemble_predictions``: experiment and fold of each member."""
        plan = self._plan
        spec = plan.ensembles[name]
        members = {
            target: [[run.experiment, run.fold] for run in plan.members(name, target)]
            for target in TARGETS
        }
        strategies = {plan.experiments[r.experiment]["strategy"] for r in plan.all_members(name)}
        given = {} if plan.export is None else plan.export.get("combination", {})
        return self.plain(
            "ensemble_predictions",
            ensemble=name,
            members=members,
            method=spec.get("method", MEAN),
            alpha=spec.get("alpha", ALPHA),
            fitted_on=plan.held_out(strategies) if plan.fits(name) else [],
            combination=given,
        )

    def submission(self, name: str) -> dict[str, Any]:
        """Tracked parameter of ``write_submission``."""
        spec = self._plan.submissions[name]
        path = spec.get("list")
        return self.plain(
            "write_submission",
            name=name,
            samples=self._plan.submitted(name),
            ensemble=spec["ensemble"],
            format=spec["format"],
            list=self._cache.digest(Path(path)) if path else None,
            rows=self._plan.counted_by(name),
            max_difference=spec.get("max_difference", MAX_DIFFERENCE),
        )

    def list_files(self, name: str) -> list[str]:
        """The organisers' list that a submission follows, if it names one."""
        path = self._plan.submissions[name].get("list")
        return [path] if path else []

    def sample_stages(self) -> list[str]:
        """Stages of per-sample files that the run's features need, in order."""
        stages = [self._plan.timeline]
        if self._plan.extracts(Modality.AUDIO):
            stages.append("extract_audio")
        if self._plan.extracts(Modality.VISUAL):
            stages += ["align_faces", "fill_frames"]
        stages.append("summarise_quality")
        stages += [feature.stage for feature in self._plan.features]
        return [*stages, "read_labels"]

    def _run(self, path: str) -> Run:
        return next(run for run in self._plan.runs if run.path == path)

    @cached_property
    def features(self) -> dict[str, dict[str, Any]]:
        """How each used feature comes about, stage by stage: what an export must match."""
        return {feature.name: self._identity(feature) for feature in self._plan.features}

    def random_weights(self, features: Collection[str] | None = None) -> dict[str, str]:
        """Extractors in use whose weights are seeded random stand-ins, with the seed.

        Args:
            features: only these.
        """
        used = [f for f in self._plan.features if features is None or f.name in features]
        return {
            f.name if key == "weights" else f"{f.name}.{key}": choice
            for f in used
            for key, choice in self._plan.weight_choices(f).items()
            if choice.startswith(RANDOM)
        }

    def raw_files(self, shard: str, *columns: str) -> list[str]:
        """Existing files and folders that a shard's samples name in columns of the sheet."""
        paths = [getattr(s, column) for s in self._plan.shards[shard] for column in columns]
        existing = {str(path) for path in paths if path is not None and path.exists()}
        # Snakemake would take braces for wildcards and angle brackets for its path variables; the
        # digest in the parameter counts anyway.
        return sorted(path for path in existing if not set("{}<>") & set(path))

    def weight_files(self, feature: str, key: str = "weights") -> list[str]:
        """An extractor's file or folder of weights; empty where it is random or not asked for."""
        choice = self._plan.config["features"][feature].get(key, RANDOM)
        path = self._plan.weights_path(choice)
        return [] if path is None else [str(path)]

    def _sample_key(self, sample: Sample, columns: Sequence[str]) -> dict[str, str]:
        key = {}
        for column in columns:
            value = getattr(sample, column)
            if isinstance(value, Path):
                key[column] = self._cache.digest(value)
            elif value is not None:
                key[column] = value
        return key

    def _weights(self, choice: str) -> str:
        recipe = recipe_of(choice)
        if recipe is not None and not self._plan.backbones.from_export:
            return self.backbones.weights(recipe)
        path = self._plan.weights_path(choice)
        return choice if path is None else self._cache.digest(path)

    def _weight_problems(self, feature: Feature) -> list[str]:
        return [
            problem
            for key, choice in self._plan.weight_choices(feature).items()
            for problem in self._problems_of(feature, key, choice)
        ]

    def _problems_of(self, feature: Feature, key: str, choice: str) -> list[str]:
        recipe = recipe_of(choice)
        if recipe is not None and not self._plan.backbones.from_export:
            return self.backbones.problems(recipe)
        if entry := self._plan.published(choice):
            found = published_problems(entry, self._plan.weights_cache, self._cache.digest)
            return [f"{feature.name}: {problem}" for problem in found]
        missing = self._weights(choice) == MISSING
        return [missing_weights(feature.name, choice, key)] if missing else []

    def _identity(self, feature: Feature) -> dict[str, Any]:
        if feature.imported:
            # Of the user's own making: what it must share with an export is its form alone.
            stages = [feature.stage]
        elif feature.modality is Modality.VISUAL:
            stages = ["extract_frames", "align_faces", "fill_frames", feature.stage]
        else:
            stages = ["extract_frames", "extract_audio", feature.stage]
        identity: dict[str, Any] = {"pack_features": self.packs(feature.name)}
        for stage in stages:
            identity[f"{stage} options"] = self.options(stage)
            identity[f"{stage} code"] = self.code(stage)
        return identity
