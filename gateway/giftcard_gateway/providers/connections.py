"""The configured providers: each with its adapter, its terms, and its health as this process sees it.

A connection counts work in flight and guards the circuit; it decides nothing about money.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec

from giftcard_adapters.bounds import PauseSeconds, Places, SpanSeconds, WaitSeconds
from giftcard_adapters.contract import has, traits_of
from giftcard_adapters.errors import BrokenOff, NoAnswer, NotSent, Refused, TimedOut
from giftcard_adapters.lenient import noticing
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.traits import Guarantee, OperationTraits
from giftcard_gateway.errors import (
    OperationUnsupported,
    Overloaded,
    ProviderNotFound,
    ProviderPaused,
    ProviderUnreachable,
)
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT
from giftcard_gateway.providers.circuit import Circuit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from giftcard_adapters.contract import Provider
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.providers.pause import ProviderPause

PROVIDER_ID = r"^[a-z][a-z0-9-]{0,62}\Z"
"""What a provider's id looks like."""

_ANSWERED = (Refused, NoAnswer)
_SILENT = (NotSent, TimedOut, BrokenOff)
_LEAST_SETTLING_S = 60.0
_TIMEOUTS_TO_SETTLE = 2.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator decided about one provider; durations in seconds."""

    confirm_by_s: SpanSeconds = 900.0
    confirm_by_operation_s: dict[Operation, SpanSeconds] = {}
    confirm_grace_s: Annotated[float, msgspec.Meta(ge=0, le=864000)] = 300.0
    """How long callers at least have to decide once an outage has ended that kept them from it (rule 10)."""
    confirms_when_overdue: bool = False
    """Whether a transaction past `confirm_by` is confirmed instead of reversed (rule 10)."""
    retry_base_s: PauseSeconds = 1.0
    retry_cap_s: PauseSeconds = 300.0
    max_in_flight: Places = 256
    advice_concurrency: Places = 8
    circuit_threshold: Places = 10
    circuit_cooldown_s: PauseSeconds = 5.0
    settling_s: PauseSeconds | None = None
    """How long after its last byte left a request may still arrive at the provider; by default what the
    adapter declares, else twice its `timeout_s` and at least a minute (rule 8)."""
    lease_margin_s: WaitSeconds = 15.0
    """What a driver may need besides the exchange itself: two durable writes, a slow disk, a failover. What a
    dead replica held is taken over once the adapter's `timeout_s` and this are gone."""


