"""The plan of a run: what the config and the sheet ask for, resolved before any job.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from circumplex.config.catalogue import Published, published_weights, weights_folder
from circumplex.config.encoders.registry import ENCODERS
from circumplex.config.experiments import PRETRAINED, Strategy
from circumplex.config.features import FEATURES, Feature
from circumplex.config.modalities import Modality
from circumplex.config.outputs import MANY_VIDEOS, ProxyChoice
from circumplex.config.preparation import NATIVE
from circumplex.config.samples import Sample, Split, shard_of
from circumplex.config.search import rounds
from circumplex.config.training import Normalisation
from circumplex.config.weights import PUBLISHED, RANDOM, WEIGHT_KEYS
from circumplex.errors import RequestError
from circumplex.io.atomic import read_json
from circumplex.io.sample_lists import read_sample_list
from circumplex.pipeline.backbone_plan import BackbonePlan, recipe_of
from circumplex.pipeline.exports import read_export
from circumplex.targets import TARGETS

MEAN = "mean"
CACHE_VARIABLE = "CIRCUMPLEX_WEIGHTS"


@dataclass(frozen=True)
class Run:
    """One model: an experiment on one fold with one seed; a pretrained model has seed 0."""

    experiment: str
    fold: str
    seed: int

    @property
    def path(self) -> str:
        """Name in paths and wildcards: ``<experiment>/<fold>/seed<seed>``."""
        return f"{self.experiment}/{self.fold}/seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """Config and sample sheet, as `circumplex.pipeline.checks.make_plan` has checked them.

    Attributes:
        config: the merged config, as `circumplex.config.root.read_config` gives it.
        samples: rows of the sheet that are not excluded.
        without_sheet: where there is no sample sheet, so that backbones alone can be trained, the
            message for who asks for more; else empty.
    """

    config: Mapping[str, Any]
    samples: tuple[Sample, ...]
    without_sheet: str = ""

    @cached_property
    def results(self) -> Path:
        """Folder of all that the run makes."""
        return Path(self.config["results"])

    @cached_property
    def weights_cache(self) -> Path:
        """Folder of fetched weights; the environment's, where it names one, before the config's."""
        return Path(os.environ.get(CACHE_VARIABLE) or self.config["weights_cache"])

    @cached_property
    def backbones(self) -> BackbonePlan:
        """Backbones that can be trained, and those that are."""
        return BackbonePlan(self.config)

    @cached_property
    def trained_recipes(self) -> list[str]:
        """Recipes to train, since a feature in use is extracted with their weights."""
        if self.backbones.from_export:
            return []
        choices = [choice for f in self.features for choice in self.weight_choices(f).values()]
        return sorted({recipe for choice in choices if (recipe := recipe_of(choice))})

    def weight_choices(self, feature: Feature) -> dict[str, str]:
        """Weights that a feature asks for: option to ``random:``, ``published:``, or a path."""
        options = {} if feature.imported else self.config["features"][feature.name]
        return {key: options[key] for key in WEIGHT_KEYS if key in options}

    def weights_path(self, choice: str) -> Path | None:
        """File or folder of a choice of weights; none for random weights."""
        if choice.startswith(RANDOM):
            return None
        if recipe := recipe_of(choice):
            return self.backbones.checkpoint(recipe)
        entry = self.published(choice)
        return Path(choice) if entry is None else self.folder_of(entry) / entry.path

    def folder_of(self, entry: Published) -> Path:
        """Folder that holds an entry of the catalogue: an installed package's, or the cache."""
        return weights_folder(entry, self.weights_cache)

    def published(self, choice: str) -> Published | None:
        """The catalogue's entry of a choice of weights, if it is one."""
        kind, _, name = choice.partition(":")
        return published_weights()[name] if f"{kind}:" == PUBLISHED else None

    @cached_property
    def shards(self) -> dict[str, list[Sample]]:
        """The shards that hold samples, in order."""
        shards: dict[str, list[Sample]] = {}
        for sample in self.samples:
            shards.setdefault(shard_of(sample.sample, self.config["shards"]), []).append(sample)
        return dict(sorted(shards.items()))

    @cached_property
    def export(self) -> dict[str, Any] | None:
        """The exported ensemble to predict with, if the config names one."""
        folder = self.config.get("export")
        return read_export(Path(folder)) if folder else None

    @cached_property
    def experiments(self) -> dict[str, dict[str, Any]]:
        """Experiments, and pretrained models as such, that an ensemble or a table asks for.

        A pretrained model has `PRETRAINED` for its strategy, and its ``readout`` by target.
        """
        if self.export is not None:
            return self.declared_experiments
        wanted = {m for e in self.ensembles.values() for t in TARGETS for m in e[t]}
        rows = [row for table in self.tables.values() for row in table["rows"]]
        wanted |= {row["experiment"] for row in rows if "experiment" in row}
        declared = self.declared_experiments
        return {name: declared[name] for name in declared if name in wanted}

    @cached_property
    def declared_experiments(self) -> dict[str, dict[str, Any]]:
        """Experiments and pretrained models of the config or the export, asked for or not."""
        source = self.config if self.export is None else self.export
        pretrained = {
            name: {
                "features": [spec["feature"]],
                "strategy": PRETRAINED,
                "seeds": [0],
                "readout": {target: spec[target] for target in TARGETS},
                "source": spec["source"],
            }
            for name, spec in self.pretrained.items()
        }
        return {**source["experiments"], **pretrained}

    @property
    def pretrained(self) -> Mapping[str, Mapping[str, Any]]:
        """Pretrained models of the config or the export."""
        source = self.config if self.export is None else self.export
        models: Mapping[str, Mapping[str, Any]] = source["pretrained"]
        return models

    def is_pretrained(self, experiment: str) -> bool:
        """Whether an experiment is a pretrained model."""
        return bool(self.experiments[experiment]["strategy"] == PRETRAINED)

    @property
    def trained_runs(self) -> list["Run"]:
        """Models that this run trains."""
        if self.export is not None:
            return []
        return [run for run in self.runs if not self.is_pretrained(run.experiment)]

    @cached_property
    def ensembles(self) -> dict[str, dict[str, Any]]:
        """Ensembles: members per target, and the seeds they are cut to."""
        if self.export is not None:
            return {self.export["ensemble"]: self.export["members"]}
        return dict(self.config.get("ensembles", {}))

    @cached_property
    def submissions(self) -> dict[str, dict[str, Any]]:
        """Submissions: each an ensemble written out in a challenge's format."""
        return {} if self.export is not None else dict(self.config.get("submissions", {}))

    @cached_property
    def lists(self) -> dict[str, dict[str, int | None]]:
        """What the organisers' lists ask for, by submission."""
        named = {n: s["list"] for n, s in self.submissions.items() if "list" in s}
        read = {path: read_sample_list(Path(path)) for path in set(named.values())}
        return {name: read[path] for name, path in named.items()}

    def submitted(self, name: str) -> list[str]:
        """Samples of a submission: those of its list in its order, else those of split test."""
        if name in self.lists:
            return list(self.lists[name])
        return [sample.sample for sample in self.in_split(Split.TEST)]

    def counted_by(self, name: str) -> str:
        """Whose count of frames a submission has: ``video``, or ``list``.

        A CSV has exactly the images of a list; a text has a row for each decoded frame, unless the
        config says otherwise.
        """
        spec = self.submissions[name]
        images = None not in self.lists.get(name, {"": None}).values()
        default = "list" if images and spec["format"] == "abaw6" else "video"
        return str(spec.get("rows", default))

    @cached_property
    def shown(self) -> list[Sample]:
        """Samples that get CSV files and player pages; under an export, all."""
        if not self.ensembles:
            return []
        if self.export is not None:
            return list(self.samples)
        return self.in_split(*map(Split, self.config["outputs"]["splits"]))

    @property
    def shown_shards(self) -> list[str]:
        """Shards that hold samples that are shown."""
        return sorted({shard_of(sample.sample, self.config["shards"]) for sample in self.shown})

    @property
    def proxies(self) -> ProxyChoice | None:
        """Which samples that are shown get a proxy: `NEEDED` or `ALWAYS`; None for none."""
        choice = ProxyChoice(self.config["outputs"]["proxy"])
        if choice is ProxyChoice.AUTO and len(self.shown) <= MANY_VIDEOS:
            choice = ProxyChoice.NEEDED
        made = choice in (ProxyChoice.NEEDED, ProxyChoice.ALWAYS)
        return choice if made and self.native_timeline == "extract_frames" else None

    @cached_property
    def still_sets(self) -> dict[str, dict[str, Any]]:
        """Sets of still images to train backbones on."""
        return dict(self.config.get("backbones", {}).get("still_sets", {}))

    @cached_property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Tables that set our numbers beside the published ones."""
        return {} if self.export is not None else dict(self.config.get("tables", {}))

    @property
    def search(self) -> dict[str, Any] | None:
        """The search of hyperparameters, if the config declares one."""
        return None if self.export is not None else self.config.get("search")

    @property
    def searched_features(self) -> list[str]:
        """Features that some trial of the search may have, each once."""
        sets = self.search["space"]["features"] if self.search else []
        return list(dict.fromkeys(name for chosen in sets for name in chosen))

    @property
    def search_rounds(self) -> list[range]:
        """Trials of each round of the search."""
        search = self.search
        return rounds(search["trials"], search["parallel"]) if search else []

    @property
    def search_choices(self) -> list[dict[str, Any]]:
        """By set of features, the training values that the search starts from."""
        search = self.search or {"space": {"features": []}}
        return [
            self.training_values_of({**search, "features": features, "strategy": "official"})
            for features in search["space"]["features"]
        ]

    @cached_property
    def features(self) -> list[Feature]:
        """Features that some experiment uses, visual first."""
        used = {name for e in self.experiments.values() for name in e["features"]}
        used |= set(self.searched_features)
        own = [name for name in self.config["features"] if name not in FEATURES]
        found = [self.feature(name) for name in [*FEATURES, *own] if name in used]
        missing = used - {feature.name for feature in found}
        if missing:
            raise RequestError(
                f"the export needs features of its maker's own: {', '.join(sorted(missing))}; "
                "name them under features, with import, modality and dimension"
            )
        return sorted(found, key=lambda feature: feature.modality is Modality.AUDIO)

    def feature(self, name: str) -> Feature:
        """A feature as this run makes it: extracted, or imported from the user's files."""
        options = self.config["features"][name]
        known = FEATURES.get(name)
        dimension = options.get("dimension", known.dimension if known else None)
        if known and "import" not in options:
            return replace(known, dimension=dimension)
        modality = known.modality if known else Modality(options["modality"])
        return Feature(name, modality, dimension, framing=None, imported=True)

    def columns(self, feature: str) -> list[str]:
        """Names of a feature's values; empty where they have none."""
        known = FEATURES.get(feature)
        options = self.config["features"][feature]
        if known is None or "import" in options:
            return []
        return list(known.columns or options.get("columns", ()))

    @property
    def rate(self) -> float | None:
        """Frames per second of the timeline; None for the videos' own frames.

        An exported ensemble brings the rate that it was trained at. Folders of crops are numbered
        by the videos' own frames, and keep an ensemble of a native timeline to these.
        """
        source = self.config if self.export is None else self.export
        rate = source["timeline"]["rate"]
        if rate == NATIVE and not any(sample.faces is not None for sample in self.samples):
            rate = source.get("trained_rate", NATIVE)
        return None if rate == NATIVE else float(rate)

    @property
    def timeline(self) -> str:
        """The stage whose frames features, encoders and smoothing count."""
        return self.native_timeline if self.rate is None else "resample_timeline"

    @property
    def predictions(self) -> str:
        """The stage whose predictions have a row per frame of the video."""
        return "ensemble_predictions" if self.rate is None else "restore_frames"

    @property
    def native_timeline(self) -> str:
        """The stage that makes the timeline: of the videos, or of imported features without any."""
        with_video = any(sample.video is not None for sample in self.samples)
        return "extract_frames" if with_video else "import_frames"

    @property
    def counted_feature(self) -> Feature:
        """The imported feature whose rows are the frames of samples without video."""
        return self.features[0]

    def folds(self, experiment: str) -> list[str]:
        """Names of an experiment's folds."""
        if self.is_pretrained(experiment):
            return [PRETRAINED]
        match Strategy(self.experiments[experiment]["strategy"]):
            case Strategy.OFFICIAL:
                return ["official"]
            case Strategy.TRAIN_VAL_MIX:
                return ["mix"]
            case Strategy.KFOLD:
                return [f"fold{k}" for k in range(1, self.fold_count + 1)]

    @property
    def fold_count(self) -> int:
        """Folds of the k-fold strategy."""
        source = self.export if self.export is not None else self.config
        return int(source["folds"]["count"])

    @cached_property
    def kept_folds(self) -> dict[str, int]:
        """Folds of an earlier run that samples keep, from 1; empty unless the config names them.

        Raises:
            RequestError: no such file, or not of this number of folds.
        """
        path = self.config["folds"].get("keep")
        if path is None:
            return {}
        try:
            folds = dict(read_json(Path(path)))
            wrong = [s for s, fold in folds.items() if fold not in range(1, self.fold_count + 1)]
        except (OSError, ValueError, TypeError) as error:
            raise RequestError(
                f"config: folds.keep: {path} is no make_folds.json: {error}"
            ) from error
        if wrong:
            raise RequestError(
                f"config: folds.keep: {path} puts {wrong[0]} in fold {folds[wrong[0]]}, but "
                f"folds.count is {self.fold_count}"
            )
        return folds

    @cached_property
    def runs(self) -> list[Run]:
        """Every model."""
        return [
            Run(name, fold, seed)
            for name, experiment in self.experiments.items()
            for fold in self.folds(name)
            for seed in experiment["seeds"]
        ]

    def run(self, path: str) -> Run:
        """The model of a path."""
        return next(run for run in self.runs if run.path == path)

    def members(self, ensemble: str, target: str) -> list[Run]:
        """Models whose predictions are averaged for a target."""
        spec = self.ensembles[ensemble]
        seeds = spec.get("seeds")
        return [
            run
            for run in self.runs
            if run.experiment in spec[target] and (seeds is None or run.seed in seeds)
        ]

    def all_members(self, ensemble: str) -> list[Run]:
        """Models of an ensemble for either target, each once."""
        return list(dict.fromkeys(r for target in TARGETS for r in self.members(ensemble, target)))

    def strategies(self, ensemble: str) -> set[str]:
        """How an ensemble's models are trained; `PRETRAINED` among them if all of them are."""
        found = {self.experiments[r.experiment]["strategy"] for r in self.all_members(ensemble)}
        # A pretrained model has seen no sample of the sheet: the others decide what is held out.
        return found - {PRETRAINED} or found

    def replicates(self, row: Mapping[str, Any]) -> list[list[tuple[str, str, str]]]:
        """What a row of a table is the mean over: seed by seed, (kind, name, held-out split) each.

        Under k-fold a seed has a model for each fold, and each is scored on the fold it left out.
        """
        if "experiment" in row:
            wanted = [f"fold{row['fold']}"] if "fold" in row else self.folds(row["experiment"])
            held_out = {"official": "val", "mix": "", PRETRAINED: "val"}
            return [
                [
                    ("model", Run(row["experiment"], fold, seed).path, held_out.get(fold, fold))
                    for fold in wanted
                ]
                for seed in self.experiments[row["experiment"]]["seeds"]
            ]
        if "submission" in row:
            names = [self.submissions[row["submission"]]["ensemble"]]
        else:
            names = row["ensembles"]
        return [[("ensemble", name, self._held_out(name))] for name in names]

    def _held_out(self, ensemble: str) -> str:
        """The split on which an ensemble is scored beside the test set; empty if there is none."""
        strategies = self.strategies(ensemble)
        if Strategy.TRAIN_VAL_MIX in strategies:
            return ""
        return "out of fold" if strategies == {Strategy.KFOLD} else "val"

    @property
    def smoothing(self) -> dict[str, Any]:
        """Post-processing of predictions: the export's own, or the config's."""
        source = self.export if self.export is not None else self.config
        return {key: value for key, value in source["smoothing"].items() if key != "search"}

    @property
    def window_search(self) -> dict[str, list[int]]:
        """Windows to try by target; none under an export, which has them chosen."""
        return {} if self.export is not None else dict(self.config["smoothing"].get("search", {}))

    def fits(self, ensemble: str) -> bool:
        """Whether weights of an ensemble are fitted on held-out annotations."""
        return self.export is None and self.ensembles[ensemble].get("method", MEAN) != MEAN

    def held_out(self, strategies: Collection[str]) -> list[str]:
        """Annotated samples that models of these strategies may have left out of their training.

        Never of the test set: nothing is chosen or fitted on that.
        """
        if Strategy.KFOLD in strategies:
            return [sample.sample for sample in self.in_split(Split.TRAIN, Split.VAL)]
        return [sample.sample for sample in self.in_split(Split.VAL)]

    def training_values(self, experiment: str) -> dict[str, Any]:
        """Values for `TrainingSpec.read`: the defaults and the experiment's over them."""
        return self.training_values_of(self.experiments[experiment])

    def training_values_of(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The same of an experiment that need not be declared."""
        kind, used = spec["encoder"], spec["features"]
        encoder = {**self.config["encoders"].get(kind, {}), **spec.get("encoder_options", {})}
        of_kind = encoder.pop("training", {})
        training = {**self.config["training"], **of_kind, **spec.get("training", {})}
        if "learning_rate" in encoder:
            rate = encoder.pop("learning_rate")
            training.setdefault("learning_rate", rate)
        normalisation = training.pop("normalisation", "none")
        mixed = spec["strategy"] == Strategy.TRAIN_VAL_MIX
        if not mixed:
            for target in TARGETS:
                training.pop(f"{target}_epochs", None)
        by_modality = {
            modality.value: [n for n in used if self.feature(n).modality is modality]
            for modality in Modality
        }
        return {
            **training,
            **by_modality,
            "encoder": {"kind": kind, **encoder},
            "normalisation": dict.fromkeys(used, normalisation),
            "selection": "epochs" if mixed else "best",
        }

    def roles(self, run: Run) -> dict[str, str]:
        """Role of each labelled sample in a run, as far as the sheet decides it.

        ``train`` or ``val``; under k-fold ``pool``: the folds decide.
        """
        known = self.in_split(Split.TRAIN, Split.VAL)
        match Strategy(self.experiments[run.experiment]["strategy"]):
            case Strategy.OFFICIAL:
                return {s.sample: s.split.value for s in known}
            case Strategy.TRAIN_VAL_MIX:
                return {s.sample: "train" for s in known}
            case Strategy.KFOLD:
                return {s.sample: "pool" for s in known}

    @property
    def causal(self) -> list[str]:
        """Experiments whose encoder reads no frame after the one that it predicts."""
        return [
            name
            for name, experiment in self.experiments.items()
            if not self.is_pretrained(name) and ENCODERS[experiment["encoder"]].causal
        ]

    @cached_property
    def scaled_by_group(self) -> list[str]:
        """Experiments whose models scale features by the frames of each sample's own group."""
        if self.export is not None:
            return list(self.export.get("scaled_by_group", ()))
        return [
            name
            for name in self.experiments
            if not self.is_pretrained(name) and scales_by_group(self.training_values(name))
        ]

    def groups(self, samples: Iterable[Sample]) -> dict[str, str]:
        """Group by sample, of some rows of the sheet."""
        return {sample.sample: sample.group for sample in samples}

    def in_split(self, *splits: Split) -> list[Sample]:
        """Samples of the given splits, in the sheet's order."""
        return [sample for sample in self.samples if sample.split in splits]

    def extracts(self, modality: Modality) -> bool:
        """Whether any feature of the modality is extracted."""
        return any(f.modality is modality and not f.imported for f in self.features)


def scales_by_group(values: Mapping[str, Any]) -> bool:
    """Whether a model of these values for `TrainingSpec.read` scales features by group."""
    return Normalisation.ZSCORE_BY_GROUP in values["normalisation"].values()
