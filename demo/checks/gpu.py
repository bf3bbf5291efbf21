"""What a GPU computes against the CPU, how fast, and what happens when its memory runs out.

    make gpu-check                                       # on a machine with a GPU
    python -m demo.checks.gpu --device cpu --small       # the check itself, where there is none

Random weights and drawn inputs: no network, no corpus. Each check runs by itself: what needs a
package that is not installed is named and skipped, so that any PyTorch of the machine will do. The
exit status is 1 if a check failed.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import numpy as np
import torch

LEAST_COSINE = {"float32": 0.9999, "bfloat16": 0.999}
"""Of any item's features to those of the CPU in float32."""
LARGEST_CCC_GAP = 0.03
"""Between trainings on the GPU and on the CPU, which draw other dropout masks."""
SECONDS = 1.0
EXTRACTORS = (
    *("densenet", "iresnet", "fau", "timm", "vit", "mini_xception", "densenet_expressions"),
    *("vggish", "wav2vec2"),
)
EXTRACTORS += ("speech",)
SMALL: dict[str, dict[str, Any]] = {
    "densenet": {"blocks": [6, 9, 22]},
    "iresnet": {"depth": 18, "channels": 16},
    "fau": {"depth": 18, "channels": 16},
    "timm": {"architecture": "resnet18.a1_in1k", "dimension": 512},
    "wav2vec2": {"size": "small"},
}
"""Options by which the check itself is tried on a CPU."""


@dataclass
class Outcomes:
    """What the checks found."""

    failed: int = 0

    def run(self, name: str, check: Callable[[], str]) -> None:
        """Run a check and print its line."""
        try:
            line = check()
        except ImportError as error:
            line = f"skipped: {error}"
        except Exception as error:
            self.failed += 1
            traceback.print_exc()
            line = f"FAILED: {type(error).__name__}: {error}"
        print(f"{name:28}{line}", flush=True)


def wait_for(device: str) -> None:
    """Wait until a device has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def rate(compute: Callable[[], Any], device: str) -> float:
    """Seconds of a call, the device's work included."""
    for _ in range(2):
        compute()
    wait_for(device)
    calls, start = 0, time.perf_counter()
    while calls < 3 or time.perf_counter() - start < SECONDS:
        compute()
        calls += 1
    wait_for(device)
    return (time.perf_counter() - start) / calls


def extractor_of(name: str, device: str, small: bool, **options: Any) -> Any:
    """A deep extractor with random weights."""
    module = import_module(f"circumplex.features.extractors.{name}")
    chosen = {"weights": "random:0", **(SMALL.get(name, {}) if small else {}), **options}
    return module.build(chosen, device)


def check_extractor(name: str, device: str, small: bool, options: dict[str, Any]) -> str:
    """Cosine to the CPU in float32, and speed with copies beside the bare network."""
    from circumplex.features.tuning import compare
    from circumplex.features.tuning_inputs import inputs_of

    reference = extractor_of(name, "cpu", small)
    inputs = inputs_of(reference, Path("nowhere"))
    expected = reference.embed(inputs)
    del reference
    extractor = extractor_of(name, device, small, **options)
    cosine, _ = compare(extractor.embed(inputs), expected)
    whole = rate(lambda: extractor.embed(inputs), device)
    batch = extractor.batch(inputs)
    bare = rate(lambda: extractor.network(batch), device)
    least = LEAST_COSINE[options.get("precision", "float32")]
    line = f"cosine {cosine:.6f}, {len(inputs) / whole:.0f} items/s, "
    line += f"{bare / whole:.2f} of the bare network"
    if cosine < least:
        raise ValueError(f"{line}: the cosine must be {least} or more")
    return line


def drawn_faces() -> list[Any]:
    """Pictures of drawn people, as the demo corpus has them."""
    from demo.corpus.film import draw
    from demo.corpus.stills import plan_stills

    pictures: list[Any] = []
    for still in plan_stills(0, "tiny")[:4]:
        frames = len(still.video.times)
        draws = np.random.default_rng(0)
        pictures += islice(draw(still.video, [np.zeros(frames)], draws), 4)
    shape = pictures[0].shape
    return [picture for picture in pictures if picture.shape == shape]


