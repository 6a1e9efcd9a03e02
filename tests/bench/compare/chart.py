"""A chart of bars as SVG: one bar for each name, with a thin line from the least to the greatest figure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from tests.bench.compare.sections import Spread, number

LINE, BAR, LEFT, WIDTH, RIGHT, HEAD, FOOT = 30, 18, 150, 480, 70, 40, 34
STYLE = (
    "text{font:13px sans-serif;fill:#333}.t{font-weight:bold}.s{font-size:11px;fill:#666}"
    ".b{fill:#8aa4c8}.g{fill:#2c6e49}.w{stroke:#222;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.s{fill:#aaa}.w{stroke:#eee}}"
)


def bars(title: str, figures: Mapping[str, Spread], foot: str) -> str:
    """Draw these figures; what begins with `gateway` has a colour of its own."""
    height, width = HEAD + LINE * len(figures) + FOOT, LEFT + WIDTH + RIGHT
    most = max(figure.greatest for figure in figures.values())
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="t" x="10" y="22">{escape(title)}</text>',
    ]
    for place, (name, figure) in enumerate(figures.items()):
        drawn.append(_bar(name, figure, HEAD + place * LINE, WIDTH / most))
    drawn.append(f'<text class="s" x="10" y="{height - 12}">{escape(foot)}</text></svg>\n')
    return "\n".join(drawn)


def _bar(name: str, figure: Spread, top: int, scale: float) -> str:
    middle, text = top + BAR / 2, top + BAR - 5
    long, least, greatest = (LEFT + each * scale for each in (figure.middle, figure.least, figure.greatest))
    kind = "g" if name.startswith("gateway") else "b"
    return (
        f'<text x="{LEFT - 10}" y="{text}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{long - LEFT:.1f}" height="{BAR}"/>'
        f'<line class="w" x1="{least:.1f}" y1="{middle}" x2="{greatest:.1f}" y2="{middle}"/>'
        f'<text x="{greatest + 8:.1f}" y="{text}">{number(figure.middle)}</text>'
    )
