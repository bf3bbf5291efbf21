"""What a run will cost before it starts: CPU seconds, GPU hours and disk, stage by stage.

The cost of a stage is that of its jobs' starts and that of its work: seconds of video, frames,
pixels or multiplications, times what one of them took where it was measured (`resources.yaml`, the
features' ``need``). Benchmarks of a finished run correct it by their ratio to the same sums.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from circumplex.config.encoders.registry import read_encoder
from circumplex.config.features import FEATURES, Feature, Need, options_of
from circumplex.config.modalities import Modality
from circumplex.config.recipes import Recipe
from circumplex.config.samples import Split
from circumplex.config.training import Selection, TrainingSpec
from circumplex.pipeline.costs import Measured
from circumplex.pipeline.graph import Graph, Source
from circumplex.pipeline.plan import Plan, Run
from circumplex.pipeline.resources import needs
from circumplex.targets import Target

GPU_SPEED = 60.0
"""Cores that a GPU is worth. Assumed, since none was at hand: 5 TFLOP/s kept up, against the 84
GFLOP/s that a core of the measuring machine reached with IResNet100."""
TRAINING_SPEED = 84e9
"""Floating-point operations a second of a core in training a model, measured likewise."""
BACKBONE_SPEED = 40e9
"""The same of the visual networks, which wait for memory and for images."""
PIXELS = 640 * 360
"""Of the pictures that the table's seconds are of."""
FRAMES_PER_S = 30.0
SMALLEST_FACE = 36.0
"""``faces.min_face_size`` that the table's seconds are of."""
FACES, FOLLOWED = 0.4, 0.45
"""Part of the search for faces that goes with frames and not with pixels; what is left of it where
faces are followed between detections (docs/faces.md)."""
BYTES = 4
SNAKEMAKE = "snakemake"
"""Stage of what Snakemake itself takes, which no benchmark counts."""
SNAKEMAKE_START_S, SNAKEMAKE_JOB_S = 5.0, 0.9
"""CPU seconds of the plan, and of each job's process before the job."""
OTHERS = {
    "make_report": Need(mem_mb=1000, cpu_s=0.0, disk_kb=12, start_s=2.5),
    "make_player": Need(mem_mb=1000, cpu_s=0.001, disk_kb=1.5, start_s=1.0),
    "write_predictions": Need(mem_mb=1000, cpu_s=0.001, disk_kb=1.5, start_s=1.0),
}
"""Stages that ask for no more than any job, yet cost something."""
LIGHT = Need(mem_mb=1000, cpu_s=0.0, disk_kb=0.3, start_s=0.6)
"""Any other stage: tables of predictions and scores."""


@dataclass(frozen=True)
class Material:
    """What is known of a sample's video before it is read.

    Attributes:
        seconds: of video or sound.
        frames: of the file; 0 where it has no picture.
        pixels: of a frame.
        with_proxy: whether the player page gets a small copy of it.
    """

    seconds: float
    frames: float
    pixels: float
    with_proxy: bool = False


@dataclass(frozen=True)
class Cost:
    """Cost of a stage in a run.

    Attributes:
        jobs: number of jobs.
        cpu_s: CPU seconds of all of them.
        gpu_s: seconds for which they would hold a GPU in place of ``network_s``, by `GPU_SPEED`.
        network_s: part of the CPU seconds that a GPU would take over.
        disk_bytes: of results.
        measured: whether a finished run corrects it.
    """

    jobs: int
    cpu_s: float
    network_s: float
    disk_bytes: float
    measured: bool = False

    @property
    def gpu_s(self) -> float:
        """Seconds of a GPU."""
        return self.network_s / GPU_SPEED


def count_jobs(graph: Graph, plan: Plan) -> Counter[str]:
    """Jobs of a run by stage, as if nothing were done yet."""
    waiting = [Source("check_failures"), Source("make_manifest"), *graph.sample_indexes()]
    waiting += [Source("make_table", name) for name in plan.tables]
    if plan.search_rounds:
        waiting.append(Source("summarise_search"))
    seen: set[tuple[str, str]] = set()
    while waiting:
        source = waiting.pop()
        key = (source.stage, source.unit)
        if key not in seen:
            seen.add(key)
            waiting += [one for named in graph.sources(*key).values() for one in named]
    return Counter(stage for stage, _ in seen)


