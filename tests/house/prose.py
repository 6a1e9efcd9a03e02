"""What people read in our files: whole pages, and of code the docstrings and comments, at their own lines.

What may be said there is in `citations`.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.house.source import GENERATED, files, text_of

PAGES = (".json", ".md", ".mako", ".proto", ".template", ".toml", ".yaml", ".yml")
SCRIPTS = ("Makefile", ".ci/run", ".github/CODEOWNERS")
LISTS_OF_PINS = "deploy/requirements/"
_RELEASED = re.compile(r"^## \[\d", re.MULTILINE)
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
_STEP = re.compile(r"^(?:[ \t]*(?:- )?(?:run: |@)?[ \t]*)(.*)$", re.MULTILINE)
_BEFORE_A_DOCSTRING = {tokenize.ENCODING, tokenize.INDENT, tokenize.DEDENT, tokenize.NEWLINE}
_IGNORED = {tokenize.NL, tokenize.COMMENT}


@dataclass(frozen=True)
class Page:
    """One file as a reader sees it, and whole; what is read stands where it stands in the file."""

    path: str
    text: str
    whole: str

    def place(self, offset: int) -> str:
        """Name the file and line of a character."""
        return f"{self.path}:{self.text.count(chr(10), 0, offset) + 1}"

    @property
    def is_markdown(self) -> bool:
        """Tell whether links and code blocks mean something here."""
        return self.path.endswith(".md")

    @property
    def prose(self) -> str:
        """The text without code blocks."""
        return _FENCE.sub(lambda block: blank(block[0]), self.text) if self.is_markdown else self.text

    def head(self) -> str:
        """Return a module's own docstring, which says what lives there; nothing of another file."""
        if not self.path.endswith(".py") or not self.text.lstrip().startswith(('"""', 'r"""')):
            return ""
        end = self.text.index('"""', self.text.index('"""') + 3)
        return self.text[:end]

    def code(self) -> str:
        """Return what is not read: the code, without docstrings and comments."""
        pairs = zip(self.whole, self.text, strict=True)
        return "".join(" " if read.strip() else written for written, read in pairs)

    def inline(self) -> Iterator[tuple[int, str]]:
        """Give what stands between backticks, with its offset."""
        for found in _INLINE.finditer(self.prose):
            yield found.start(1), re.sub(r"\s+", " ", found[1])

    def commands(self) -> Iterator[tuple[int, str]]:
        """Give what may be a command: between backticks, a line of a code block, a step of a script."""
        yield from self.inline()
        if self.is_markdown:
            for block in _FENCE.finditer(self.text):
                yield from steps(block[0], block.start())
        elif self.path in SCRIPTS or self.path.endswith((".yaml", ".yml")):
            yield from steps(self.text, 0)


def steps(text: str, start: int) -> Iterator[tuple[int, str]]:
    """Give each line of a script without what stands before and behind its command."""
    for found in _STEP.finditer(text):
        if found[1]:
            yield start + found.start(1), found[1].split(" #")[0]


def blank(text: str) -> str:
    """Put a space in place of every character but the ends of lines."""
    return re.sub(r"[^\n]", " ", text)


def spoken(source: str) -> str:
    """Keep the docstrings and comments of Python source, each where it stands, and blank the rest."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    kept = list(blank(source))
    before = tokenize.ENCODING
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_docstring = token.type == tokenize.STRING and before in _BEFORE_A_DOCSTRING
        if is_docstring or token.type == tokenize.COMMENT:
            first, last = (starts[row - 1] + column for row, column in (token.start, token.end))
            kept[first:last] = source[first:last].replace("#", " ", 1 - is_docstring)
        if token.type not in _IGNORED:
            before = token.type
    return "".join(kept)


def page(path: str, text: str) -> Page:
    """Make the page of a file; what was released stays as it was written."""
    whole = text
    if path.endswith(".py"):
        text = spoken(whole)
    if path.endswith("CHANGELOG.md") and (released := _RELEASED.search(text)):
        text = text[: released.start()] + blank(text[released.start() :])
    return Page(path, text, whole)


@cache
def pages() -> tuple[Page, ...]:
    """Give every page and every hand-written Python file."""
    return tuple(
        page(path, text_of(path))
        for path in files()
        if (path.endswith((*PAGES, ".py")) or path in SCRIPTS)
        and not path.endswith(GENERATED)
        and not path.startswith(LISTS_OF_PINS)
    )
