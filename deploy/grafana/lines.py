"""What a panel and a dashboard are, and the expressions that several panels are made of."""

from __future__ import annotations

from typing import NamedTuple

OF = 'giftcard_provider=~"$provider"'
"""The providers that a reader chose."""
MONEY = 'rpc_method=~"giftcard.v1.GiftCardService/.+",rpc_method!~".+/(Lookup|Balance|BatchBalance)"'


class Panel(NamedTuple):
    """One picture: expressions with what each line is called, the unit, and what a reader should know."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    text: str
    kind: str = "timeseries"


class Board(NamedTuple):
    """One dashboard; `rows` are its panels under headings."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


def rate(metric: str, by: str, labels: str = "") -> str:
    """Return how many a second there are of a counter."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def counted(metric: str, by: str, labels: str = "") -> str:
    """Return how many a counter had since the point before."""
    return f"sum by ({by}) (increase({metric}{{{labels}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "", labels: str = "") -> str:
    """Return the duration that a share of a histogram does not exceed."""
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(metric + '_bucket', groups, labels)})"


def quantiles(metric: str) -> tuple[tuple[str, str], ...]:
    """Return the lines of a histogram's middle, of its slow calls and of its slowest, with their names."""
    return tuple((quantile(share, metric), f"{share:.0%}") for share in (0.5, 0.95, 0.99))


def shared(metric: str, by: str, labels: str = OF, of: str = "max") -> str:
    """Return what each replica tells alike: once."""
    return f"{of} by ({by}) ({metric}{{{labels}}})"
