"""``circumplex sheet``: write the sample sheet from folders.

The sources are Aff-Wild2, videos to predict, folders of videos and annotations, and the features of
the published training code.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from circumplex.corpora.affwild2 import find_affwild2
from circumplex.corpora.folders import Division, find_groups, find_pairs
from circumplex.corpora.sheet import Corpus, write_sheet

EXAMPLE = "circumplex sheet videos --videos my_videos --output my.tsv"
MOST_NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    sources = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    _add_affwild2(sources.add_parser("affwild2", help="Aff-Wild2 as its organisers distribute it"))
    _add_videos(sources.add_parser("videos", help="any videos, as samples of split predict"))
    _add_folder(
        sources.add_parser("folder", help="videos and annotations of any corpus, in splits")
    )
    _add_published(
        sources.add_parser(
            "published", help="features in the data folder of the published training code"
        )
    )
    for source in sources.choices.values():
        source.epilog = "The columns of the sheet are described in docs/samples.md."
        source.add_argument(
            "--output", type=Path, required=True, metavar="FILE", help="sheet to write"
        )
        source.add_argument("--force", action="store_true", help="replace an existing sheet")


def _add_video_folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--videos",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="DIR",
        help="folder of videos, with any folders below; may be given again",
    )


def _add_affwild2(parser: argparse.ArgumentParser) -> None:
    _add_video_folders(parser)
    parser.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder that holds Train_Set and Validation_Set, at any depth",
    )
    parser.add_argument(
        "--crops",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="cropped_aligned, which holds <sample>/00001.jpg; without it faces are detected",
    )
    parser.add_argument(
        "--test-list",
        type=Path,
        metavar="FILE",
        help="the organisers' list of test samples, one per line, or of their images",
    )


def _add_videos(parser: argparse.ArgumentParser) -> None:
    _add_video_folders(parser)
    parser.add_argument("--sound", action="store_true", help="include sound files without picture")
    parser.add_argument(
        "--group",
        metavar="REGEX",
        help="finds the group of a clip, such as its speaker, in its path below the folder without "
        "suffix: what the first parenthesis holds, or all that matches; by default each is its own",
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    _add_videos(parser)
    parser.add_argument(
        "--annotations",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="DIR",
        help="folder of annotations, named like their videos; may be given again",
    )
    parser.add_argument(
        "--annotation-format", metavar="NAME", help="layout of the annotations (docs/samples.md)"
    )
    parser.add_argument(
        "--emotion",
        metavar="REGEX",
        help="in place of annotations: finds the emotion of a clip in its path; labels.emotions of "
        "the config declares its place on the circumplex",
    )
    parser.add_argument(
        "--split",
        type=read_shares,
        default=(0.7, 0.15, 0.15),
        metavar="TRAIN,VAL,TEST",
        help="shares of the samples; no group is split (0.7,0.15,0.15)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the order in which groups are dealt out (0)"
    )


def read_shares(text: str) -> tuple[float, float, float]:
    """Shares of train, val and test.

    Raises:
        argparse.ArgumentTypeError: not three numbers from 0 to 1 whose sum is 1.
    """
    try:
        train, val, test = (float(share) for share in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not three numbers with commas, such as 0.7,0.15,0.15"
        ) from None
    # Each negated, so that NaN is refused too.
    if not (min(train, val, test) >= 0 and train > 0 and abs(train + val + test - 1) <= 1e-6):
        raise argparse.ArgumentTypeError(
            f"{text!r}: shares of train, val and test are from 0 to 1, the first above 0, and sum "
            "to 1"
        )
    return train, val, test


def _add_published(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder that holds features and targets",
    )
    parser.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder to write the targets into, in the format of Aff-Wild2's annotations",
    )


def run(options: argparse.Namespace) -> int:
    """Write the sheet and print what is in it.

    What single samples lack is a warning, for the run reports it too.

    Raises:
        RequestError: there is no sheet to write.
    """
    corpus = _find_corpus(options)
    write_sheet(corpus.samples, options.output, force=options.force)
    report(corpus, options.output)
    return 0


def _find_corpus(options: argparse.Namespace) -> Corpus:
    if options.source == "affwild2":
        return find_affwild2(options.videos, options.annotations, options.crops, options.test_list)
    if options.source == "videos":
        return find_groups(options.videos, options.group, sound=options.sound)
    if options.source == "folder":
        return find_pairs(
            options.videos,
            options.annotations,
            division=Division(options.split, options.seed),
            group=options.group,
            emotion=options.emotion,
            layout=options.annotation_format,
            sound=options.sound,
        )
    # h5py is not asked of those who have videos.
    from circumplex.corpora.published_code import find_published

    return find_published(options.folder, options.annotations)


def report(corpus: Corpus, sheet: Path) -> None:
    """Print what is in a sheet, and warn of what is missing or left out."""
    missing = set(corpus.without_video)
    videos = {s.video for s in corpus.samples if s.video and s.sample not in missing}
    splits = ", ".join(f"{split} {count}" for split, count in corpus.counts.items())
    groups = len({sample.group for sample in corpus.samples})
    print(
        f"{sheet}: {len(corpus.samples)} samples ({splits}) of {len(videos)} videos in "
        f"{groups} group{'' if groups == 1 else 's'}"
    )
    if corpus.unused_videos:
        print(f"{corpus.unused_videos} more videos belong to no sample")
    for name, path in corpus.renamed.items():
        print(f"named {name}: {path}")
    for reason, paths in corpus.skipped.items():
        _warn(f"left out, {reason}", list(map(str, paths)))
    _warn("no video", corpus.without_video)
    _warn("no folder of crops", corpus.without_crops)
    _warn(
        "subject largest, in a video that has a sample of one side too; see docs/samples.md",
        corpus.beside_another,
    )


def _warn(what: str, samples: Sequence[str]) -> None:
    if samples:
        named = ", ".join(samples[:MOST_NAMED]) + (", ..." if len(samples) > MOST_NAMED else "")
        print(f"circumplex: warning: {what} ({len(samples)}): {named}", file=sys.stderr)
