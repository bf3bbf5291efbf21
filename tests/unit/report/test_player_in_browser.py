"""The player pages in headless Chromium: they play, seek, and show what the CSV files say."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from browser import HOSTILE, IN_BROWSER, MARK, Browser, browser
from circumplex.io.atomic import write_text
from circumplex.media.proxy import write_proxy
from circumplex.media.timeline import extract_frames
from circumplex.pipeline.store import Entry, Status
from clips import FLASHES, Sound, write_video
from shown_run import ShownRun

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.resize(1400, 900)
        yield opened


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ShownRun:
    """Three videos, one of which is not where it was, and samples without any."""
    folder = tmp_path_factory.mktemp("run")
    run = ShownRun(folder / "results", failures={f"no {HOSTILE[1]}": f"row 3: {HOSTILE[0]}"})
    video = write_video(folder / "a film, 1.mp4", "libx264", options={"bf": "2"})
    run.add("film", 100, video=video, unseen=[(40, 60)])
    run.add("gone", 100, video=folder / "gone.mp4", unseen=[(0, 100)], filled=False)
    run.add("imported", 5000)
    for name in HOSTILE:
        run.add(name, 30)
    run.write_predictions()
    run.make_player()
    return run


def rows_of(run: ShownRun, sample: str) -> list[dict[str, str]]:
    with (run.results / f"predictions/{sample}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown(page: Browser) -> tuple[int, float, float, bool]:
    """Frame, valence and arousal of the dot, and whether it is grey."""
    frame, cx, cy, grey = json.loads(
        page.value(
            "(() => { const d = document.getElementById('dot'); return JSON.stringify(["
            "d.dataset.frame, d.getAttribute('cx'), d.getAttribute('cy'),"
            "getComputedStyle(d).fill === 'rgb(154, 163, 175)']); })()"
        )
    )
    return int(frame), float(cx) / 100, -float(cy) / 100, grey


def check_dot(page: Browser, rows: list[dict[str, str]]) -> int:
    """The dot is where the CSV file says; returns its frame."""
    frame, valence, arousal, grey = shown(page)
    assert valence == pytest.approx(float(rows[frame]["valence"]), abs=1e-4)
    assert arousal == pytest.approx(float(rows[frame]["arousal"]), abs=1e-4)
    assert grey == (rows[frame]["face"] != "seen")
    return frame


def media(page: Browser, expression: str) -> object:
    return page.value(f"document.getElementById('media').{expression}")


def place_of(page: Browser, share: float) -> tuple[float, float]:
    """A place in the window on the trace, from its first to its last second."""
    left, right, y = json.loads(
        page.value(
            "(() => { const line = document.querySelector('.plot .edge');"
            "const box = line.getBoundingClientRect();"
            "return JSON.stringify([box.left, box.right, box.top + 30]); })()"
        )
    )
    return left + share * (right - left), y


def test_a_page_plays_and_its_dot_follows_the_video(page: Browser, run: ShownRun) -> None:
    rows = rows_of(run, "film")
    page.open(run.results / "player/film.html")
    page.wait("document.getElementById('media').readyState >= 2")
    assert check_dot(page, rows) == 0
    page.press(" ")
    page.wait("document.getElementById('media').currentTime > 0.5")
    assert not media(page, "paused")
    assert page.value("document.getElementById('play').textContent") == "Pause"
    page.press(" ")
    page.wait("document.getElementById('media').paused")
    page.wait("document.getElementById('play').textContent === 'Play'")
    time_s = float(media(page, "currentTime"))
    frame = check_dot(page, rows)
    assert float(rows[frame]["time_s"]) <= time_s + 1e-3 < float(rows[frame + 1]["time_s"]) + 1e-3
    assert page.messages == []


def test_click_keys_and_jumps_seek(page: Browser, run: ShownRun) -> None:
    rows = rows_of(run, "film")
    page.open(run.results / "player/film.html")
    page.wait("document.getElementById('media').readyState >= 2")
    page.click(*place_of(page, 0.5))
    page.wait("!document.getElementById('media').seeking")
    assert media(page, "currentTime") == pytest.approx(2.0, abs=0.02)
    assert check_dot(page, rows) in (49, 50)
    cursor = page.value("document.getElementById('cursor').getBoundingClientRect().left")
    assert cursor == pytest.approx(place_of(page, 0.5)[0], abs=2)
    page.press("ArrowRight")
    assert check_dot(page, rows) in (74, 75)
    page.press("ArrowLeft")
    before = check_dot(page, rows)
    page.press(",")
    assert check_dot(page, rows) == before - 1
    page.press(".")
    assert check_dot(page, rows) == before
    page.press("Home")
    assert check_dot(page, rows) == 0
    page.press("End")
    assert check_dot(page, rows) == 99
    extremes = [(t, pick) for t in ("valence", "arousal") for pick in (max, min)]
    for number, (target, pick) in enumerate(extremes):
        page.value(f"document.querySelectorAll('.jump')[{number}].click()")
        assert check_dot(page, rows) == [row[target] for row in rows].index(
            pick((row[target] for row in rows), key=float)
        )
    assert page.messages == []


def test_a_video_that_is_gone_is_named_and_the_trace_plays_without_it(
    page: Browser, run: ShownRun
) -> None:
    rows = rows_of(run, "gone")
    page.open(run.results / "player/gone.html")
    page.wait("!document.getElementById('missing').hidden")
    text = page.value("document.getElementById('missing').textContent")
    assert str(run.results.parent / "gone.mp4") in text
    assert shown(page)[3], "no face was seen"
    page.value("document.getElementById('play').click()")
    page.until(lambda: shown(page)[0] > 5, "the trace plays")
    page.value("document.getElementById('play').click()")
    check_dot(page, rows)
    assert page.value("document.getElementById('play').textContent") == "Play"


def test_results_and_videos_copied_together_play_elsewhere(
    page: Browser, run: ShownRun, tmp_path: Path
) -> None:
    shutil.copytree(run.results.parent, tmp_path / "other machine", symlinks=True)
    moved = tmp_path / "other machine/results/player/film.html"
    page.open(moved, "#t=1.2")
    page.wait("document.getElementById('media').readyState >= 2")
    assert page.value("document.getElementById('missing').hidden")
    assert check_dot(page, rows_of(run, "film")) == 30
    assert "other%20machine" in str(media(page, "currentSrc"))


def test_no_name_runs_and_every_page_is_linked(page: Browser, run: ShownRun) -> None:
    for shielded in (True, False):
        pages = sorted((run.results / "player").glob("*.html"))
        for path in [*pages, run.results / "player.html"]:
            html = path.read_text(encoding="utf-8")
            if not shielded:  # without the policy, which alone would stop it
                start = html.index("<meta http-equiv=")
                html = html[:start] + html[html.index(">", start) + 1 :]
                path = path.with_name(f"bare {path.name}")
                write_text(path, html)
            page.open(path)
            assert not page.value("document.documentElement.hasAttribute('data-ran')"), path
            if not shielded:
                path.unlink()
    page.open(run.results / "player.html")
    names = json.loads(
        page.value(
            "JSON.stringify([...document.querySelectorAll('tbody th')].map((c) => c.textContent))"
        )
    )
    assert sorted(names) == sorted([*run.samples, *run.failures])
    links = json.loads(
        page.value(
            "JSON.stringify([...document.querySelectorAll('tbody th a')].map((a) => a.href))"
        )
    )
    for name, link in zip(run.samples, links, strict=True):
        page.call("Page.navigate", url=link)
        page.wait(f"document.title === {json.dumps(name)}")


def test_the_policy_stops_a_script_that_is_not_the_pages_own(
    page: Browser, run: ShownRun, tmp_path: Path
) -> None:
    html = (run.results / "player/film.html").read_text(encoding="utf-8")
    path = tmp_path / "film.html"
    path.write_text(html.replace("<main>", f"<script>{MARK}</script><main>"), encoding="utf-8")
    page.open(path)
    assert not page.value("document.documentElement.hasAttribute('data-ran')")
    assert any("Content Security Policy" in message for message in page.messages)
    page.wait("document.getElementById('dot').dataset.frame === '0'")


def listed(page: Browser) -> list[str]:
    return list(
        json.loads(
            page.value(
                "JSON.stringify([...document.querySelectorAll('tbody tr')]"
                ".filter((r) => !r.hidden).map((r) => r.cells[0].textContent))"
            )
        )
    )


@pytest.mark.parametrize("count", [1, 48, 600])
def test_the_list_is_searched_and_sorted(page: Browser, tmp_path: Path, count: int) -> None:
    run = ShownRun(tmp_path / "results")
    for number in range(count):
        run.add(f"video {number}", 20 + number % 7)
    page.open(run.make_player())
    assert listed(page) == list(run.samples)
    means = {name: float(run.prediction(name)[:, 0].mean()) for name in run.samples}
    page.value("document.querySelector('[data-key=valence] .sorter').click()")
    rising = listed(page)
    assert [means[name] for name in rising] == sorted(means.values())
    page.value("document.querySelector('[data-key=valence] .sorter').click()")
    assert listed(page) == rising[::-1]
    page.value("document.querySelector('[data-key=name] .sorter').click()")
    assert listed(page) == list(run.samples), "numbers in names count as numbers"
    page.value(
        "(() => { const s = document.getElementById('search'); s.value = 'VIDEO 7';"
        "s.dispatchEvent(new Event('input')); })()"
    )
    assert listed(page) == [name for name in run.samples if "video 7" in name]
    assert page.messages == []


def test_a_page_fits_a_phone(page: Browser, run: ShownRun) -> None:
    page.resize(390, 844, phone=True)
    for path in (run.results / "player/film.html", run.results / "player.html"):
        page.open(path)
        page.wait("document.readyState === 'complete'")
        assert page.value("document.documentElement.scrollWidth") <= 390, path.name
    page.resize(1400, 900)


def brightness(page: Browser, path: Path, anchor: str, folder: Path) -> float:
    """Mean brightness of the middle of the video's picture at a time."""
    page.open(path, anchor)
    page.wait("document.getElementById('media').readyState >= 2")
    page.wait("!document.getElementById('media').seeking")
    page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.value("(document.getElementById('media').controls = false, 0)")
    page.value("new Promise((done) => setTimeout(done, 500))")  # on a busy machine it paints late
    page.screenshot(folder / "shot.png")
    box = json.loads(
        page.value("JSON.stringify(document.getElementById('media').getBoundingClientRect())")
    )
    shot = cv2.imread(str(folder / "shot.png"))
    x, y = round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)
    return float(np.mean(shot[y - 20 : y + 20, x - 20 : x + 20]))


