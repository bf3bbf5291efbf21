import pytest

from circumplex.cli.main import main
from circumplex.media.timeline import write_timeline

ROW = "0.5,-0.25\n"


@pytest.fixture
def texts(tmp_path):
    """A submission of two texts, and the timelines that say how many rows they need."""
    folder = tmp_path / "main"
    folder.mkdir()
    for name, frames, stage in (("a", 3, "extract_frames"), ("b", 2, "import_frames")):
        (folder / f"{name}.txt").write_text("valence,arousal\n" + ROW * frames)
        timeline = tmp_path / "results" / stage / f"{name}.parquet"
        timeline.parent.mkdir(parents=True)
        write_timeline(frames, timeline, fps=25.0, metadata={})
    (tmp_path / "list.txt").write_text("a\nb\n")
    return folder


def check(folder, *more):
    return main(["check-submission", str(folder), "--list", str(folder.parent / "list.txt"), *more])


def test_texts_are_counted_by_the_decoded_videos(texts, capsys):
    assert check(texts, "--results", str(texts.parent / "results")) == 0
    assert capsys.readouterr().out == f"{texts}: 2 samples, 5 rows\n"


def test_a_row_too_few_is_named(texts, capsys):
    (texts / "a.txt").write_text("valence,arousal\n" + ROW * 2)
    assert check(texts, "--results", str(texts.parent / "results")) == 1
    assert "a.txt: 2 rows, expected 3" in capsys.readouterr().err


def test_names_alone_need_the_results(texts, capsys):
    assert check(texts) == 1
    assert "names samples alone; give --results" in capsys.readouterr().err


def test_a_video_that_was_not_decoded_is_named(texts, capsys):
    (texts.parent / "results/import_frames/b.parquet").unlink()
    assert check(texts, "--results", str(texts.parent / "results")) == 1
    assert "extract_frames/b.parquet is missing: the frames of b" in capsys.readouterr().err


def test_a_list_of_images_counts_the_rows_of_a_table_and_of_texts(texts, tmp_path, capsys):
    images = [f"a/{k:05d}.jpg" for k in (1, 2, 3)] + [f"b/{k:05d}.jpg" for k in (1, 2)]
    (tmp_path / "list.txt").write_text("image_location\n" + "\n".join(images) + "\n")
    assert check(texts) == 0
    rows = "".join(f"{image},{ROW}" for image in images)
    table = tmp_path / "predictions.csv"
    table.write_text("image_location,valence,arousal\n" + rows)
    assert check(table) == 0
    assert capsys.readouterr().out == f"{texts}: 2 samples, 5 rows\n{table}: 5 rows as listed\n"
    table.write_text("image_location,valence,arousal\n" + rows.replace("0.5", "1.5", 1))
    assert check(table) == 1
    assert "predictions.csv, line 2" in capsys.readouterr().err
