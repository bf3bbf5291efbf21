"""Peak memory of every media job, on films of different length and on an hour of sound.

    .venv/bin/python benchmarks/memory.py ../shared/media/astronaut.png

Makes films of 1080p in which the given picture of a face wanders over noise, with sound, and one
file of noise an hour long. Each job runs in a process of its own; its peak resident memory is what
the kernel counted. The jobs of a film must not need more for a longer one; openSMILE may.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import wave
from fractions import Fraction
from pathlib import Path

RATE = 25
JOBS = (
    "extract_frames",
    "extract_audio",
    "align_faces",
    "import_faces",
    "fill_frames",
    "summarise_quality",
)
SETS = {
    "extract_egemaps": ("eGeMAPSv01b", ["lld"]),
    "extract_compare": ("ComParE_2016", ["lld", "lld_de"]),
}
LIMIT_MB = 1500
LARGEST_CHANGE = 0.05


def make_film(path: Path, still: Path, frames: int, width: int, height: int) -> None:
    """A film with a wandering face and white noise for sound, and beside it a folder of crops."""
    import av
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    background = rng.integers(0, 90, (height, width, 3)).astype(np.uint8)
    face = cv2.cvtColor(cv2.imread(str(still)), cv2.COLOR_BGR2RGB)
    side = height // 2
    face = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=48_000, layout="stereo")
        for number in range(frames):
            picture = background.copy()
            x = round((width - side) * (0.5 + 0.5 * np.sin(number / 50)))
            picture[side // 2 : side // 2 + side, x : x + side] = face
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(frame))
            noise = rng.integers(-9000, 9000, (1, 2 * 48_000 // RATE)).astype(np.int16)
            block = av.AudioFrame.from_ndarray(noise, format="s16", layout="stereo")
            block.sample_rate, block.time_base = 48_000, Fraction(1, 48_000)
            block.pts = number * (48_000 // RATE)
            container.mux(audio.encode(block))
        for stream in container.streams:
            container.mux(stream.encode(None))
    crops = path.with_name("crops")
    crops.mkdir()
    for number in range(frames):
        crop = np.roll(cv2.resize(face, (112, 112)), number, axis=1)
        cv2.imwrite(str(crops / f"{number + 1:05d}.jpg"), crop)


def make_sound(path: Path, seconds: int) -> None:
    """White noise, 16 kHz mono."""
    import numpy as np

    rng = np.random.default_rng(0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        for _ in range(seconds):
            file.writeframes(rng.integers(-9000, 9000, 16_000).astype("<i2").tobytes())


def run_job(name: str, source: Path, folder: Path, threads: int) -> None:
    """What the rule's script does for one sample."""
    timeline, sound = folder / "timeline.parquet", folder / "sound.wav"
    faces, output = folder / "faces.parquet", folder / f"{name}.parquet"
    if name == "extract_frames":
        from circumplex.media.timeline import extract_frames

        extract_frames(source, timeline, {})
    elif name == "extract_audio":
        from circumplex.media.sound import extract_audio

        extract_audio(source, sound, clock=timeline)
    elif name == "align_faces":
        import cv2
        import torch

        from circumplex.config.faces import FaceOptions
        from circumplex.faces.align import align_faces
        from circumplex.faces.detector import FaceDetector
        from circumplex.faces.subjects import Subject

        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        options = FaceOptions()
        align_faces(source, faces, options, Subject.parse("largest"), {}, FaceDetector(options))
    elif name == "import_faces":
        from circumplex.faces.crop_folder import import_faces

        import_faces(folder / "crops", timeline, output, {})
    elif name == "fill_frames":
        from circumplex.faces.fill import NoValid, Rule, fill_frames

        fill_frames(faces, output, Rule(NoValid.FAIL), {})
    elif name == "summarise_quality":
        from circumplex.report.quality import summarise_quality

        summarise_quality(timeline, output, {}, faces=faces, sound=sound)
    else:
        from circumplex.features.extractors.opensmile import DescriptorExtractor, Level
        from circumplex.features.sound import extract_audio_feature

        feature_set, levels = SETS[name]
        column = name.removeprefix("extract_")
        extractor = DescriptorExtractor(column, feature_set, [Level(level) for level in levels])
        extract_audio_feature(source, output, extractor, {})


def measured(name: str, source: Path, folder: Path, threads: int) -> tuple[float, float]:
    """Peak resident memory in MB and seconds of a job in a process of its own."""
    command = [sys.executable, __file__, "--job", name, str(source), str(folder)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--threads", str(threads)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} failed with exit status {process.returncode}")
    return usage.ru_maxrss / 1024, time.perf_counter() - start


def main(
    still: Path, lengths: list[int], size: tuple[int, int], hours: float, threads: int
) -> None:
    failed = False
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        peaks: dict[str, list[float]] = {name: [] for name in JOBS}
        for frames in lengths:
            folder = root / str(frames)
            folder.mkdir()
            film = folder / "film.mp4"
            arguments = [str(still), str(film), str(frames), *map(str, size)]
            subprocess.run([sys.executable, __file__, "--make", *arguments], check=True)
            for name in JOBS:
                peak, seconds = measured(name, film, folder, threads)
                peaks[name].append(peak)
                rate = f"{frames / seconds:8.1f} frames/s with the start of Python"
                print(f"{name:18}{frames:6} frames {peak:8.0f} MB {rate}", flush=True)
            film.unlink()
        for name, of in peaks.items():
            change = max(of) / min(of) - 1
            good = change < LARGEST_CHANGE and max(of) < LIMIT_MB
            failed |= not good
            print(f"{name:18} differs by {change:6.1%}, at most {max(of):5.0f} MB: {told(good)}")
        for seconds in (round(900 * hours), round(3600 * hours)) if hours else ():
            make_sound(root / "sound.wav", seconds)
            for name in SETS:
                peak, took = measured(name, root / "sound.wav", root, threads)
                good = peak < LIMIT_MB
                failed |= not good
                print(f"{name:18}{seconds:6} s of sound {peak:5.0f} MB, {took:.0f} s: {told(good)}")
    raise SystemExit(failed)


def told(good: bool) -> str:
    return "good" if good else "TOO MUCH"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("still", type=Path, help="picture of a face")
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--size", type=int, nargs=2, default=[1920, 1080], help="of the films")
    parser.add_argument("--hours", type=float, default=1.0, help="of sound for openSMILE; 0: none")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1] == "--make":
        make_film(Path(sys.argv[3]), Path(sys.argv[2]), *map(int, sys.argv[4:]))
    elif sys.argv[1] == "--job":
        run_job(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[6]))
    else:
        given = parse()
        main(given.still, given.frames, tuple(given.size), given.hours, given.threads)
