"""What an adapter's author gives the suite: adapter, stanza, simulator, and samples of its operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from giftcard_adapters.contract import Provider
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.secret import Secret
from giftcard_simulators.sandbox import IdSource, Simulator, TimeSource


class NotConforming(AssertionError):
    """An adapter breaks its contract; the text says how, and what to write."""


def demand(fact: object, sentence: str) -> None:
    """Raise NotConforming with `sentence` unless `fact` holds."""
    if not fact:
        raise NotConforming(sentence)


class MakesSimulator(Protocol):
    """Makes a fresh simulator; a Simulator subclass with the usual arguments is one."""

    def __call__(self, *, now: TimeSource, ids: IdSource) -> Simulator:
        """Return the simulator with its opening books."""


Asking = AnyOperation | Callable[[Provider], Awaitable[AnyOperation]]
"""An operation, or what makes one after preparing the provider; its id and time are replaced."""

Arguments = Mapping[str, object] | Callable[[Provider], Awaitable[Mapping[str, object]]]
"""A read's arguments by name, or what makes them after preparing the provider."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One money operation, once as the simulator approves it and once as it declines it."""

    approved: Asking
    declined: Asking
    reason: DeclineReason
    """The reason it is declined for."""
    path: str = ""
    """A regular expression for the path of the call that moves money, where there are others too."""
    tells_amount: bool = True
    """Whether the provider's answer names an amount, so that a wrong one can be seen."""
    can_be_found: bool = True
    """Whether a request without any answer can be found again; where it cannot, a person decides."""


class ReadSample(msgspec.Struct, frozen=True, kw_only=True):
    """One read, as the simulator answers it, and as it refuses it where it can."""

    arguments: Arguments = msgspec.field(default_factory=dict)
    refused: Arguments | None = None
    reason: DeclineReason | None = None
    """The reason it is refused for; `balances` refuses per item."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One adapter under test.

    `stanza` has only the keys an operator must write, with a `base_url` whose path is the simulator's.
    `guarantees` is the adapter's row of the capability table: `N`, `C` or `1` by operation. `reads` is
    the rest of the row: a sample for each method of `contract.READS` that the adapter has, except
    `read_webhook`, which goldens cover.
    """

    name: str
    adapter: type[Provider]
    stanza: Mapping[str, object]
    simulator: MakesSimulator
    guarantees: Mapping[Operation, str]
    samples: Mapping[Operation, Sample]
    reads: Mapping[str, ReadSample] = msgspec.field(default_factory=dict)
    has_webhooks: bool = False
    fitting: Mapping[str, Sequence[object]] = msgspec.field(default_factory=dict)
    """Two or more values a field can have, by its name or path, where only some words are taken."""


def secrets_of(value: object) -> Iterator[Secret]:
    """Give every secret inside a value, however deep."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from secrets_of(getattr(value, field))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from secrets_of(inner)
