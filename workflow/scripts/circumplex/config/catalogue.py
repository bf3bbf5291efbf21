"""The catalogue of published weights: what can be fetched, from whom, and what to expect.

Imported while the workflow is parsed: standard library and yaml only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from circumplex.config.features import FEATURES
from circumplex.config.weights import PUBLISHED
from circumplex.io.atomic import read_json, read_yaml
from circumplex.io.digests import MISSING

SIZES = ("depth", "channels", "blocks", "size")
"""Options of the config by which it names a network."""
CATALOGUE = Path(__file__).with_name("weights.yaml")
LOCK_NAME = "weights.lock.json"
OWN = "circumplex"
"""The package of weights that this project trained and ships."""
COMMAND = "snakemake --cores 1 weights"
OF_THIS_RUN = "with this run's --configfile, if it has one"
"""What `COMMAND` needs where presets name the weights."""


@dataclass(frozen=True)
class PublishedFile:
    """A file that somebody publishes.

    Attributes:
        name: path below the cache.
        address: where it, or the archive that holds it, is fetched from; its card, of `OWN`.
        size: in bytes, as the publisher states it; none where nobody does.
        sha256: hexadecimal, likewise.
        sha256_prefix: first digits of the digest, where only these are stated.
        member: of the zip at the address; none where the address is the file's own.
        archive_size: of that zip.
        archive_sha256: of that zip.
    """

    name: str
    address: str
    size: int | None = None
    sha256: str | None = None
    sha256_prefix: str | None = None
    member: str | None = None
    archive_size: int | None = None
    archive_sha256: str | None = None


@dataclass(frozen=True)
class Published:
    """Weights that can be fetched.

    Attributes:
        name: as in ``weights: published:<name>``.
        path: file or folder below the cache that an extractor reads.
        revision: of the publisher's release.
        licence: of the weights.
        citation: of the network.
        trained_on: data sets.
        files: all that is to be fetched.
        package: distribution that brings the files, by `requirements.lock`, which is never
            imported, or `OWN`; none where they are fetched. Its files' names are below its place
            of installation.
        accuracy: what is known of it, where it says expressions, valence or arousal itself.
        limits: what a person who uses such predictions must know.
    """

    name: str
    path: str
    revision: str
    licence: str
    citation: str
    trained_on: str
    files: tuple[PublishedFile, ...]
    package: str | None = None
    accuracy: str = ""
    limits: str = ""


@cache
def published_weights(path: Path = CATALOGUE) -> Mapping[str, Published]:
    """What can be fetched, by name."""
    content = read_yaml(path)
    return {
        name: Published(
            name=name,
            path=entry["path"],
            revision=entry["revision"],
            licence=entry["licence"],
            citation=entry["citation"],
            trained_on=entry["trained_on"],
            files=tuple(PublishedFile(**file) for file in entry["files"]),
            package=entry.get("package"),
            accuracy=entry.get("accuracy", ""),
            limits=entry.get("limits", ""),
        )
        for name, entry in content["published"].items()
    }


def weights_folder(entry: Published, cache_folder: Path) -> Path:
    """Folder below which an entry's files lie: of the package that brings them, or the cache.

    A package that is not installed leaves the cache, where a person can put its files.
    """
    if entry.package is None:
        return cache_folder
    if entry.package == OWN:  # also in a checkout that is not installed
        return Path(__file__).parents[2]
    try:
        return Path(str(distribution(entry.package).locate_file("")))
    except PackageNotFoundError:
        return cache_folder


def read_lock(cache_folder: Path) -> dict[str, str]:
    """SHA-256 by file name of what was fetched into a cache."""
    path = cache_folder / LOCK_NAME
    return {name: str(value) for name, value in read_json(path).items()} if path.is_file() else {}


def misfit(file: PublishedFile, sha256: str, lock: Mapping[str, str]) -> str | None:
    """What is wrong with a file of this digest, by the catalogue and by the first download."""
    expected = file.sha256 or lock.get(file.name)
    if expected is not None and sha256 != expected:
        source = "the catalogue states" if file.sha256 else "the first download had"
        return f"its sha256 is {sha256}, {source} {expected}"
    if file.sha256_prefix is not None and not sha256.startswith(file.sha256_prefix):
        return f"its sha256 is {sha256}, the publisher states {file.sha256_prefix}..."
    return None


def how_to_put(file: PublishedFile, cache_folder: Path) -> str:
    """What a person without network is to put where."""
    source = f"{file.member} out of {file.address}" if file.member else file.address
    facts = [f"{file.size} bytes"] if file.size else []
    facts += [f"sha256 {file.sha256}"] if file.sha256 else []
    stated = f" ({', '.join(facts)})" if facts else ""
    return f"put {source}{stated} at {(cache_folder / file.name).absolute()}"


def how_to_install(entry: Published) -> str:
    """How a person gets the files of a package as it was published."""
    if entry.package == OWN:
        return "check the project out again (`git checkout -- workflow`), or install it again"
    return (
        "install it again, alone: `pip install --force-reinstall --no-deps "
        f"{entry.package}=={entry.revision}`"
    )


def published_problems(
    entry: Published, cache_folder: Path, digest: Callable[[Path], str]
) -> list[str]:
    """What keeps fetched weights from being used: files that are missing or altered.

    Args:
        entry: of the catalogue.
        cache_folder: where it is fetched to.
        digest: of a file, ``sha256:<hex>`` or ``missing``.
    """
    lock = read_lock(cache_folder)
    folder = weights_folder(entry, cache_folder)
    problems = []
    for file in entry.files:
        path = folder / file.name
        found = digest(path)
        if entry.package and found == MISSING:
            problems.append(
                f"weights {path} are missing. They come with the package {entry.package}: "
                f"{how_to_install(entry)}"
            )
        elif entry.package and (wrong := misfit(file, found.removeprefix("sha256:"), lock)):
            problems.append(f"weights {path} are altered: {wrong}; {how_to_install(entry)}")
        elif found == MISSING:
            problems.append(
                f"weights {path} are missing. Fetch them, on a machine with network, by "
                f"`{COMMAND}`, {OF_THIS_RUN}; or {how_to_put(file, cache_folder)}"
            )
        elif wrong := misfit(file, found.removeprefix("sha256:"), lock):
            problems.append(
                f"weights {path} are altered: {wrong}; remove it and run `{COMMAND}`, {OF_THIS_RUN}"
            )
    return problems


def missing_weights(feature: str, path: str, key: str = "weights") -> str:
    """Message for weights that are not there: which file, from where, where to put it."""
    known = FEATURES[feature].text if feature in FEATURES else None
    source = f" {known.note} Address: {known.address}." if known and key == "weights" else ""
    start = (
        f" For the public start: features.{feature}.{key}: {PUBLISHED}{known.start}, fetched by "
        f"`{COMMAND}` from {published_weights()[known.start].files[0].address};"
        if known and known.start
        else ""
    )
    return (
        f"{feature}: weights {path} are missing.{source} "
        f"Put them at {Path(path).absolute()}, or name another place in features.{feature}.{key};"
        f"{start} to try the pipeline without them, ask for random weights by name: "
        f"features.{feature}.{key}: random:0"
    )
