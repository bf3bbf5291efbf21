"""The control: train on shuffled annotations. ``python -m demo.checks.control --seed 0``.

Training and validation annotations are dealt out anew in random order (resampled to the length of
the sample that gets them, by chance its own); the withheld test annotations stay. What the pipeline
then scores is what it would score if pictures and sound said nothing: the mean over shuffles must
lie within 0.15 of zero and the real run must exceed every shuffle.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from demo.checks.runs import TARGETS, Demo
from demo.checks.score import HEADER, read_rows

LIMIT = 0.15


def shuffled_sheet(demo: Demo, shuffle: int) -> Path:
    """Write a sheet whose training and validation samples have each other's annotations."""
    folder = demo.folder / f"shuffle{shuffle}"
    folder.mkdir(parents=True, exist_ok=True)
    with demo.sheet.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    corpus = demo.sheet.parent.resolve()
    for row in rows:
        row["video"] = str(corpus / row["video"])
    annotated = [row for row in rows if row["annotation"]]
    texts = [read_rows(corpus / row["annotation"]) for row in annotated]
    # Any order, where by chance a sample may keep its own: were that ruled out, annotation and
    # sample would correlate by -1 / (samples - 1), and a loss of CCC scales what is weak up.
    order = np.random.default_rng(shuffle).permutation(len(annotated))
    for mine, other in enumerate(order):
        source = np.linspace(0, len(texts[other]) - 1, len(texts[mine])).round().astype(int)
        lines = [f"{valence:g},{arousal:g}" for valence, arousal in texts[other][source]]
        name = f"{annotated[mine]['sample']}.txt"
        (folder / name).write_text("\n".join([HEADER, *lines]) + "\n")
        annotated[mine]["annotation"] = name
    sheet = folder / "samples.tsv"
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, help="the demo's folder, by default .demo/seed<SEED>"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shuffles", type=int, default=10)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--configs", nargs="+", default=["config/demo.yaml"])
    parser.add_argument("--real", default="results", help="variant with the real annotations")
    parser.add_argument("--submission", default="seed0", help="scored one; trains its models alone")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(".demo") / f"seed{arguments.seed}"
    demo = Demo(folder, arguments.cores, arguments.configs)
    real = demo.score(arguments.real, arguments.submission)
    shuffled = []
    for shuffle in range(1, arguments.shuffles + 1):
        name = f"shuffle{shuffle}"
        sheet = str(shuffled_sheet(demo, shuffle))
        demo.run(name, {"samples": sheet}, [arguments.submission])
        shuffled.append(demo.score(name, arguments.submission))
    holds = True
    print("\nCCC on the withheld test annotations\nannotations\t" + "\t".join(TARGETS))
    print("real" + "".join(f"\t{real[target]:.3f}" for target in TARGETS))
    for shuffle, scores in enumerate(shuffled, 1):
        print(f"shuffle {shuffle}" + "".join(f"\t{scores[target]:.3f}" for target in TARGETS))
    for target in TARGETS:
        values = [scores[target] for scores in shuffled]
        holds &= real[target] > max(values)
        # One shuffle alone is a draw from the spread, not its mean.
        holds &= abs(np.mean(values)) <= LIMIT or len(values) < 5
    print("mean" + "".join(f"\t{np.mean([s[t] for s in shuffled]):.3f}" for t in TARGETS))
    print("holds" if holds else "DOES NOT HOLD")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
