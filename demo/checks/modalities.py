"""Does sound add to pictures? ``python -m demo.checks.modalities --seed 0``.

An ensemble like the demo's, of an LSTM and a Transformer, is trained on visual features, on audio
features and on both, three seeds each, and scored on the withheld test annotations. Both together
must beat the better single modality by 0.05 for one target at least and lose no more than 0.02 on
the other.
"""

import sys

import numpy as np

from demo.checks.runs import TARGETS, Demo

VISUAL = ["densenet", "iresnet", "fau"]
AUDIO = ["egemaps", "compare", "vggish", "wav2vec2"]
CHOICES = {"visual": VISUAL, "audio": AUDIO, "both": VISUAL + AUDIO}
ENCODERS = ("lstm", "transformer")
SEEDS = (0, 1, 2)
GAIN, LOSS = 0.05, 0.02


def main() -> None:
    demo = Demo.of_arguments(__doc__)
    experiments, ensembles, submissions = {}, {}, {}
    for choice, features in CHOICES.items():
        members = [f"{choice}_{encoder}" for encoder in ENCODERS]
        for member, encoder in zip(members, ENCODERS, strict=True):
            experiments[member] = {
                "encoder": encoder,
                "features": features,
                "strategy": "official",
                "seeds": list(SEEDS),
            }
        for seed in SEEDS:
            name = f"{choice}-{seed}"
            ensembles[name] = {"valence": members, "arousal": members, "seeds": [seed]}
            submissions[name] = {"ensemble": name, "format": "abaw3"}
    overlay = {"experiments": experiments, "ensembles": ensembles, "submissions": submissions}
    demo.run("modalities", overlay, list(submissions))
    means = {}
    print("features\t" + "\t".join(TARGETS) + f"\t(CCC, withheld test, mean of {len(SEEDS)} seeds)")
    for choice in CHOICES:
        scores = [demo.score("modalities", f"{choice}-{seed}") for seed in SEEDS]
        means[choice] = {target: float(np.mean([s[target] for s in scores])) for target in TARGETS}
        print(choice + "".join(f"\t{means[choice][target]:.3f}" for target in TARGETS))
    gains = [
        means["both"][target] - max(means["visual"][target], means["audio"][target])
        for target in TARGETS
    ]
    holds = max(gains) >= GAIN and min(gains) >= -LOSS
    print("gain over the better single modality: " + ", ".join(f"{gain:+.3f}" for gain in gains))
    print("holds" if holds else "DOES NOT HOLD")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
