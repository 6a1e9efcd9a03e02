"""What goes beside every call as metadata, the token among it: asked for before each attempt.

What gives it is the user's code, so it may fail or hang. Then the call is not sent, and the error says so.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from giftcard.channels import is_loopback
from giftcard.scripts import Metadata, SourceFailed

Token = str | Callable[[], str]
"""A bearer token or an API key, or what returns a fresh one before every attempt."""
AsyncToken = str | Callable[[], str | Awaitable[str]]
"""The same for AsyncClient: what returns a fresh one may be async."""
MetadataLike = Metadata | Callable[[], Metadata]
"""Metadata, or what returns it before every attempt."""
AsyncMetadataLike = Metadata | Callable[[], Metadata | Awaitable[Metadata]]
"""The same for AsyncClient: what returns it may be async."""


@dataclass(frozen=True)
class Source:
    """One source of metadata: what is asked, and how metadata is made of what it gives."""

    given: object
    make: Callable[[object], Metadata]

    def ask(self) -> object:
        """Ask; the answer may be awaitable."""
        return self.given() if callable(self.given) else self.given


def source_of(metadata: AsyncMetadataLike) -> Source:
    """Make a source of metadata."""
    return Source(metadata, lambda given: tuple(cast("Iterable[tuple[str, str | bytes]]", given)))


def source_of_token(target: object, token: AsyncToken, *, plaintext: bool) -> Source:
    """Make a source of a token; raise ValueError if others could read it.

    A channel of the caller's own is theirs to protect.
    """
    if plaintext and isinstance(target, str) and not is_loopback(target):
        raise ValueError("A token on a plaintext channel can be read by everybody on its way: use TLS.")
    return Source(token, _authorize)


def _authorize(token: object) -> Metadata:
    """Show a token."""
    if not isinstance(token, str):
        raise TypeError("A token is text.")
    return (("authorization", f"Bearer {token}"),)


def gather(sources: Sequence[Source]) -> Metadata:
    """Ask every source; raise SourceFailed if one fails."""
    try:
        return tuple(entry for source in sources for entry in source.make(_refuse_async(source.ask())))
    except Exception as error:
        raise SourceFailed from error


async def gather_async(sources: Sequence[Source], within_s: float | None) -> Metadata:
    """Ask every source, awaiting the async ones; raise SourceFailed if one fails or takes too long."""
    try:
        entries: list[tuple[str, str | bytes]] = []
        async with asyncio.timeout(within_s):
            for source in sources:
                given = source.ask()
                entries += source.make(await given if inspect.isawaitable(given) else given)
        return tuple(entries)
    except Exception as error:
        raise SourceFailed from error


def _refuse_async(given: object) -> object:
    """Return what a source gave; raise TypeError if only an event loop could tell what it is."""
    if inspect.iscoroutine(given):
        given.close()
    if inspect.isawaitable(given):
        raise TypeError("Client cannot await what gives its token or metadata: use AsyncClient.")
    return given
