"""Requests: what each job is asked for, by content. A rule builds one, its script reads it.

Whatever changes a result is in the request or in the content of the job's inputs; nothing else is.
A result whose recorded request has another digest is stale (`circumplex.pipeline.records`).

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from circumplex.io.digests import value_digest


@dataclass(frozen=True)
class Request:
    """What every request has.

    Attributes:
        stage: name of the stage.
        code: digest of the code that computes its numbers, with the stage's hand-set version.
    """

    stage: str
    code: str

    @property
    def digest(self) -> str:
        """SHA-256 of the whole request, in hexadecimal."""
        return value_digest(asdict(self))


@dataclass(frozen=True)
class ShardRequest(Request):
    """A stage of per-sample files, for one shard.

    Attributes:
        options: options that change results; weights are given by content digest, not by path.
        samples: by sample, what the stage reads itself: digests of files, cells of the sheet.
            Empty if the stage reads earlier stages' files alone.
        feature: name of the feature, for stages that extract or import one.
        source: file or folder that a feature is imported from.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    feature: str = ""
    source: str = ""


@dataclass(frozen=True)
class PackRequest(Request):
    """`pack_features`: one feature of one shard.

    Attributes:
        feature: name of the feature.
        dimension: values per frame.
        framing: how rows become frames; none for features per frame.
        dtype: type of the stored values.
    """

    feature: str
    dimension: int
    framing: str | None
    dtype: str


@dataclass(frozen=True)
class FoldsRequest(Request):
    """`make_folds`.

    Attributes:
        groups: sample and group of each training and validation sample; their order counts.
        count: number of folds.
        seed: seed of the draw.
        keep: fold of an earlier run by sample, from 1.
    """

    groups: Sequence[Sequence[str]]
    count: int
    seed: int
    keep: Mapping[str, int]


@dataclass(frozen=True)
class TrainingRequest(Request):
    """`train_encoder`: one model.

    Attributes:
        options: values for `training_spec`.
        roles: ``train``, ``val`` or ``pool`` by sample.
        fold: name of the fold.
        seed: seed of the training.
        groups: group by labelled sample, where features are scaled by group.
    """

    options: Mapping[str, Any]
    roles: Mapping[str, str]
    fold: str
    seed: int
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrialRequest(Request):
    """`train_trial`: one trial of a search.

    Attributes:
        choices: by set of features, the training values that the search starts from.
        place: place of the trial in its round.
        roles: ``train`` or ``val`` by sample.
        fold: name of the fold.
        seed: seed of the training.
        groups: as of `TrainingRequest`.
    """

    choices: Sequence[Mapping[str, Any]]
    place: int
    roles: Mapping[str, str]
    fold: str
    seed: int
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProposalRequest(Request):
    """`propose_trials`: one round of a search.

    Attributes:
        space: parameters and their ranges.
        sampler: name of the sampler.
        seed: seed of the sampler.
        count: number of trials in the round.
    """

    space: Mapping[str, Any]
    sampler: str
    seed: int
    count: int


@dataclass(frozen=True)
class SearchRequest(Request):
    """`summarise_search`.

    Attributes:
        search: the config's section.
    """

    search: Mapping[str, Any]


@dataclass(frozen=True)
class PredictionRequest(Request):
    """`predict_frames`: predictions of one model.

    Attributes:
        run: path of the model's run.
        features: names of the features.
        samples: samples of the sheet.
        columns: names of the feature's values, for a pretrained model.
        readout: by target, the coefficients of a pretrained model; empty for a trained one.
        card: what a pretrained model is; see `circumplex.pipeline.model_cards`.
        groups: group by sample, where the model scales features by group.
    """

    run: str
    features: Sequence[str]
    samples: Sequence[str]
    columns: Sequence[str] = ()
    readout: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SmoothingRequest(Request):
    """`smooth_predictions`: predictions of one model.

    Attributes:
        smoothing: convention, and windows by target in frames.
        search: windows to try by target.
        searched_on: samples that windows are chosen on.
    """

    smoothing: Mapping[str, Any]
    search: Mapping[str, Sequence[int]]
    searched_on: Sequence[str]


@dataclass(frozen=True)
class EnsembleRequest(Request):
    """`ensemble_predictions`: one ensemble.

    Attributes:
        ensemble: name of the ensemble.
        members: by target, experiment and fold of each model.
        method: how the models are combined.
        alpha: ridge penalty of stacking.
        fitted_on: samples that weights are fitted on.
        combination: weights by target that an export brings.
    """

    ensemble: str
    members: Mapping[str, Sequence[Sequence[str]]]
    method: str
    alpha: float
    fitted_on: Sequence[str]
    combination: Mapping[str, Any]


@dataclass(frozen=True)
class RestorationRequest(Request):
    """`restore_frames`: one ensemble's predictions, for every frame of the videos.

    Attributes:
        ensemble: name of the ensemble.
    """

    ensemble: str


@dataclass(frozen=True)
class EvaluationRequest(Request):
    """`evaluate`.

    Attributes:
        runs: experiment, fold, seed and strategy of each model.
        ensembles: strategies by ensemble.
        splits: split by sample.
    """

    runs: Sequence[Sequence[Any]]
    ensembles: Mapping[str, Sequence[str]]
    splits: Mapping[str, str]


