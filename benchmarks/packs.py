"""Training from packs larger than memory: seconds a frame, memory, and rates of reading.

    .venv/bin/python benchmarks/packs.py

Packs 600 samples of 5,000 synthetic frames, all seven features as float16 (14.5 GB in a folder of
its own, removed after), by the workflow's function and shards. Then, each in a process of its own:
500 steps of the published LSTM on 160 samples and a validation pass over the other 440, on 100,000
frames and on all, the latter in a control group with a limit of memory, page cache included; and
rates of reading. Packs the shard of one more sample at the end, and counts the bytes written.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from circumplex.cli.checkout import find_checkout

ROOT = find_checkout(Path(__file__))
FEATURES = ("densenet", "iresnet", "fau", "egemaps", "compare", "vggish", "wav2vec2")
FRAMES = 5000
"""A sample's: 50 segments, so that 160 samples in 16s make 500 steps."""
SAMPLES = 600
TABLES = 4
"""Different feature tables, which the samples share: no value decides what is measured."""
SHARDS = 32
LIMIT = 6 << 30
ANONYMOUS = 4 << 30
SLOWER = 1.2
SLOWEST_READ = 0.5
GROUPS = Path("/sys/fs/cgroup")


def sample_names(count: int) -> list[str]:
    return [f"sample{number:04}" for number in range(count)]


def in_shards(names: Sequence[str]) -> dict[str, list[str]]:
    from circumplex.config.samples import shard_of

    shards: dict[str, list[str]] = {}
    for name in names:
        shards.setdefault(shard_of(name, SHARDS), []).append(name)
    return shards


def make_tables(folder: Path) -> None:
    """Feature tables, timeline and labels for the samples to share."""
    import numpy as np
    import pyarrow as pa

    from circumplex.config.features import FEATURES as KNOWN
    from circumplex.io.parquet import TableWriter, frame_schema, vector_field

    draw = np.random.default_rng(0)
    keys = {"frame": np.arange(FRAMES, dtype=np.int32), "time_s": np.arange(FRAMES) / 25}
    with TableWriter(folder / "timeline.parquet", frame_schema(), {}) as table:
        table.write(**keys)
    for number in range(TABLES):
        for feature in FEATURES:
            width = KNOWN[feature].dimension or 0
            path = folder / f"{feature}-{number}.parquet"
            with TableWriter(path, frame_schema(vector_field(feature, width)), {}) as table:
                table.write(**keys, **{feature: draw.normal(size=(FRAMES, width))})
        columns = [pa.field(name, pa.float32()) for name in ("valence", "arousal")]
        schema = frame_schema(*columns, pa.field("annotated", pa.bool_()))
        with TableWriter(folder / f"labels-{number}.parquet", schema, {}) as table:
            values = np.tanh(np.cumsum(draw.normal(size=(FRAMES, 2)), axis=0) / 30)
            table.write(
                **keys,
                valence=values[:, 0],
                arousal=values[:, 1],
                annotated=np.ones(FRAMES, dtype=bool),
            )


def pack(folder: Path, shard: str, names: Sequence[str]) -> int:
    """Write a shard's packs by the rule's function; bytes written."""
    from circumplex.config.features import FEATURES as KNOWN
    from circumplex.features.packs import PackedSample, pack_features

    timeline, written = folder / "timeline.parquet", 0
    for feature in FEATURES:
        array = folder / f"packs/{feature}/{shard}.npy"
        samples = {
            name: PackedSample(timeline, folder / f"{feature}-{number_of(name) % TABLES}.parquet")
            for name in names
        }
        width, index = KNOWN[feature].dimension or 0, array.with_suffix(".json")
        pack_features(samples, feature, None, array, index, dimension=width, dtype="float16")
        written += array.stat().st_size + index.stat().st_size
    return written


def number_of(name: str) -> int:
    return int(name.removeprefix("sample"))


def arrays(folder: Path) -> list[Path]:
    return sorted(folder.glob("packs/*/*.npy"))


