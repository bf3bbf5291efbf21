"""The README: short sentences, and a licence for each picture."""

import re

from places import ROOT

README = ROOT / "README.md"
LIMIT = 20.0
"""Words of a sentence, on average."""
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


def sentences(text: str) -> list[str]:
    """Sentences of a page: of its prose and its lists, without code, tables and headings."""
    prose = BLOCK.sub("\n\n", text)
    prose = IMAGE.sub("", prose)
    prose = LINK.sub(r"\1", prose)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "#"))]
    paragraphs = re.split(r"\n\s*\n|\n(?=[-*] )", "\n".join(lines))
    found = []
    for paragraph in paragraphs:
        words = " ".join(paragraph.replace("**", "").split())
        found += re.split(r"(?<=[.:!?])\s+(?=[A-Z`])", words)
    return [sentence for sentence in found if re.search(r"\w", sentence)]


def test_sentences_are_told_apart():
    text = "# A b c\n\nOne two. Three `a.b` four: [five](x.md) six.\n\n- Seven\n- Eight\n"
    assert [len(s.split()) for s in sentences(text)] == [2, 5, 2, 2]


def test_sentences_are_short():
    lengths = [len(sentence.split()) for sentence in sentences(README.read_text())]
    assert len(lengths) > 30
    assert sum(lengths) / len(lengths) <= LIMIT


def test_each_picture_has_its_licence_and_origin():
    pictures = IMAGE.findall(README.read_text())
    assert pictures
    assert [path for path in pictures if not (ROOT / path).is_file()] == []
    provenance = (ROOT / "docs/images/README.md").read_text()
    files = [path for path in (ROOT / "docs/images").iterdir() if path.suffix != ".md"]
    assert [path.name for path in files if f"`{path.name}`" not in provenance] == []


def test_each_row_of_the_first_table_has_at_most_three_lines_to_paste():
    text = README.read_text()
    first = text[text.index("## Which are you?") : text.index("\n## ", text.index("## Which"))]
    blocks = BLOCK.findall(first)
    assert len(blocks) == 3
    for block in blocks:
        assert len(block.splitlines()) - 2 <= 3


def test_the_index_lists_every_page():
    index = (ROOT / "docs/README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert sorted(name for name in pages if f"]({name})" not in index) == []