@dataclass(frozen=True)
class SubmissionRequest(Request):
    """`write_submission`: one submission.

    Attributes:
        name: name of the submission.
        samples: samples in the order of the organisers' list, or of the sheet.
        ensemble: ensemble that is submitted.
        format: format of the challenge.
        list: digest of the organisers' list, if there is one.
        rows: whose count of frames the files have: ``video`` or ``list``.
        max_difference: frames that the two may differ by.
    """

    name: str
    samples: Sequence[str]
    ensemble: str
    format: str
    list: str | None
    rows: str
    max_difference: int


@dataclass(frozen=True)
class PredictionFilesRequest(Request):
    """`write_predictions`: CSV files.

    Attributes:
        samples: samples that get files, in the sheet's order.
        ensembles: by ensemble and target, the runs of its models.
        notes: what each ensemble consists of, in phrases.
        random_weights: features whose weights are random, with the seed.
    """

    samples: Sequence[str]
    ensembles: Mapping[str, Mapping[str, Sequence[str]]]
    notes: Sequence[str]
    random_weights: Mapping[str, str]


@dataclass(frozen=True)
class PlayerRequest(PredictionFilesRequest):
    """`make_player`: player pages.

    Attributes:
        videos: by sample, path of its video from the folder of the pages.
        sources: digests of the pages' templates, style and scripts.
    """

    videos: Mapping[str, str]
    sources: Sequence[str]


@dataclass(frozen=True)
class TableRequest(Request):
    """`make_table`: one table of the paper beside our numbers.

    Attributes:
        name: name of the table.
        title: heading of the table.
        targets: targets of its columns.
        split: split that is scored.
        rows: rows with the models and ensembles that each is the mean of.
        splits: split by sample.
        random_weights: features whose weights are random, with the seed.
        models: cards of the pretrained models that the numbers come from.
        template: digest of the page's template.
        trace: models, ensembles and features that the numbers come from.
    """

    name: str
    title: str
    targets: Sequence[str]
    split: str
    rows: Sequence[Mapping[str, Any]]
    splits: Mapping[str, str]
    random_weights: Mapping[str, str]
    models: Sequence[Mapping[str, str]]
    template: str
    trace: Mapping[str, Any]


@dataclass(frozen=True)
class ManifestRequest(Request):
    """`make_manifest`.

    Attributes:
        trace: models, ensembles and features that the numbers come from.
    """

    trace: Mapping[str, Any]


@dataclass(frozen=True)
class FailuresRequest(Request):
    """`list_failures`.

    Attributes:
        stages: stages of per-sample files in the run.
    """

    stages: Sequence[str]


@dataclass(frozen=True)
class ReportRequest(Request):
    """`make_report`.

    Attributes:
        sources: digests of the pages' templates, style and scripts.
        stages: stages of per-sample files in the run.
        ensembles: by ensemble and target, the runs of its models.
        runs: paths of the runs that were trained.
        tables: names of the paper's tables.
        players: samples that have a player page if they are predicted.
        random_weights: features whose weights are random, with the seed.
        models: cards of the pretrained models.
        features: by feature, what its card says of this run.
        excluded: samples that the config leaves out.
        causal: experiments whose encoder reads no frame after the one that it predicts.
    """

    sources: Sequence[str]
    stages: Sequence[str]
    ensembles: Mapping[str, Mapping[str, Sequence[str]]]
    runs: Sequence[str]
    tables: Sequence[str]
    players: Sequence[str]
    random_weights: Mapping[str, str]
    models: Sequence[Mapping[str, str]]
    features: Mapping[str, Mapping[str, Any]]
    excluded: Sequence[str]
    causal: Sequence[str] = ()


@dataclass(frozen=True)
class ClosingRequest(Request):
    """`check_failures`, which ends the run.

    Attributes:
        random_weights: features whose weights are random, with the seed.
        models: cards of the pretrained models.
    """

    random_weights: Mapping[str, str]
    models: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class ExportRequest(Request):
    """`export_ensemble`: one ensemble.

    Attributes:
        description: what ``ensemble.json`` says, but for models and weights.
        runs: paths of the models' runs.
        pretrained: those that have no model file.
        trained: recipe by feature, for weights that the run trains.
    """

    description: Mapping[str, Any]
    runs: Sequence[str]
    pretrained: Sequence[str]
    trained: Mapping[str, str]


@dataclass(frozen=True)
class FetchRequest(Request):
    """`fetch_weights`.

    Attributes:
        cache: folder of fetched weights.
        published: names of the catalogue's entries to fetch.
        by_hand: messages about weights that a person must obtain.
    """

    cache: str
    published: Sequence[str]
    by_hand: Sequence[str]


@dataclass(frozen=True)
class StillsRequest(Request):
    """`list_stills`: one set of still images.

    Attributes:
        name: name of the set.
        options: options of the set.
        drop_duplicates: whether images of other sets are left out.
        input: digest of the set's files.
    """

    name: str
    options: Mapping[str, Any]
    drop_duplicates: bool
    input: str


@dataclass(frozen=True)
class BackboneRequest(Request):
    """`train_backbone`: one recipe.

    Attributes:
        options: the recipe.
        start: identity of the weights that it starts from.
        sets: request of each set of still images; its digest is missing where the set is.
        paper: published accuracy by set, for the card.
        set_options: options of each set but its place, for the card.
    """

    options: Mapping[str, Any]
    start: str
    sets: Mapping[str, Any]
    paper: Mapping[str, float]
    set_options: Mapping[str, Mapping[str, Any]]
