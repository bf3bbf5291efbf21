"""The command lines of README.md and docs/."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from places import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("circumplex", "make", "snakemake", "python", "pip", "pytest")
ENVIRONMENT = ".venv/bin/"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}\S.*\n)+", re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class DocumentedCommand:
    """A command line of a document.

    Attributes:
        document: path below the checkout.
        line: the text, on one line and without its comment.
        activated: whether the document activates the environment before.
        inline: whether it is named in a sentence, perhaps without its arguments.
    """

    document: str
    line: str
    activated: bool
    inline: bool

    @property
    def words(self) -> list[str]:
        """The program, without the environment's folder, and its arguments."""
        first, *others = shlex.split(self.line)
        return [first.removeprefix(ENVIRONMENT), *others]

    @property
    def program(self) -> str:
        """Name of the program."""
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.document}: {self.line}"


def documented_commands(*programs: str) -> list[DocumentedCommand]:
    """All command lines of these programs, each once per document."""
    found = [command for path in DOCUMENTS for command in _commands(path)]
    return list(dict.fromkeys(c for c in found if c.program in (programs or PROGRAMS)))


def _commands(path: Path) -> Iterator[DocumentedCommand]:
    text = path.read_text(encoding="utf-8")
    activation = text.find("source .venv/bin/activate")
    for start, lines, inline in _pieces(text):
        for line in lines.replace("\\\n", " ").splitlines():
            command = line.partition(" #")[0].strip()
            first = command.split(" ")[0].removeprefix(ENVIRONMENT)
            if first in PROGRAMS and " " in command:
                activated = 0 <= activation <= start
                yield DocumentedCommand(str(path.relative_to(ROOT)), command, activated, inline)


def _pieces(text: str) -> Iterator[tuple[int, str, bool]]:
    """Blocks without a language, indented blocks, and what stands between backticks."""
    for match in BLOCK.finditer(text):
        if not match.group(1):
            yield match.end(), match.group(2), False
    prose = BLOCK.sub(lambda match: "\n" * len(match.group()), text)  # keeps the places
    for match in INDENTED.finditer(prose):
        yield match.end(), match.group(), False
    for match in INLINE.finditer(prose):
        yield match.end(), " ".join(match.group(1).split()), True
