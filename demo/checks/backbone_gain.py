"""What training the visual networks is worth: ``python -m demo.checks.backbone_gain --seed 0``.

The demo's LSTM is trained on the visual features alone, three seeds each, once with the networks
that were trained on the corpus's still faces and once with seeded random ones, and scored on the
withheld test annotations. Trained weights must raise the mean CCC of valence by 0.05.
"""

import sys

import numpy as np

from demo.checks.modalities import VISUAL
from demo.checks.runs import TARGETS, Demo

SEEDS = (0, 1, 2)
RISE = 0.05
RECIPES = ("expression_densenet", "expression_iresnet", "action_unit_iresnet")
WEIGHTS = {
    "random": {name: {"weights": f"random:{k}"} for k, name in enumerate(VISUAL)},
    "trained": {
        name: {"weights": f"trained:{recipe}"} for name, recipe in zip(VISUAL, RECIPES, strict=True)
    },
}


def main() -> None:
    demo = Demo.of_arguments(__doc__)
    experiment = {"encoder": "lstm", "features": VISUAL, "strategy": "official"}
    names = [f"visual-{seed}" for seed in SEEDS]
    overlay = {
        "experiments": {"visual": {**experiment, "seeds": list(SEEDS)}},
        "ensembles": {
            name: {"valence": ["visual"], "arousal": ["visual"], "seeds": [seed]}
            for name, seed in zip(names, SEEDS, strict=True)
        },
        "submissions": {name: {"ensemble": name, "format": "abaw3"} for name in names},
    }
    means = {}
    for choice, features in WEIGHTS.items():
        variant = f"visual_{choice}"
        demo.run(variant, {**overlay, "features": features}, names)
        scores = [demo.score(variant, name) for name in names]
        means[choice] = [float(np.mean([s[target] for s in scores])) for target in TARGETS]
    print("\nCCC on the withheld test annotations, visual features alone, mean of 3 seeds")
    print("\t".join(["weights", *TARGETS]))
    for choice, values in means.items():
        print("\t".join([choice, *(f"{value:.3f}" for value in values)]))
    rises = [after - before for before, after in zip(*means.values(), strict=True)]
    print("\t".join(["rise", *(f"{rise:+.3f}" for rise in rises)]))
    holds = rises[0] >= RISE
    print("holds" if holds else "DOES NOT HOLD")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
