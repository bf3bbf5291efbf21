from circumplex.cli import options
from circumplex.cli.main import main
from circumplex.config.documents import PAGE, options_page, schema_text


def test_the_page_and_the_schema_are_written_from_the_models(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(options, "find_checkout", lambda: tmp_path)
    monkeypatch.setattr(options, "SCHEMA", tmp_path / "schema.json")
    assert main(["options"]) == 0
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == options_page()
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == schema_text()
