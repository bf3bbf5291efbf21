"""The stages of the workflow, once: what computes each, what it reads, and what it follows.

Imported while the workflow is parsed: standard library only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circumplex.config.features import Feature
from circumplex.config.modalities import Modality
from circumplex.pipeline.plan import Plan

MODEL_MODULES = ("model.network", "model.checkpoints")
ANNOTATION_COLUMNS = ("annotation", "annotation_valence", "annotation_arousal")
"""Columns of the sheet that name annotations."""
TRAINING_MODULES = ("training.train", "training.dataset", "features.pack_reader", *MODEL_MODULES)


@dataclass(frozen=True)
class Stage:
    """One stage, which is a rule, a script and a folder of logs of the same name.

    Attributes:
        name: name of the rule.
        modules: modules of the package that compute the stage's numbers: where its code digest
            starts.
        version: raised by hand when a change of plumbing changes results (a change of what
            ``pipeline`` hands to the modules, say); makes all results of the stage stale.
        columns: columns of the sample sheet that the stage reads itself.
        section: section of the config that holds its options; empty if it has none.
        options: options of another section that it reads, such as ``faces.min_valid_share``; the
            stage of that section does not.
        follows: stages of per-sample files whose files of the same sample it reads.
            ``extract_frames`` stands for the run's timeline, which may be a regular one.
        reads_native: whether the timeline that it reads is always that of the file's own frames.
    """

    name: str
    modules: tuple[str, ...] = ()
    version: int = 1
    columns: tuple[str, ...] = ()
    section: str = ""
    options: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    reads_native: bool = False


def _by_name(*stages: Stage) -> Mapping[str, Stage]:
    return {stage.name: stage for stage in stages}


SAMPLE_STAGES = _by_name(
    Stage(
        "extract_frames",
        ("media.timeline",),
        columns=("video", "video_stream", "audio_stream", "image_rate"),
        section="media",
    ),
    Stage(
        "resample_timeline",
        ("media.resampling",),
        section="timeline",
        follows=("extract_frames",),
        reads_native=True,
    ),
    Stage(
        "extract_audio",
        ("media.sound",),
        columns=("video", "audio", "audio_stream"),
        follows=("extract_frames",),
        reads_native=True,
    ),
    Stage(
        "align_faces",
        ("faces.align", "faces.crop_folder"),
        columns=("video", "faces", "subject", "video_stream", "image_rate"),
        section="faces",
        follows=("extract_frames",),
    ),
    Stage(
        "fill_frames",
        ("faces.fill",),
        section="fill",
        options=("faces.min_valid_share",),
        follows=("align_faces",),
    ),
    Stage(
        "read_labels",
        ("annotations.labels", "annotations.clip_labels"),
        columns=(*ANNOTATION_COLUMNS, "annotation_format", "valence", "arousal"),
        section="labels",
        follows=("extract_frames",),
    ),
    Stage(
        "summarise_quality",
        ("report.quality",),
        follows=("extract_frames", "align_faces", "extract_audio"),
    ),
    Stage("import_frames", ("features.imports.files", "media.timeline")),
    Stage(
        "make_proxy",
        ("media.proxy",),
        columns=("video", "video_stream", "audio_stream", "image_rate"),
    ),
)
"""Stages of per-sample files whose names are fixed; those of features: `feature_stage`."""

RESULT_STAGES = _by_name(
    Stage("pack_features", ("features.packs",)),
    Stage("make_folds", ("training.folds",)),
    Stage("train_encoder", TRAINING_MODULES),
    Stage("train_trial", TRAINING_MODULES),
    Stage("propose_trials", ("training.search",)),
    Stage("summarise_search", ("training.search",)),
    Stage(
        "predict_frames",
        ("training.predict", "predictions.readout", "predictions.table", *MODEL_MODULES),
    ),
    Stage("smooth_predictions", ("predictions.smoothing", "predictions.table")),
    Stage("ensemble_predictions", ("predictions.ensembles", "predictions.table")),
    Stage("restore_frames", ("media.resampling", "predictions.table")),
    Stage("evaluate", ("evaluation.scores", "evaluation.ccc_table")),
    Stage("write_submission", ("submissions.submission", "submissions.files")),
    Stage("write_predictions", ("report.prediction_csv", "report.file_names")),
    Stage("make_player", ("report.player.pages", "report.file_names")),
    Stage("make_table", ("evaluation.paper_tables", "evaluation.scores")),
    Stage("make_manifest"),
    Stage("list_failures"),
    Stage("make_report", ("report.page", "report.feature_cards")),
    Stage("check_failures"),
    Stage("export_ensemble"),
    Stage("fetch_weights", ("networks.fetching",)),
    Stage("list_stills", ("backbones.listing",)),
    Stage("train_backbone", ("backbones.train",)),
)
"""Stages whose jobs are a model, a table, an ensemble and the like."""

NAMED_MODULES: Mapping[str, str] = {
    "read_labels": "annotations.formats",
    "train_encoder": "model.encoders",
    "train_trial": "model.encoders",
    "predict_frames": "model.encoders",
    "list_stills": "backbones.sets",
}
"""Package whose module of a name that the request gives is a further root of the stage's digest."""


def feature_stage(feature: Feature) -> Stage:
    """The stage that extracts or imports a feature."""
    if feature.imported:
        return Stage(feature.stage, ("features.imports.files",), follows=("extract_frames",))
    by_modality: Mapping[Modality, tuple[tuple[str, ...], tuple[str, ...]]] = {
        Modality.VISUAL: (("features.visual", "features.batches"), ("align_faces", "fill_frames")),
        Modality.AUDIO: (("features.sound", "features.batches"), ("extract_audio",)),
    }
    modules, follows = by_modality[feature.modality]
    return Stage(
        feature.stage,
        (f"features.extractors.{feature.name}", *modules),
        section=f"features.{feature.name}",
        follows=follows,
    )


def sample_stages(plan: Plan) -> Mapping[str, Stage]:
    """Stages of per-sample files that a run needs, in order."""
    names = [plan.native_timeline]
    if plan.rate is not None:
        names.append("resample_timeline")
    if plan.extracts(Modality.AUDIO):
        names.append("extract_audio")
    if plan.extracts(Modality.VISUAL):
        names += ["align_faces", "fill_frames"]
    stages = {name: SAMPLE_STAGES[name] for name in [*names, "summarise_quality"]}
    stages |= {feature.stage: feature_stage(feature) for feature in plan.features}
    return {**stages, "read_labels": SAMPLE_STAGES["read_labels"]}


def ancestors(stages: Mapping[str, Stage], name: str) -> Sequence[str]:
    """A stage and all that it follows, directly or not, in the order of ``stages``."""
    wanted = {name}
    waiting = [name]
    while waiting:
        for earlier in stages[waiting.pop()].follows:
            if earlier not in wanted:
                wanted.add(earlier)
                waiting.append(earlier)
    return [stage for stage in stages if stage in wanted]
