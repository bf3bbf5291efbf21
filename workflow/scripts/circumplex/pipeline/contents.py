"""What the user's files hold: digests of videos, annotations, imported features and weights.

Imported while the workflow is parsed: standard library, yaml and pydantic only.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from circumplex.config.features import Feature
from circumplex.config.samples import Sample
from circumplex.config.weights import RANDOM
from circumplex.features.imports.sources import source_files
from circumplex.io.digests import MISSING, DigestCache
from circumplex.io.files import why_no_file
from circumplex.pipeline.annotations import files_of, layout_of
from circumplex.pipeline.plan import Plan
from circumplex.pipeline.still_sets import still_set_digest

LAYOUT = "annotation_format"
"""Column whose value may be recognised from the annotation."""
UNUSABLE = set("{}<>")
"""Characters that Snakemake takes for wildcards or path variables: such paths are no inputs. Their
content counts all the same, by its digest."""


class Contents:
    """Digests of the files that a run's plan names.

    Args:
        plan: validated request.
        cache: digests of large files.
    """

    def __init__(self, plan: Plan, cache: DigestCache) -> None:
        self._plan, self._cache = plan, cache
        self._still_sets: dict[str, str] = {}
        self._layouts: dict[str, str] = {}

    def digest(self, path: Path) -> str:
        """Digest of a file or folder, ``sha256:<hex>``, or ``missing``."""
        return self._cache.digest(path)

    def hash_samples(self, columns: Collection[str]) -> None:
        """Hash what has changed since the last run of the files that samples name."""
        for sample in self._plan.samples:
            self.sample_key(sample, sorted(columns))
            for feature in self._plan.features:
                if feature.imported:
                    self.import_key(sample, feature)
        for name in self._plan.submissions:
            for path in self.list_files(name):
                self._cache.digest(Path(path))
        self._cache.save()

    def sample_key(self, sample: Sample, columns: Sequence[str]) -> dict[str, str]:
        """Cells of a sample's row, files and folders by their digests.

        What cannot be read counts by its sample and what is wrong: others fail for other reasons.
        """
        key = {}
        for column in columns:
            value = self._layout(sample) if column == LAYOUT else getattr(sample, column)
            if isinstance(value, Path):
                digests = [self._cache.digest(path) for path in files_of(value)]
                key[column] = ", ".join(digests)
                if digests[0] == MISSING:
                    problem = why_no_file(value) or "cannot be read"
                    key[column] = f"{MISSING}: {sample.sample} {problem}"
            elif value is not None:
                key[column] = str(value)
        return key

    def _layout(self, sample: Sample) -> str:
        """Layout of a sample's annotation; each file is looked at once."""
        if sample.sample not in self._layouts:
            has_time = "time" in self._plan.config["labels"]["table"]
            self._layouts[sample.sample] = layout_of(sample, has_time=has_time)
        return self._layouts[sample.sample]

    def import_key(self, sample: Sample, feature: Feature) -> dict[str, str]:
        """Digests of the files that hold an imported feature of a sample."""
        files = self._import_sources(sample, feature.name)
        # The name too: one file may hold all samples.
        return {"sample": sample.sample, **{p.name: self._cache.digest(p) for p in files}}

    def raw_files(self, shard: str, columns: Sequence[str]) -> list[str]:
        """Readable files and folders that a shard's samples name in columns of the sheet."""
        paths = [getattr(s, column) for s in self._plan.shards[shard] for column in columns]
        named = (path for path in paths if path is not None)
        return self._usable(file for path in named for file in files_of(path))

    def import_files(self, shard: str, feature: str) -> list[str]:
        """Readable files of the user's that hold a feature of a shard's samples."""
        members = self._plan.shards[shard]
        return self._usable(p for sample in members for p in self._import_sources(sample, feature))

    def list_files(self, submission: str) -> list[str]:
        """The organisers' list that a submission follows, if it names one."""
        path = self._plan.submissions[submission].get("list")
        return [path] if path else []

    def still_set(self, name: str) -> str:
        """Digest of the files of a set of still images.

        Raises:
            RequestError: the set is not where the config says.
        """
        if name not in self._still_sets:  # a set may have a million files: it is listed once
            options: Mapping[str, Any] = self._plan.still_sets[name]
            self._still_sets[name] = still_set_digest(name, options, self._cache)
            self._cache.save()
        return self._still_sets[name]

    def _import_sources(self, sample: Sample, feature: str) -> list[Path]:
        root = Path(self._plan.config["features"][feature]["import"])
        try:
            return source_files(root, feature, sample.sample)
        except OSError:  # a folder that may not be entered: the job says so of the sample
            return []

    def _usable(self, paths: Iterator[Path]) -> list[str]:
        """Paths that Snakemake can take as inputs, sorted, each once.

        Snakemake opens small inputs itself, and one that it may not read stops the whole run: what
        cannot be read is left to the job, which fails the sample.
        """
        return sorted(
            {
                str(path)
                for path in paths
                if not UNUSABLE & set(str(path)) and self._cache.digest(path) != MISSING
            }
        )


def random_weights(plan: Plan, features: Collection[str] | None = None) -> dict[str, str]:
    """Features in use whose weights are random, with the seed: ``random:<seed>`` by feature.

    Args:
        plan: validated request.
        features: only these features; all in use by default.
    """
    used = [f for f in plan.features if features is None or f.name in features]
    return {
        f.name if key == "weights" else f"{f.name}.{key}": choice
        for f in used
        for key, choice in plan.weight_choices(f).items()
        if choice.startswith(RANDOM)
    }
