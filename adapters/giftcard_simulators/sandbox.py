"""The interface of a simulator: a deterministic object that answers requests and shows its books.

It has no socket, clock or random source: the time and the ids are passed in (rule 18).
"""

from __future__ import annotations

import importlib
import random
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

import msgspec

if TYPE_CHECKING:
    from giftcard_simulators.acts import Act

TimeSource = Callable[[], datetime]
"""Returns the present time, with its zone."""

IdSource = Callable[[], str]
"""Returns a fresh UUID as text."""

Plain = Mapping[str, object]
"""Dicts, lists, numbers and texts: what goes into JSON."""


class SimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came: path and query still percent-encoded, header names in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""

    def parameters(self) -> dict[str, str]:
        """Return the query's parameters, decoded; of a repeated name the last one counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def __repr__(self) -> str:
        """Show neither path nor body: both can name a card."""
        return f"SimRequest({self.method}, {len(self.body)} bytes)"


class SimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, complete; the length header is added by whoever sends it."""

    status: int
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""

    def __repr__(self) -> str:
        """Show the status and never the body."""
        return f"SimAnswer({self.status}, {len(self.body)} bytes)"


class Make(Protocol):
    """Makes a simulator, as its class does."""

    def __call__(self, *, now: TimeSource, ids: IdSource) -> Simulator: ...  # noqa: D102 - the class says it


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated provider as `serve --sandbox` starts it; the adapter is named, never imported.

    `settings` gives what the adapter needs besides the base URL.
    """

    provider_id: str
    port: int
    adapter: str
    make: Make
    settings: Callable[[], Mapping[str, object]]
    base_path: str = ""
    currency: str
    """The currency of its demo cards."""
    prefixes: tuple[str, ...] = ()
    """Card-number prefixes of its demo cards."""
    is_variant: bool = False
    """Whether it is another way to speak to a provider that the sandbox has already, by the same adapter."""
    webhooks_url: str = ""
    """Where its events go, unless an act says otherwise."""
    demo_cards: Mapping[str, tuple[str, str]] = {}
    """Number and PIN of a few of its cards, by their use in a demonstration."""


def made_by(module: str, name: str, **more: object) -> Make:
    """Return what makes a simulator of a class that is imported when one is made, and not before.

    Whoever only reads a sandbox's settings does not wait for what answers requests.
    """

    def make(*, now: TimeSource, ids: IdSource) -> Simulator:
        made: Simulator = getattr(importlib.import_module(module), name)(now=now, ids=ids, **more)
        return made

    return make


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> SimAnswer:
    """Return an answer with a JSON body; `content` is plain data or a msgspec Struct."""
    return SimAnswer(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=msgspec.json.encode(content),
    )


class Simulator(ABC):
    """A simulated provider: the same requests at the same times give the same answers.

    A subclass calls `reset` in its constructor, so that the opening books are made in one place.
    """

    name: str
    """The provider, such as `electrum`; shown by the sandbox."""
    acts: Mapping[str, Act] = {}
    """What others do at this provider, by verb."""

    def __init__(self, *, now: TimeSource, ids: IdSource) -> None:
        """Keep the clock and the id source."""
        self.now = now
        self.ids = ids

    @abstractmethod
    def answer(self, request: SimRequest) -> SimAnswer:
        """Execute one request and answer it; never raises, whatever a caller sends."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything and open the books with the demo cards."""

    @abstractmethod
    def cards(self) -> Sequence[Plain]:
        """Return every card with its balances, as plain data; numbers in full, being made up."""

    @abstractmethod
    def effects(self) -> Sequence[Plain]:
        """Return each money effect once, in order, as plain data."""

    @abstractmethod
    def tamper(self, answer: SimAnswer) -> SimAnswer:
        """Return `answer` with another amount in it, as a provider that moved a wrong amount would answer."""

    def failure(self, status: int, request: SimRequest) -> SimAnswer:
        """Return this provider's answer for an error status; its body is empty unless a subclass has one."""
        del request
        return SimAnswer(status=status)


def seeded_ids(seed: int) -> IdSource:
    """Return a source of version-4 UUIDs that is the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret: nothing is guarded by these ids
    return lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4))
