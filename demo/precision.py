"""Does bfloat16 change what the demo scores? ``python -m demo.precision --seed 0``.

The five networks compute in bfloat16, their features are packed, models trained on them, and the
demo's main submission scored on the withheld test annotations, beside the finished run's in
float32. Neither target may move by 0.005.
"""

import argparse
import sys
from pathlib import Path

from demo.runs import TARGETS, Demo

NETWORKS = ("densenet", "iresnet", "fau", "vggish", "wav2vec2")
SUBMISSION = "main"
LIMIT = 0.005


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    demo = Demo(Path(".demo") / f"seed{arguments.seed}", arguments.cores)
    overlay = {"features": {name: {"precision": "bfloat16"} for name in NETWORKS}}
    demo.run("bfloat16", overlay, [SUBMISSION])
    scores = {name: demo.score(name, SUBMISSION) for name in ("results", "bfloat16")}
    changes = [abs(scores["bfloat16"][t] - scores["results"][t]) for t in TARGETS]
    print("precision\t" + "\t".join(TARGETS) + "\t(CCC, withheld test)")
    for label, name in (("float32", "results"), ("bfloat16", "bfloat16")):
        print(label + "".join(f"\t{scores[name][target]:.4f}" for target in TARGETS))
    print("moved by " + ", ".join(f"{change:.4f}" for change in changes))
    holds = max(changes) < LIMIT
    print("holds" if holds else "DOES NOT HOLD")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
