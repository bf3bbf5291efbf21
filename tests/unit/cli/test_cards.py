from circumplex.cli import cards
from circumplex.cli.main import main


def test_the_page_is_written_where_it_is_asked_for(tmp_path):
    assert main(["cards", "--output", str(tmp_path / "features.md")]) == 0
    assert (tmp_path / "features.md").read_text(encoding="utf-8") == cards.page()
