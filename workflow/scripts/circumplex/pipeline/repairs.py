"""Results that were removed or altered by hand: their indexes go, so that they are made again.

Imported while the workflow is parsed: standard library, yaml and jsonschema only.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from circumplex.io.atomic import read_json
from circumplex.io.digests import file_digest
from circumplex.pipeline.backbone_plan import FOLDER
from circumplex.pipeline.store import damaged_samples, index_files

logger = logging.getLogger(__name__)


def remove_damaged_indexes(results: Path) -> None:
    """Remove the index of a shard that was altered by hand, or whose files were.

    The index says something untrue then; without it Snakemake makes the shard's stage again, which
    takes from the store all that is intact.
    """
    for index in index_files(results):
        stage = index.relative_to(results / "index").parts[0]
        try:
            damaged = damaged_samples(results, stage, index)
        except (ValueError, KeyError, TypeError):
            damaged = [f"the index {index.name}"]
        if damaged:
            names = ", ".join(damaged)
            logger.warning("%s: missing or altered, made again: %s", stage, names)
            index.unlink()


def remove_altered_backbones(results: Path, digest: Callable[[Path], str]) -> None:
    """Remove the card of a trained backbone whose checkpoint is not the one it names.

    Args:
        results: folder of the run.
        digest: of a file, ``sha256:<hex>`` or ``missing``.
    """
    for card in sorted((results / FOLDER).glob("[!.]*.json")):
        try:
            made = read_json(card)
            intact = digest(card.with_name(made["weights"])) == f"sha256:{made['sha256']}"
        except (ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            logger.warning("backbone %s: missing or altered, made again", card.stem)
            card.unlink()


def remove_altered_submissions(results: Path) -> None:
    """Remove the manifest of a submission whose files are not those it names: made again then."""
    for manifest in sorted((results / "write_submission").glob("[!.]*.json")):
        try:
            made = read_json(manifest)
            folder = results / made["folder"]
            found = {p.name: file_digest(p) for p in folder.glob("*") if p.is_file()}
            intact = found == made["files"]
        except (ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            logger.warning("submission %s: missing or altered, made again", manifest.stem)
            manifest.unlink()
