import pytest

from circumplex.cli.main import main


def test_cleaning_frees_what_no_index_names(tmp_path, capsys):
    stored = tmp_path / "store/extract_x/ab/abc.parquet"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(bytes(2_000_000))
    assert main(["clean", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2.0 MB freed\n"
    assert not stored.exists()


def test_cleaning_removes_what_killed_jobs_left(tmp_path, capsys):
    (tmp_path / "store").mkdir()
    left = [tmp_path / "logs/.partial-0123abcd-x.json", tmp_path / ".x.parquet.0123abcd.partial"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1_000_000))
    assert main(["clean", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2.0 MB freed\n"
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}x", '{"a": 1}', '{"a": {}}', '{"a": {"status": "x"}}']
)
def test_a_damaged_index_stops_the_cleaning(tmp_path, capsys, text):
    stored = tmp_path / "store/x/ab/abc.parquet"
    index = tmp_path / "index/x/000-of-001.json"
    for path in (stored, index):
        path.parent.mkdir(parents=True)
    stored.write_text("x")
    index.write_text(text)
    assert main(["clean", str(tmp_path)]) == 1
    assert "is damaged, so that what is in use is not known" in capsys.readouterr().err
    assert stored.exists()


def test_a_folder_without_a_store_is_refused(tmp_path, capsys):
    assert main(["clean", str(tmp_path)]) == 1
    assert f"{tmp_path} holds no store: name the results folder" in capsys.readouterr().err
