"""What all pages have in common: how text becomes HTML, and what a page may run and load.

Jinja escapes every text, so that a name is never markup. A content security policy admits the style
and the script of this package alone, by their digests: even markup that got through could not run.
"""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

FOLDER = Path(__file__).parent
SHARED = FOLDER / "shared"
"""Scripts and macros that several kinds of pages use."""
MINUS, DASH = "−", "–"


def make_environment(folder: Path) -> jinja2.Environment:
    """Environment of the templates of a folder and of the shared ones, which escapes all text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, SHARED]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        address=quote,
        clock=format_clock,
        count=format_count,
        fixed=format_fixed,
        percent=format_percent,
        plural=plural,
    )
    return environment


def page_parts(style: Path, script: Path | None = None, sources: str = "") -> dict[str, Any]:
    """Style, script and content security policy of a page, as its template needs them.

    Args:
        style: style sheet of the page.
        script: its script; None for a page that runs none.
        sources: further directives of the policy, such as ``img-src data:``.
    """
    look = _read(style)
    code = "" if script is None else _read(script)
    return {
        "style": Markup(look),
        "script": Markup(code),
        "policy": content_policy(look, code, sources),
    }


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def content_policy(style: str, script: str, sources: str = "") -> str:
    """Content security policy that admits one style, at most one script, and ``sources``."""
    scripts = f"script-src {_source(script)}; " if script else ""
    further = f"{sources}; " if sources else ""
    return (
        f"default-src 'none'; {scripts}style-src {_source(style)}; {further}"
        "base-uri 'none'; form-action 'none'"
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def embed_json(value: Any) -> Markup:
    """JSON for a script element that browsers do not run: nothing in it ends the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def data_uri(content: bytes, kind: str) -> str:
    """A picture within a page.

    Args:
        content: bytes of the picture.
        kind: its media type, such as ``image/jpeg``.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def format_fixed(value: float | None, decimals: int = 3) -> str:
    """A number with fixed decimals and a minus sign; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return DASH
    return f"{value:z,.{decimals}f}".replace("-", MINUS).replace("inf", "∞")


def format_percent(value: float | None) -> str:
    """A share in [0, 1] as a whole percentage; a dash for None."""
    return DASH if value is None else f"{100 * value:.0f} %"


def format_count(value: int | None) -> str:
    """A whole number with its thousands marked; a dash for None."""
    return DASH if value is None else f"{value:,}"


def format_clock(seconds: float) -> str:
    """Time as ``m:ss.s``."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    return f"{minutes}:{rest // 10:02d}.{rest % 10}"


def plural(number: int, noun: str) -> str:
    """A number with a noun in the singular or plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def join_words(words: Sequence[str]) -> str:
    """Words as a phrase: ``a``, ``a and b``, ``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
