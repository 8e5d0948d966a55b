"""HTML pages. Whatever a template prints is escaped, unless it is Markup."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from .. import __version__
from ..resources import folder


@cache
def environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )


def render_page(template: str, **context: Any) -> str:
    """A page with its style sheet and script inside. Names of the context are escaped, but for SVG texts made `svg`.

    Browsers are told to load nothing from elsewhere, and to run no script but the page's own, which they know by its
    hash: an element that slipped through would do nothing.
    """
    style, script = part("report/style.css"), part("report/script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = environment().get_template(template).render(
        version=__version__, style=Markup(style), script=Markup(script), script_hash=f"sha256-{digest}", **context
    )  # fmt: skip
    return without_empty_lines(text)


def part(name: str) -> str:
    return without_empty_lines((folder("templates") / name).read_text(encoding="utf-8").strip())


def without_empty_lines(text: str) -> str:
    """The script goes through this before its hash is taken, so that the page's does not change it any more."""
    return re.sub(r"[ \t]*\n(?:[ \t]*\n)+", "\n", text)


def svg(text: str) -> Markup:
    """An SVG whose texts its maker escaped."""
    return Markup(text.strip())