def forget(paths: Sequence[Path]) -> None:
    """Drop files from the page cache, so that whoever reads them next is charged for them."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run_training(
    folder: Path, encoder: str, count: int, steps: int, threads: int
) -> dict[str, float]:
    """Train for so many steps and validate, on the first ``count`` samples."""
    import torch

    from circumplex.config.training import TrainingSpec
    from circumplex.features.pack_reader import PackReader
    from circumplex.features.packs import index_paths
    from circumplex.training.dataset import LabelReader
    from circumplex.training.train import Training, TrainingData

    torch.set_num_threads(threads)
    reader = PackReader(index_paths(map(str, folder.glob("packs/*/*"))))
    names = sample_names(count)
    labels = LabelReader({n: folder / f"labels-{number_of(n) % TABLES}.parquet" for n in names})
    steps_of_batch = FRAMES // (100 if encoder == "lstm" else 250)
    learnt = min(16 * steps // steps_of_batch, count * 4 // 5)
    train_samples = names[:: count // learnt][:learnt]  # over all shards
    values = {"encoder": {"kind": encoder}, "visual": FEATURES[:3], "audio": FEATURES[3:]}
    spec = TrainingSpec.read(
        {
            **values,
            "epochs": max(1, steps * 16 // (learnt * steps_of_batch)),
            "order": "in_step",
            "selection": "last",
            "normalisation": dict.fromkeys(FEATURES, "zscore"),
        }
    )
    validated = [name for name in names if name not in set(train_samples)]
    with TemporaryDirectory(dir=folder) as work:
        data = TrainingData(reader, labels, train_samples, validated)
        result = Training(spec, data, seed=0, work=Path(work)).run(state_interval_s=1e9)
    frames = {"train": learnt * FRAMES, "val": len(validated) * FRAMES}
    return {
        "steps": sum(row.updates for row in result.log),
        "train_us": median(row.train_seconds for row in result.log) / frames["train"] * 1e6,
        "val_us": median(row.val_seconds for row in result.log) / frames["val"] * 1e6,
        "seconds": sum(row.train_seconds + row.val_seconds for row in result.log),
    }


def run_rates(folder: Path, count: int, threads: int) -> dict[str, float]:
    """GB a second of file: plain reads of cached packs, and the same bytes through the reader."""
    import torch

    from circumplex.features.pack_reader import PackReader
    from circumplex.features.packs import index_paths
    from circumplex.training.dataset import SegmentLoader
    from circumplex.training.segments import Segment

    torch.set_num_threads(threads)
    shards = {shard: names for shard, names in sorted(in_shards(sample_names(count)).items())}
    chosen = dict(list(shards.items())[:4])
    paths = [folder / f"packs/{f}/{shard}.npy" for shard in chosen for f in FEATURES]
    size = sum(path.stat().st_size for path in paths)
    buffer = bytearray(1 << 20)

    def plain() -> None:
        for path in paths:
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    reader = PackReader(index_paths(map(str, folder.glob("packs/*/*"))))
    names = [name for of in chosen.values() for name in of]

    def packs() -> None:
        for name in names:
            for feature in FEATURES:
                for start in range(0, FRAMES, 100):
                    reader.features(name, feature, start, start + 100)

    loader = SegmentLoader(reader, dict.fromkeys(FEATURES), None)

    def batches() -> None:
        for begin in range(0, len(names), 16):
            for start in range(0, FRAMES, 100):
                loader.load([Segment(n, start, start + 100) for n in names[begin : begin + 16]])

    plain()
    packs()  # lays the mapping's pages
    rates: dict[str, list[float]] = {}
    for _ in range(9):
        for name, read in (("plain", plain), ("packs", packs), ("batches", batches)):
            start = time.perf_counter()
            read()
            rates.setdefault(name, []).append(size / (time.perf_counter() - start) / 1e9)
    return {name: median(of) for name, of in rates.items()}


@contextmanager
def memory_group(limit: int) -> Iterator[tuple[Path, str]]:
    """A control group with a limit of memory, page cache included: version 2, else version 1."""
    unified = GROUPS / "cgroup.controllers"
    if unified.is_file() and "memory" in unified.read_text().split():
        group, entry, kind = GROUPS / f"circumplex-{os.getpid()}", "memory.max", "cgroup v2"
    elif (GROUPS / "memory").is_dir():
        group, kind = GROUPS / f"memory/circumplex-{os.getpid()}", "cgroup v1"
        entry = "memory.limit_in_bytes"
    else:
        raise SystemExit("no control group of memory here: run as root, with cgroups mounted")
    group.mkdir()
    try:
        (group / entry).write_text(str(limit))
        yield group, kind
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:  # the process has only just gone
                time.sleep(0.1)


def start(arguments: Sequence[str], group: Path | None = None) -> tuple[dict[str, float], float]:
    """Run a measurement in a process of its own: what it prints, and its highest RssAnon in GB."""

    def join() -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    process = subprocess.Popen(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, preexec_fn=join
    )
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status")
            for line in status.read_text().splitlines() if status.exists() else ():
                if line.startswith("RssAnon:"):
                    peak = max(peak, int(line.split()[1]) << 10)
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    told, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return json.loads(told.splitlines()[-1]), peak / (1 << 30)


def counter(group: Path) -> str:
    """Highest use of memory that the group saw, and how often it met its limit."""
    names = {"memory.peak": "memory.max_usage_in_bytes", "memory.events": "memory.failcnt"}
    told = []
    for new, old in names.items():
        path = group / new if (group / new).is_file() else group / old
        told.append(f"{path.name} {path.read_text().split()[-1] if path.is_file() else '?'}")
    return ", ".join(told)


def main(given: argparse.Namespace) -> None:
    failed: list[str] = []

    def hold(good: bool, what: str) -> None:
        print(f"  {'good' if good else 'NOT GOOD'}: {what}", flush=True)
        if not good:
            failed.append(what)

    with TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        make_tables(folder)
        shards = in_shards(sample_names(given.samples))
        began, sizes = time.perf_counter(), {}
        for shard, names in shards.items():
            sizes[shard] = pack(folder, shard, names)
            forget(arrays(folder))
        total = sum(sizes.values())
        seconds = time.perf_counter() - began
        print(f"packed {given.samples * FRAMES:,} frames, {total / 1e9:.1f} GB, {seconds:.0f} s")

        rates, _ = start(["--rates", "--folder", str(folder), "--samples", str(given.samples)])
        for name, of in (("packs", "PackReader"), ("batches", "SegmentLoader")):
            share = rates[name] / rates["plain"]
            print(f"{of}: {rates[name]:.2f} GB/s of {rates['plain']:.2f} GB/s of plain reads")
            if name == "packs":
                hold(share >= SLOWEST_READ, f"{share:.2f} of the page cache's rate")
        for encoder in given.encoders:
            command = ["--train", encoder, "--folder", str(folder), "--threads", str(given.threads)]
            command += ["--steps", str(given.steps)]
            small, anonymous = start([*command, "--samples", "20"])
            tell(encoder, 20, small, anonymous)
            forget(arrays(folder))
            with memory_group(given.limit << 30) as (group, kind):
                large, anonymous = start([*command, "--samples", str(given.samples)], group)
                tell(encoder, given.samples, large, anonymous)
                hold(True, f"completes under {given.limit} GB ({kind}: {counter(group)})")
            hold(anonymous * (1 << 30) < ANONYMOUS, f"RssAnon at most {anonymous:.2f} GB")
            for step in ("train", "val"):
                ratio = large[f"{step}_us"] / small[f"{step}_us"]
                hold(ratio <= SLOWER, f"{step}: {ratio:.2f} times the time a frame")
        added = f"sample{given.samples:04}"
        (changed,) = (s for s, n in in_shards([added]).items())
        written = pack(folder, changed, [*shards.get(changed, []), added])
        others = in_shards([*sample_names(given.samples), added])
        same = all(others[shard] == names for shard, names in shards.items() if shard != changed)
        hold(
            same and written < total / 10,
            f"one more sample: {written / 1e9:.2f} GB written, {total / 1e9:.1f} GB stand",
        )
    raise SystemExit(bool(failed))


def tell(encoder: str, samples: int, of: Mapping[str, float], anonymous: float) -> None:
    print(
        f"{encoder}: {samples * FRAMES:,} frames, {of['steps']:.0f} steps, {of['train_us']:.0f} "
        f"microseconds a frame, validation {of['val_us']:.0f}, RssAnon {anonymous:.2f} GB, "
        f"{of['seconds']:.0f} s",
        flush=True,
    )


def parse() -> Any:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--folder", type=Path, help="where there is room for 15 GB")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--encoders", nargs="+", choices=("lstm", "transformer"), default=["lstm"])
    parser.add_argument("--steps", type=int, default=500, help="100 at least")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=LIMIT >> 30, help="GB")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--rates", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = parse()
    if given.train:
        print(
            json.dumps(
                run_training(given.folder, given.train, given.samples, given.steps, given.threads)
            )
        )
    elif given.rates:
        print(json.dumps(run_rates(given.folder, given.samples, given.threads)))
    else:
        main(given)