def check_faces(device: str) -> str:
    """The boxes of drawn faces on both devices, and their speed."""
    from circumplex.config.faces import FaceOptions
    from circumplex.faces.detector import FaceDetector

    pictures = drawn_faces()
    expected = FaceDetector(FaceOptions()).detect(pictures)
    detector = FaceDetector(FaceOptions(), device)
    found = detector.detect(pictures)
    count = sum(map(len, expected))
    if [len(faces) for faces in found] != [len(faces) for faces in expected] or not count:
        raise ValueError(f"{list(map(len, found))} faces, on the CPU {list(map(len, expected))}")
    gap = max(
        float(np.abs(a.boxes - b.boxes).max(initial=0))
        for a, b in zip(found, expected, strict=True)
    )
    if gap > 0.5:
        raise ValueError(f"boxes differ by {gap:.2f} px")
    seconds = rate(lambda: detector.detect(pictures), device)
    return f"{count} faces, boxes within {gap:.3f} px, {len(pictures) / seconds:.0f} frames/s"


class DrawnData:
    """Samples in memory whose features hold valence and arousal under noise: packs and labels."""

    def __init__(self, samples: int, frames: int, width: int) -> None:
        draw = np.random.default_rng(0)
        mixing = draw.normal(size=(2, width))
        self.names = [f"s{k:02d}" for k in range(samples)]
        self._labels, self._features = {}, {}
        time_s = np.arange(frames)[:, None] / 30
        for name in self.names:
            pace, phase = draw.uniform(0.5, 3, 2), draw.uniform(0, 6, 2)
            self._labels[name] = (0.8 * np.sin(time_s * pace + phase)).astype(np.float32)
            noise = draw.normal(0, 2, (frames, width))
            self._features[name] = (self._labels[name] @ mixing + noise).astype(np.float32)
        self._width, self._count = width, frames

    def digest(self, sample: str, _feature: str = "") -> str:
        return sample

    def dimension(self, _feature: str) -> int:
        return self._width

    def present(self, _sample: str, _feature: str) -> bool:
        return True

    def frames(self, _sample: str) -> int:
        return self._count

    def features(self, sample: str, _feature: str, start: int, stop: int) -> Any:
        return self._features[sample][start:stop]

    def blocks(self, sample: str, _feature: str) -> Iterator[Any]:
        yield self._features[sample]

    def values(self, sample: str, start: int = 0, stop: int | None = None) -> Any:
        return self._labels[sample][start:stop]


def train(encoder: str, device: str, precision: str, small: bool) -> tuple[float, float]:
    """Validation CCC and seconds of an epoch of a model of the paper's on drawn data."""
    from circumplex.config.training import TrainingSpec
    from circumplex.training.train import Training, TrainingData

    samples, frames, width, epochs = (8, 120, 32, 3) if small else (32, 500, 512, 8)
    data = DrawnData(samples, frames, width)
    values = {"kind": encoder, **({"hidden": 32, "heads": 2} if small else {})}
    spec = TrainingSpec.read(
        {"encoder": values, "visual": ["face"], "epochs": epochs, "precision": precision}
    )
    cut = 3 * samples // 4
    both: Any = data
    given = TrainingData(both, both, data.names[:cut], data.names[cut:])
    with tempfile.TemporaryDirectory() as work:
        training = Training(spec, given, seed=0, work=Path(work), device=torch.device(device))
        result = training.run(state_interval_s=1e9)
    ccc = float(np.mean([score for _, score in result.best.values()]))
    return ccc, float(np.median([row.train_seconds for row in result.log]))