class Estimator:
    """Costs of a plan's stages.

    Args:
        plan: validated request.
        material: of each sample by name.
        images: of each set of stills by name.
    """

    def __init__(
        self, plan: Plan, material: Mapping[str, Material], images: Mapping[str, int]
    ) -> None:
        self._plan, self._material, self._images = plan, material, images

    def costs(self, jobs: Mapping[str, int], measured: Mapping[str, Measured]) -> dict[str, Cost]:
        """Cost by stage, Snakemake's own last.

        Args:
            jobs: number of jobs by stage.
            measured: by stage, what jobs of a finished run took. Stages without any are corrected
                by the ratio of all.
        """
        found = {stage: self._cost(stage, count, self._material) for stage, count in jobs.items()}
        own = SNAKEMAKE_START_S + SNAKEMAKE_JOB_S * sum(jobs.values())
        found[SNAKEMAKE] = Cost(0, own, 0.0, 0.0)
        expected = {stage: self._expected(stage, done) for stage, done in measured.items()}
        total = sum(expected.values())
        speed = sum(done.cpu_s for done in measured.values()) / total if total else 1.0
        for stage, cost in found.items():
            known = stage in expected
            ratio = measured[stage].cpu_s / expected[stage] if known else speed
            found[stage] = replace(
                cost,
                cpu_s=cost.cpu_s * ratio,
                network_s=cost.network_s * ratio,
                measured=known,
            )
        return found

    def _expected(self, stage: str, done: Measured) -> float:
        """CPU seconds by the table of the jobs of a finished run."""
        part = {name: self._material[name] for name in done.samples if name in self._material}
        return self._cost(stage, done.jobs, part).cpu_s

    def _cost(self, stage: str, jobs: int, material: Mapping[str, Material]) -> Cost:
        need = self._need(stage)
        work, disk = self._work(stage, need, Sums.of(material.values(), self._plan.rate))
        fixed = jobs * need.start_s
        return Cost(jobs, fixed + work, work if need.gpu else 0.0, disk)

    @staticmethod
    def _need(stage: str) -> Need:
        table = {**OTHERS, **needs()}
        imported = table["import_features"] if stage.startswith("import_") else LIGHT
        return table.get(stage, imported)

    def _work(self, stage: str, need: Need, sums: "Sums") -> tuple[float, float]:
        """CPU seconds beside the starts, and bytes of results."""
        disk = 1000 * need.disk_kb
        if stage == "align_faces":
            faces = self._plan.config["faces"]
            share = (SMALLEST_FACE / faces["min_face_size"]) ** 2
            share *= FOLLOWED if faces["detect_every"] != 1 else 1.0
            amount = sums.pictures_on_timeline + FACES * (
                sums.frame_seconds - sums.pictures_on_timeline
            )
            work = need.fixed_s * sums.pictures + (need.cpu_s - need.fixed_s) * share * amount
            return work, disk * sums.frame_seconds
        if stage == "extract_frames":
            return need.cpu_s * sums.pictures, disk * sums.seconds
        if stage == "make_proxy":
            return need.cpu_s * sums.proxied, disk * sums.proxied
        if stage == "pack_features":
            values = sum(feature.dimension or 0 for feature in self._plan.features)
            size = {"float32": BYTES, "float16": BYTES / 2}[self._plan.config["packs"]["dtype"]]
            return need.cpu_s * sums.seconds, values * size * FRAMES_PER_S * sums.frame_seconds
        if stage in ("train_encoder", "train_trial"):
            return self._training(stage)
        if stage == "predict_frames":
            return self._prediction(sums), disk * sums.seconds * len(self._plan.runs)
        if stage == "train_backbone":
            return self._backbones()
        feature = next((f for f in self._plan.features if f.stage == stage), None)
        if feature is not None and not feature.imported:
            return self._extraction(feature, need, sums)
        return need.cpu_s * sums.seconds, disk * sums.seconds

    def _extraction(self, feature: Feature, need: Need, sums: "Sums") -> tuple[float, float]:
        options = options_of(feature.name).read(self._plan.config["features"][feature.name])
        amount = sums.frame_seconds if feature.modality is Modality.VISUAL else sums.seconds
        shipped = feature.dimension or 1
        if FEATURES[feature.name].dimension is None:  # of a network that the config chooses
            shipped = options_of(feature.name).model_fields["dimension"].default or shipped
        wider = (feature.dimension or 1) / shipped
        each = need.fixed_s + (need.cpu_s - need.fixed_s) * options.relative_cost
        return each * amount, 1000 * need.disk_kb * wider * options.relative_rows * amount

    def _training(self, stage: str) -> tuple[float, float]:
        """Each model's passes over its samples, forward and back, and the weights that it keeps."""
        plan = self._plan
        if stage == "train_trial":
            trials = sum(map(len, plan.search_rounds))
            specs = [(TrainingSpec.read(values), "official") for values in plan.search_choices]
            specs = [specs[k % len(specs)] for k in range(trials)]
        else:
            specs = [
                (TrainingSpec.read(plan.training_values(run.experiment)), run.fold)
                for run in plan.trained_runs
            ]
        work = disk = 0.0
        for spec, fold in specs:
            learned, validated = self._learned(fold)
            encoder = spec.encoder
            overlap = encoder.segment_length / encoder.stride
            weights = self._weights(spec)
            work += 2 * weights * (3 * learned + validated) * overlap * spec.epochs
            kept = 2
            if spec.selection is Selection.EPOCHS:
                ranges = (spec.epoch_range(target) for target in Target)
                kept = len({e for first, last in ranges for e in range(first, last + 1)})
            disk += BYTES * weights * kept
        return work / TRAINING_SPEED, disk

    def _learned(self, fold: str) -> tuple[float, float]:
        """Frames that a model of a fold learns from, and those that it is validated on."""
        train, val = (
            Sums.of([self._material[s.sample] for s in self._plan.in_split(split)], self._plan.rate)
            for split in (Split.TRAIN, Split.VAL)
        )
        learned, validated = (FRAMES_PER_S * sums.frame_seconds for sums in (train, val))
        both = learned + validated
        if fold.startswith("fold"):
            return both * (1 - 1 / self._plan.fold_count), both / self._plan.fold_count
        if fold == "mix":
            return both, 0.0
        return learned, validated

    def _weights(self, spec: TrainingSpec) -> int:
        """Numbers of a model that is trained."""
        width = sum(self._plan.feature(name).dimension or 0 for name in spec.features)
        return spec.encoder.weights(width)

    def _prediction(self, sums: "Sums") -> float:
        plan = self._plan
        weights = sum(self._run_weights(run) for run in plan.runs)
        return 2 * weights * sums.frame_seconds * FRAMES_PER_S / TRAINING_SPEED

    def _run_weights(self, run: Run) -> int:
        plan = self._plan
        if plan.is_pretrained(run.experiment):
            return 0
        experiment = plan.experiments[run.experiment]
        if plan.export is None:
            return self._weights(TrainingSpec.read(plan.training_values(run.experiment)))
        width = sum(plan.feature(name).dimension or 0 for name in experiment["features"])
        return read_encoder({"kind": experiment["encoder"]}).weights(width)

    def _backbones(self) -> tuple[float, float]:
        """Each recipe's passes over its images at most, and its weights, of which there are two."""
        work = disk = 0.0
        for name in self._plan.trained_recipes:
            recipe: Recipe = self._plan.backbones.recipes[name]
            for phase in recipe.phases:
                images = recipe.epoch_size or sum(self._images[one] for one in phase)
                work += 6 * recipe.products * images * recipe.epochs
            disk += 2 * BYTES * recipe.size
        return work / BACKBONE_SPEED, disk


@dataclass(frozen=True)
class Sums:
    """Totals over samples, in seconds of a film of the table: `PIXELS`, `FRAMES_PER_S`.

    Attributes:
        seconds: of video or sound.
        pictures: all frames of the files, by their pixels.
        pictures_on_timeline: the frames that the run's timeline takes, by their pixels.
        frame_seconds: the frames that the run's timeline takes, by their number.
        proxied: pictures of the videos that get a small copy.
    """

    seconds: float
    pictures: float
    pictures_on_timeline: float
    frame_seconds: float
    proxied: float

    @classmethod
    def of(cls, material: Iterable[Material], rate: float | None) -> "Sums":
        """Sum over samples on the timeline of a run."""
        seconds = pictures = taken = frames = proxied = 0.0
        for one in material:
            picture = one.frames / FRAMES_PER_S * one.pixels / PIXELS
            kept = one.frames if rate is None else one.seconds * rate
            share = min(1.0, kept / one.frames) if one.frames else 0.0
            seconds += one.seconds
            pictures += picture
            taken += picture * share
            frames += kept / FRAMES_PER_S
            proxied += picture if one.with_proxy else 0.0
        return cls(seconds, pictures, taken, frames, proxied)