class Connection:
    """One configured provider."""

    def __init__(
        self,
        provider_id: str,
        provider: Provider,
        terms: Terms,
        clock: Clock,
        *,
        is_enabled: bool = True,
        display_name: str = "",
        tenant: str = DEFAULT_TENANT,
    ) -> None:
        """Start with a closed circuit and nothing in flight."""
        self.provider_id = provider_id
        self.display_name = display_name or provider_id
        self.provider = provider
        self.terms = terms
        self.is_enabled = is_enabled
        self.pause: ProviderPause | None = None
        """Since when and why nothing new goes to it; `pauses` keeps it as the journal has it."""
        self.tenant = tenant
        """Whose the account is as a whole: its reports, its vault, and events of no known transaction."""
        self.circuit = self._new_circuit(clock)
        """Whether money requests and advices may go out."""
        self.reads_circuit = self._new_circuit(clock)
        """Whether reads may: what fails for them says nothing of requests, nor the other way round."""
        self._money, self._reads = Lane(self.circuit, clock), Lane(self.reads_circuit, clock)
        self.advice_slots = asyncio.Semaphore(terms.advice_concurrency)
        self.on_left_out: Callable[[str, str], None] = _ignore
        """Called with our id and a place in an answer to a read that could not be read (rule 19)."""
        self.lease = timedelta(seconds=provider.settings.timeout_s + terms.lease_margin_s)
        """How long one exchange may take before another process may take the transaction over."""

    def follow(self, other: Connection) -> None:
        """Take another's place: what is still under way there counts here too."""
        for own, before in zip(self.lanes, other.lanes, strict=True):
            own.follow(before)
        self.on_left_out, self.pause = other.on_left_out, other.pause
        if self.terms.advice_concurrency == other.terms.advice_concurrency:
            self.advice_slots = other.advice_slots

    def _new_circuit(self, clock: Clock) -> Circuit:
        terms = self.terms
        return Circuit(threshold=terms.circuit_threshold, cooldown_s=terms.circuit_cooldown_s, now=clock.now)

    @property
    def sweep_slots(self) -> int:
        """Return how many overdue transactions of this provider are worked on at once.

        A quarter of what may be delivered at once is left to callers' own confirmations and reversals.
        """
        slots = self.terms.advice_concurrency
        return max(1, slots - slots // 4)

    def traits(self, operation: Operation) -> OperationTraits:
        """Return how the provider does `operation`; raise OperationUnsupported when it does not."""
        declared = traits_of(self.provider, operation)
        if declared is None:
            raise OperationUnsupported(provider=self.provider_id, operation=operation.value)
        return declared

    def retry_wait(self, attempts: int, fraction: float, *, least_s: float) -> timedelta:
        """Return how long to wait after so many tries: exponential backoff, of which chance takes `fraction`.

        No shorter than the circuit breaker stays open, or than the provider asked for; that within the cap.
        """
        ceiling_s = min(self.terms.retry_cap_s, self.terms.retry_base_s * 2 ** min(attempts, 30))
        asked_s = min(least_s, self.terms.retry_cap_s)
        return timedelta(seconds=max(ceiling_s * fraction, self.circuit.wait_s, asked_s))

    def settling(self, operation: Operation) -> timedelta:
        """Return how long after its last byte left a request of `operation` may still arrive (rule 8)."""
        told = self.terms.settling_s
        declared = self.traits(operation).settling_s if told is None else told
        usual = max(_LEAST_SETTLING_S, _TIMEOUTS_TO_SETTLE * self.provider.settings.timeout_s)
        return timedelta(seconds=usual if declared is None else declared)

    def demand(self, method: str) -> None:
        """Raise OperationUnsupported unless the provider has this read or vault call."""
        if not has(self.provider, method):
            raise OperationUnsupported(provider=self.provider_id, operation=method)

    def confirm_by(self, operation: Operation, at: datetime) -> datetime:
        """Return when a transaction approved at `at` must have been decided."""
        return at + timedelta(seconds=self.confirm_within_s(operation))

    def confirm_within_s(self, operation: Operation) -> float:
        """Return how many seconds a caller has to decide after an approval."""
        return self.terms.confirm_by_operation_s.get(operation, self.terms.confirm_by_s)

    def confirms_when_overdue(self, operation: Operation) -> bool:
        """Tell whether an overdue transaction is confirmed rather than reversed (rule 10)."""
        return self.terms.confirms_when_overdue or self.traits(operation).guarantee is Guarantee.NONE

    @property
    def takes_requests(self) -> bool:
        """Tell whether its operator wants requests to go there: neither switched off nor paused."""
        return self.is_enabled and self.pause is None

    def admit(self) -> None:
        """Raise, before anything is written, when a new request should not go out now."""
        if self.pause is not None:
            raise ProviderPaused(provider=self.provider_id)
        self._admit(self._money)

    def admit_read(self) -> None:
        """Raise when a read should not go out now."""
        self._admit(self._reads)

    def _admit(self, lane: Lane) -> None:
        if not self.is_enabled:
            raise ProviderUnreachable(
                "The operator has switched this provider off.", provider=self.provider_id
            )
        if lane.in_flight >= self.terms.max_in_flight:
            raise Overloaded(cause="provider", provider=self.provider_id)
        if not lane.circuit.admits():
            refusal = ProviderUnreachable(provider=self.provider_id)
            refusal.retry_after_s = max(lane.circuit.wait_s, 0.1)
            raise refusal

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        """Return the lanes of money and of reads."""
        return self._money, self._reads

    def exchange(self) -> Lane:
        """Return what surrounds one money exchange: it is counted, and its circuit hears how it ended."""
        return self._money

    @contextmanager
    def read(self) -> Iterator[None]:
        """Count one read in flight and tell the reads' own circuit how it ended."""
        with self._reads, noticing(partial(self.on_left_out, self.provider_id)):
            yield

    @property
    def in_flight(self) -> int:
        """Return how many requests and advices are under way."""
        return self._money.in_flight

    @property
    def reads_in_flight(self) -> int:
        """Return how many reads are under way."""
        return self._reads.in_flight

    @property
    def last_answer_at(self) -> datetime | None:
        """Return when the provider last answered anything."""
        told = [lane.last_answer_at for lane in (self._money, self._reads) if lane.last_answer_at]
        return max(told, default=None)


class Lane:
    """Money exchanges with one provider, or reads: how many are in flight, and how they end.

    One context for all of a kind, entered by each.
    """

    def __init__(self, circuit: Circuit, clock: Clock) -> None:
        """Start with nothing in flight."""
        self.circuit = circuit
        self.inside = 0
        """How many are under way here, and in none that it follows."""
        self.before: tuple[Lane, ...] = ()
        """Lanes that this one follows and that are not empty yet."""
        self.last_answer_at: datetime | None = None
        self._clock = clock

    def follow(self, other: Lane) -> None:
        """Count also what is under way in another lane, until it has ended there."""
        self.before = tuple(one for one in (other, *other.before) if one.inside)
        self.last_answer_at = other.last_answer_at

    @property
    def in_flight(self) -> int:
        """Return how many are under way, here and in the lanes that this one follows."""
        if not self.before:
            return self.inside
        return self.inside + sum(one.inside for one in self.before)

    def __enter__(self) -> None:
        """Count an exchange that begins."""
        self.inside += 1
        self.circuit.began()

    def __exit__(self, kind: type[BaseException] | None, fault: object, trace: object) -> None:
        """Count one that ended, and tell the circuit how."""
        self.inside -= 1
        if kind is not None and issubclass(kind, _SILENT):
            self.circuit.failed()
        elif kind is None or issubclass(kind, _ANSWERED):
            # Whatever the answer says, somebody is there who gives one.
            self.circuit.succeeded()
            self.last_answer_at = self._clock.now()
        else:
            # A read whose caller left, or a fault of ours, says nothing of the provider.
            self.circuit.abandoned()


def _ignore(_provider_id: str, _place: str) -> None:
    """Do nothing: the callback until a pipeline sets its own."""


class Connections:
    """All configured providers, by id."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        """Index the connections by id."""
        self._by_id = {connection.provider_id: connection for connection in connections}

    def renew(self, connections: Iterable[Connection]) -> None:
        """Have these in place of those from now on; who holds one of those goes on with it to its end."""
        self._by_id = {connection.provider_id: connection for connection in connections}

    def __contains__(self, provider_id: str) -> bool:
        """Tell whether one has this id."""
        return provider_id in self._by_id

    def __iter__(self) -> Iterator[Connection]:
        """Iterate in the order of the configuration."""
        return iter(self._by_id.values())

    def get(self, provider_id: str) -> Connection:
        """Return one; raise ProviderNotFound when none has this id.

        The error repeats the id only if it could be one: callers have put card numbers here.
        """
        # Not by a KeyError, which would carry the id as the caller wrote it.
        if (found := self._by_id.get(provider_id)) is None:
            raise ProviderNotFound(provider=provider_id if re.fullmatch(PROVIDER_ID, provider_id) else "")
        return found

    def owner(self, provider_id: str) -> str:
        """Return the tenant whose a provider's account is; empty for one that is configured no more."""
        connection = self._by_id.get(provider_id)
        return connection.tenant if connection else ""
