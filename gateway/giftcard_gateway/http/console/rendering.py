"""Fills the templates: everything put into one is escaped, and a name that is not there is a fault.

What a caller or a provider says may hold anything: no mark in it turns the order of a line around.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from giftcard_gateway.printable import visible

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock

_HERE = Path(__file__).parent
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Templates:
    """The pages of the console."""

    def __init__(self, clock: Clock) -> None:
        """Read the templates when they are first used."""
        self._clock = clock
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_shown,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "ago": self._ago,
            "left": self._left,
            "utc": utc,
            "iso": _iso,
            "exact": exact,
        }

    def page(self, name: str, *, status: int = 200, **words: object) -> web.Response:
        """Return a page."""
        text = self._environment.get_template(name).render(now=self._clock.now(), **words)
        return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")

    def _ago(self, at: datetime | None) -> str:
        return "" if at is None else span((self._clock.now() - at).total_seconds())

    def _left(self, at: datetime) -> str:
        left_s = (at - self._clock.now()).total_seconds()
        return f"{span(left_s)} left" if left_s > 0 else f"over since {span(-left_s)}"


def _shown(value: object) -> object:
    """Return what is put into a template: a text that is no markup of ours `visible`, its line ends kept."""
    # Markup is a kind of text, so a text is what is that and nothing more.
    return visible(str(value), keeps="\n\t") if type(value) is str else value


def span(duration_s: float) -> str:
    """Return a time in its two largest units, such as `3 h 20 min`."""
    left = max(0, int(duration_s))
    words: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
        elif words:
            break
    return " ".join(words[:2])


def utc(at: datetime) -> str:
    """Return a time to the second, as an operator compares it with a log."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def exact(at: datetime) -> str:
    """Return a time to the millisecond: much happens in a second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def static_files() -> dict[str, tuple[str, bytes]]:
    """Return our style, script and icon by name, each with its type."""
    return {
        file.name: (_KINDS[file.suffix[1:]], file.read_bytes())
        for file in sorted((_HERE / "static").iterdir())
        if file.suffix[1:] in _KINDS
    }
