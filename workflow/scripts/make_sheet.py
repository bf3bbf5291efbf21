"""Make the sample sheet from a folder: of Aff-Wild2, of videos to predict, of features on disk.

This is a command to run by hand, not a rule's script; the sheet is the workflow's input.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from circumplex.corpora.affwild2 import find_affwild2
from circumplex.corpora.sheet import Corpus, write_sheet
from circumplex.corpora.videos import find_videos
from circumplex.errors import CircumplexError

MOST_NAMED = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheet and say what is in it.

    Returns:
        1 if there is no sheet to write, else 0: what single samples lack is a warning, for the
        run reports it too.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.source == "affwild2":
            corpus = find_affwild2(
                options.videos, options.annotations, options.crops, options.test_list
            )
        elif options.source == "published":
            # h5py is not asked of those who have videos.
            from circumplex.corpora.published_code import find_published

            corpus = find_published(options.folder, options.annotations)
        else:
            corpus = find_videos(options.videos, sound=options.sound)
        write_sheet(corpus.samples, options.output, force=options.force)
    except (CircumplexError, OSError) as error:
        print(f"make_sheet: {error}", file=sys.stderr)
        return 1
    _report(corpus, options.output)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Make the sample sheet from a folder.", epilog="Columns: docs/samples.md"
    )
    sources = parser.add_subparsers(dest="source", required=True)
    affwild2 = sources.add_parser("affwild2", help="Aff-Wild2 as its organisers hand it out")
    videos = sources.add_parser("videos", help="any videos: samples of split predict")
    published = sources.add_parser(
        "published", help="features in the data folder of the published training code"
    )
    published.add_argument(
        "--folder", type=Path, required=True, metavar="DIR", help="holds features and targets"
    )
    published.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder to write the targets into, as Aff-Wild2's texts",
    )
    for source in (affwild2, videos):
        source.add_argument(
            "--videos",
            type=Path,
            nargs="+",
            action="extend",
            required=True,
            metavar="DIR",
            help="folder of videos, with any folders below; may be given again",
        )
    for source in (affwild2, videos, published):
        source.add_argument("--output", type=Path, required=True, metavar="FILE", help="the sheet")
        source.add_argument("--force", action="store_true", help="replace a sheet that is there")
    affwild2.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder that holds Train_Set and Validation_Set, at any depth",
    )
    affwild2.add_argument(
        "--crops",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="cropped_aligned, which holds <sample>/00001.jpg; without it faces are detected",
    )
    affwild2.add_argument(
        "--test-list", type=Path, metavar="FILE", help="text with a test sample a line"
    )
    videos.add_argument("--sound", action="store_true", help="take sound files without picture too")
    return parser


def _report(corpus: Corpus, sheet: Path) -> None:
    missing = set(corpus.without_video)
    videos = {s.video for s in corpus.samples if s.video and s.sample not in missing}
    splits = ", ".join(f"{split} {count}" for split, count in corpus.counts.items())
    print(f"{sheet}: {len(corpus.samples)} samples ({splits}) of {len(videos)} videos")
    if corpus.unused_videos:
        print(f"{corpus.unused_videos} more videos belong to no sample")
    _warn("no video", corpus.without_video)
    _warn("no folder of crops", corpus.without_crops)
    _warn(
        "subject largest, in a video that has a sample of one side too; see docs/samples.md",
        corpus.beside_another,
    )


def _warn(what: str, samples: Sequence[str]) -> None:
    if samples:
        named = ", ".join(samples[:MOST_NAMED]) + (", ..." if len(samples) > MOST_NAMED else "")
        print(f"make_sheet: warning: {what} ({len(samples)}): {named}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
