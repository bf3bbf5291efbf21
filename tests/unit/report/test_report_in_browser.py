"""The report in headless Chromium: search, sorting, hostile names, a phone's width."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from browser import HOSTILE, IN_BROWSER, Browser, browser
from circumplex.report.comparison.page import Change, Comparison, SampleLine, comparison_page
from synthetic_report import PLACE, Corpus, empty_inputs, write

pytestmark = IN_BROWSER
LONG = "a_name_without_any_space_" * 5


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.resize(1280, 900)
        yield opened


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    corpus = Corpus(folder)
    for k, name in enumerate([*HOSTILE, LONG, "clip2", "clip10"]):
        corpus.add(name, "val" if k % 2 else "test", frames=60)
    for name in HOSTILE:
        corpus.add_failed(f"failed {name}", "extract_wav2vec2", f"{name}: {LONG}")
    names = list(corpus.predicted)
    inputs = empty_inputs(
        folder,
        samples=tuple(corpus.samples),
        ensembles={"e": corpus.ensemble("e", names)},
        members={"e": corpus.members("e", names)},
        players={name: "player/a.html" for name in names},
        facts=dict.fromkeys(HOSTILE, LONG),
        run=dict.fromkeys(HOSTILE, LONG),
        random_weights=dict.fromkeys(HOSTILE, LONG),
    )
    write(folder / "report.html", replace(inputs, title=HOSTILE[0]))
    comparison = Comparison(
        first=LONG,
        second=HOSTILE[0],
        changes=[Change("extract_wav2vec2", name, name, LONG, name) for name in HOSTILE],
        lines=[],
        compared=HOSTILE[1],
        samples=[SampleLine(name, "val", 0.5, 0.1 * k) for k, name in enumerate(HOSTILE)],
        notes=[HOSTILE[2]],
        draws=10,
    )
    (folder / "comparison.html").write_text(comparison_page(comparison), encoding="utf-8")
    return folder / "report.html"


def pages_of(written: Path) -> list[Path]:
    further = sorted((written.parent / PLACE).glob("*.html"))
    return [written, written.with_name("comparison.html"), *further]


def shown(page: Browser) -> list[str]:
    script = """JSON.stringify([...document.querySelectorAll('#list tbody tr')]
        .filter((row) => !row.hidden).map((row) => row.cells[0].textContent.trim()))"""
    return list(json.loads(page.value(script)))


def column(page: Browser, key: str) -> list[Any]:
    script = f"""JSON.stringify([...document.querySelectorAll('#list td[data-key="{key}"]')]
        .map((cell) => cell.dataset.value === undefined ? null : Number(cell.dataset.value)))"""
    return list(json.loads(page.value(script)))


def search(page: Browser, text: str) -> None:
    page.value(
        f"(() => {{ const box = document.getElementById('search'); box.value = {json.dumps(text)};"
        "box.dispatchEvent(new Event('input')); })()"
    )


def test_no_name_runs_and_the_policy_refuses_nothing_of_ours(page: Browser, written: Path) -> None:
    for path in pages_of(written):
        page.open(path)
        assert not page.value("document.documentElement.hasAttribute('data-ran')")
        assert page.messages == []
        loaded = "[...document.images].every((image) => image.complete)"
        page.wait(loaded)
        pictures = "[...document.images].filter((i) => i.src.includes('svg'))"
        assert page.value(f"{pictures}.every((i) => i.naturalWidth > 0)")


def test_the_index_is_searched_and_sorted(page: Browser, written: Path) -> None:
    page.open(written)
    everything = shown(page)
    count = 2 * len(HOSTILE) + 3
    assert len(everything) == count
    search(page, "CLIP")
    assert sorted(shown(page)) == ["clip10", "clip2"]
    assert page.value("document.getElementById('count').textContent") == f"2 of {count}"
    page.value("document.querySelector('[data-key=\"name\"] .sorter').click()")
    assert shown(page) == ["clip2", "clip10"]
    search(page, "extract_wav2vec2")
    assert len(shown(page)) == len(HOSTILE), "remarks are searched too"
    search(page, "")
    for key in ("mean", "valence", "length"):
        button = f"document.querySelector('th[data-key=\"{key}\"] .sorter')"
        page.value(f"{button}.click()")
        values = [value for value in column(page, key) if value is not None]
        assert values == sorted(values)
        page.value(f"{button}.click()")
        assert [value for value in column(page, key) if value is not None] == sorted(values)[::-1]
        assert column(page, key)[-len(HOSTILE) :] == [None] * len(HOSTILE), (
            "failed samples have no value and come last"
        )


def test_a_link_of_the_index_leads_to_the_trace(page: Browser, written: Path) -> None:
    page.open(written)
    search(page, "clip10")
    page.value("[...document.querySelectorAll('#list tr:not([hidden]) th a')].pop().click()")
    page.wait("location.pathname.endsWith('traces-001.html')")
    name = "document.querySelector(location.hash).querySelector('.name').textContent"
    page.wait(f"document.readyState === 'complete' && {name} === 'clip10'")


def test_pages_fit_a_phone(page: Browser, written: Path) -> None:
    page.resize(390, 844, phone=True)
    try:
        for path in pages_of(written):
            page.open(path)
            assert page.value("document.documentElement.scrollWidth") <= 390, path.name
    finally:
        page.resize(1280, 900)


def test_stage_names_stay_on_one_line(page: Browser, written: Path) -> None:
    page.resize(390, 844, phone=True)
    try:
        for path in pages_of(written)[:2]:
            page.open(path)
            lines = (
                "[...document.querySelectorAll('code.stage')].map((c) => c.getClientRects().length)"
            )
            assert set(page.value(lines)) == {1}
    finally:
        page.resize(1280, 900)


def test_in_print_headings_stay_with_what_follows(page: Browser, written: Path) -> None:
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        for path in pages_of(written):
            page.open(path)
            style = "getComputedStyle"
            kept = f"[...document.querySelectorAll('h2, h3')].map((h) => {style}(h).breakAfter)"
            assert set(page.value(kept)) <= {"avoid"}
            hidden = "[...document.querySelectorAll('.contents, .search, .pages')]"
            assert page.value(f"{hidden}.every((e) => {style}(e).display === 'none')")
            cut = f"[...document.querySelectorAll('.scroll')].map((e) => {style}(e).overflowX)"
            assert set(page.value(cut)) <= {"visible"}
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