def check_training(encoder: str, device: str, small: bool, precision: str) -> str:
    """CCC against the CPU in float32, and seconds an epoch."""
    expected, slow = train(encoder, "cpu", "float32", small)
    found, fast = train(encoder, device, precision, small)
    line = (
        f"CCC {found:.4f}, on the CPU {expected:.4f}; {fast:.2f} s an epoch, on the CPU {slow:.2f}"
    )
    if abs(found - expected) > LARGEST_CCC_GAP:
        raise ValueError(f"{line}: more than {LARGEST_CCC_GAP} apart")
    return line


def check_two_jobs(device: str, small: bool) -> str:
    """Two processes on one device at once give what one gives."""
    command = [sys.executable, "-m", "demo.checks.gpu", "--device", device, "--job"]
    command += ["--small"] if small else []
    both = [Popen(command, stdout=PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].split()[-1:] for process in both]
    if any(process.returncode for process in both) or said[0] != said[1]:
        raise ValueError(f"two jobs gave {said}")
    return f"the same features, {said[0][0][:12]}"


def job(device: str, small: bool) -> None:
    """The features of a batch, as one of two jobs; prints their digest."""
    import hashlib

    from circumplex.features.tuning_inputs import inputs_of

    extractor = extractor_of("iresnet", device, small)
    values = [extractor.embed(inputs_of(extractor, Path("nowhere"))) for _ in range(3)]
    print(hashlib.sha256(np.round(np.stack(values), 3).tobytes()).hexdigest())


def check_memory(device: str) -> str:
    """Faces are found in halves, and an extractor says what to do, where memory runs out."""
    from circumplex.config.faces import FaceOptions
    from circumplex.errors import JobError
    from circumplex.faces.detector import FaceDetector
    from circumplex.features.tuning_inputs import inputs_of

    if torch.device(device).type != "cuda":
        return "skipped: the CPU's memory is not limited here"
    pictures = [np.zeros((1080, 1920, 3), np.uint8)] * 64
    detector = FaceDetector(FaceOptions(), device)
    extractor = extractor_of("iresnet", device, small=False, batch_size=512)
    inputs = inputs_of(extractor, Path("nowhere"))
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 1.5e9) / total)
    try:
        found = detector.detect(pictures)
        try:
            extractor.embed(inputs)
        except JobError as error:
            said = str(error)
        else:
            said = "the extractor fitted"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    if "batch_size" not in said:
        raise ValueError(f"no advice: {said}")
    return f"{len(found)} pictures in halves; {said[-90:]}"


def main(device: str, small: bool) -> int:
    """Run all checks; the number of those that failed."""
    name = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "the CPU"
    print(f"{name}, PyTorch {torch.__version__}, Python {sys.version.split()[0]}")
    outcomes = Outcomes()
    settings: dict[str, dict[str, Any]] = {
        "float32": {},
        "bfloat16": {"precision": "bfloat16"},
        "compiled": {"compile": True},
    }
    if small:
        del settings["compiled"]  # takes a minute each
    for extractor in EXTRACTORS:
        for label, options in settings.items():
            if label == "compiled" and extractor in ("wav2vec2", "speech"):
                continue  # passes of sound have any length, and are not compiled
            outcomes.run(
                f"{extractor}, {label}",
                lambda e=extractor, o=options: check_extractor(e, device, small, o),
            )
    outcomes.run("faces", lambda: check_faces(device))
    for encoder in ("lstm", "transformer"):
        for precision in ("float32", "bfloat16"):
            outcomes.run(
                f"{encoder}, {precision}",
                lambda e=encoder, p=precision: check_training(e, device, small, p),
            )
    outcomes.run("two jobs on one device", lambda: check_two_jobs(device, small))
    outcomes.run("memory", lambda: check_memory(device))
    print(f"{outcomes.failed} checks failed")
    return outcomes.failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda:0", help="PyTorch's name (default: cuda:0)")
    parser.add_argument("--small", action="store_true", help="small networks, to try the check")
    parser.add_argument("--job", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if torch.device(given.device).type == "cuda" and not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU on this machine: run the check where there is one")
    if given.job:
        job(given.device, given.small)
    else:
        sys.exit(1 if main(given.device, given.small) else 0)
