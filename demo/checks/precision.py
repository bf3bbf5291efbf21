"""Does bfloat16 change what the demo scores? ``python -m demo.checks.precision --seed 0``.

The five networks compute in bfloat16, their features are packed, models trained on them, and the
demo's main submission scored on the withheld test annotations, beside the finished run's in
float32. Neither target may move by 0.005.
"""

import sys

from demo.checks.runs import TARGETS, Demo

NETWORKS = ("densenet", "iresnet", "fau", "vggish", "wav2vec2")
SUBMISSION = "main"
LIMIT = 0.005


def main() -> None:
    demo = Demo.of_arguments(__doc__)
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
