"""Draw clips of speakers who act emotions: ``python -m demo.speakers --out DIR``.

Each clip is ``DIR/<speaker>/<speaker>_<emotion>_<take>.wav``. Speakers differ in pitch, vocal tract
and loudness by more than emotions do; a clip begins and ends in silence, as acted ones do. The same
seed gives the same files. It is the corpus of the worked example in docs/corpora.md.
"""

import argparse
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.corpus import voices

EMOTIONS = {  # valence and arousal, as config.yaml places them
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "angry": (-0.51, 0.59),
    "fear": (-0.64, 0.60),
    "neutral": (0.0, 0.0),
}
SPEAKERS, TAKES = 10, 3
SILENCE_S = 0.4
"""Before and after the speech."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    clips = draw_clips(arguments.out, arguments.seed)
    print(f"{arguments.out}: {clips} clips of {SPEAKERS} speakers")


def draw_clips(out: Path, seed: int) -> int:
    """Draw all clips; returns their number."""
    clips = 0
    for speaker in range(SPEAKERS):
        rng = np.random.default_rng((seed, speaker))
        voice = voices.Voice(
            pitch=125.0 * 2 ** rng.uniform(-0.7, 0.9),
            tract=rng.uniform(0.9, 1.2),
            breath=0.02 + 0.03 * rng.random(),
            gain_db=float(rng.uniform(-15, 3)),
        )
        for emotion, place in EMOTIONS.items():
            for take in range(1, TAKES + 1):
                name = f"s{speaker:02d}"
                path = out / name / f"{name}_{emotion}_{take}.wav"
                write(path, draw_clip(rng, voice, *place))
                clips += 1
    return clips


def draw_clip(
    rng: np.random.Generator, voice: voices.Voice, valence: float, arousal: float
) -> NDArray[np.float64]:
    """Draw a clip of 1.5 to 2.5 s of speech between two silences."""
    points = len(voices.control_times(rng.uniform(1.5, 2.5)))
    cues = [np.full(points, value + rng.normal(0, 0.1)) for value in (valence, arousal)]
    speech = voices.speak(rng, cues[1])
    sound = voices.sing(rng, voice, speech, *cues)
    return np.pad(sound, round(SILENCE_S * voices.RATE))


def write(path: Path, sound: NDArray[np.float64]) -> None:
    """Write 16 bits per sample."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(voices.RATE)
        file.writeframes((sound.clip(-1, 1) * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