@pytest.mark.parametrize("made", ["at once", "late", "copy"])
def test_the_picture_is_that_of_the_dots_frame(page: Browser, tmp_path: Path, made: str) -> None:
    """Frame 20 of the clip is white, also where the sound starts before the picture."""
    run = ShownRun(tmp_path / "results")
    if made == "copy":
        options = {"codec": "mpeg4", "stamps": [k + (k > 10) * 7 for k in range(100)]}
        video = write_video(tmp_path / "clip.mkv", **options)
    else:
        start_s = 0.6 if made == "late" else 0.0
        sound = Sound(start_s=0.0, length_s=4.6)
        video = write_video(tmp_path / "clip.mp4", "libx264", start_s=start_s, sound=sound)
    sample = run.add("clip", 100, video=video)
    timeline = tmp_path / "timeline.parquet"
    extract_frames(video, timeline, {})
    if made == "copy":
        sample.time_s = np.array([k + (k > 10) * 7 for k in range(100)]) / 25
        write_proxy(video, timeline, run.results / "store/proxy.mp4", height=360)
        run.proxies["clip"] = Entry(Status.OK, "store/proxy.mp4")
    run.make_player()
    path = run.results / "player/clip.html"
    (flash, _) = FLASHES
    for frame in (flash - 1, flash, flash + 1):
        anchor = f"#t={sample.time_s[frame]:.4f}"
        bright = brightness(page, path, anchor, tmp_path) > 128
        assert shown(page)[0] == frame
        assert bright == (frame == flash), (made, frame)
