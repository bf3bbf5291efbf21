from circumplex.cli.main import main


def test_cleaning_frees_what_no_index_names(tmp_path, capsys):
    stored = tmp_path / "store/extract_x/ab/abc.parquet"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(bytes(2_000_000))
    assert main(["clean", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2.0 MB freed\n"
    assert not stored.exists()


def test_a_folder_without_a_store_is_refused(tmp_path, capsys):
    assert main(["clean", str(tmp_path)]) == 1
    assert f"{tmp_path} holds no store: name the results folder" in capsys.readouterr().err
