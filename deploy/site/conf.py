"""How Sphinx makes the site: strictly, and so that a browser asks nothing of any other machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

project = html_title = "Gift card gateway"
language = "en"
extensions = ["myst_parser"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 5
pygments_style = "default"
pygments_dark_style = "github-dark"
highlight_options = {"default": {"stripall": False}}
suppress_warnings = ["misc.highlighting_failure", "myst.header"]

_ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")


def _tell_files(app: Sphinx, page: str, text: list[str]) -> None:
    """Tell a link to a file or folder that is no page as its path: the site has pages alone."""
    folder = (_ROOT / page).parent

    def told(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[2]))
        if not target.exists():
            return link[0]
        path = target.relative_to(_ROOT).as_posix()
        if target.suffix == ".md" and (Path(app.srcdir) / path).exists():
            return link[0]
        name = link[1].strip("`")
        return f"`{path}`" if name in path else f"{name} (`{path}`)"

    text[0] = _LINK.sub(told, text[0]) if page != "index" else text[0]


def setup(app: Sphinx) -> None:
    """Have every page read through the rule above."""
    app.connect("source-read", _tell_files)
