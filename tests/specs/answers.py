"""What becomes of each leaf of a provider's answer: found by answers that differ in that leaf alone.

The leaves are read off the wire format, the answers are the simulator's, and what is compared is what a
caller of the gateway is told. `python -m tests.specs.answers electrum` prints where each one goes.
"""

# ruff: noqa: ANN401 - answers of adapters and messages are of every type
from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import msgspec
from google.protobuf.message import Message

from giftcard_adapters.contract import traits_of
from giftcard_adapters.errors import AdapterError, Refused
from giftcard_adapters.values.advices import Acknowledgement, AdviceKind
from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.declines import Decline
from giftcard_adapters.values.operations import AnyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.reads import (
    AccountsExtract,
    CardView,
    Offer,
    OfferSync,
    StoredCard,
    StoredCardPage,
    Template,
    TicketStatistics,
)
from giftcard_adapters.values.traits import Guarantee
from giftcard_conformance import Sample, Subject, World
from giftcard_conformance.fate import covers
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.wire import cards, reports
from giftcard_gateway.wire.transactions import transaction_to
from giftcard_simulators.sandbox import SimRequest
from giftcard_simulators.transport import SimulatorTransport
from tests.conformance.descriptors import SUBJECTS
from tests.specs.formats import wire_format
from tests.specs.schemas import Schema, Way, placed, present
from tests.specs.validating import WireFormat

_AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
_UNREAD = frozenset({"download_export"})
"""Reads whose answer is a file's bytes."""

Ask = Callable[[World], Awaitable[Any]]
"""Makes one call in a world, and returns what a caller is told, as plain data."""
Edit = Callable[[str, Any], Any]
"""Returns what is answered in place of an answer, given the provider's operation."""
Answered = dict[str, tuple[Schema, Any]]
"""The last good answer of each of the provider's operations, and its schema."""
Make = Callable[[Edit], Awaitable[tuple[Any, Answered]]]
"""Makes one call with answers edited; returns what is told, and what the answers were."""


class Edited(httpx.AsyncBaseTransport):
    """Passes on what a simulator answers, edited; keeps the last good answer of each operation as it was."""

    def __init__(self, inner: httpx.AsyncBaseTransport, reader: WireFormat, edit: Edit) -> None:
        """Keep what answers, what knows the operations, and the editor."""
        self._inner, self._reader, self._edit = inner, reader, edit
        self.answered: Answered = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one exchange."""
        answer = await self._inner.handle_async_request(request)
        body = await answer.aread()
        asked = SimRequest(
            method=request.method,
            path=request.url.raw_path.partition(b"?")[0].decode("ascii"),
            query=request.url.query.decode("ascii"),
            headers={},
            body=b"",
        )
        name, schema = self._reader.name_of(asked), self._reader.answer_schema(asked, answer.status_code)
        if schema is None or not body:
            return answer
        plain = json.loads(body)
        self.answered[name] = schema, plain
        edited = json.dumps(self._edit(name, plain)).encode()
        headers = {"content-type": "application/json", "content-length": str(len(edited))}
        return httpx.Response(answer.status_code, headers=headers, content=edited)


class Told(msgspec.Struct, frozen=True):
    """One leaf of an answer, and the places in ours that tell it; none where it is lost."""

    operation: str
    way: Way
    places: tuple[str, ...]

    @property
    def path(self) -> str:
        """The leaf as `leaves_out_of_answers` names it: lists have no mark."""
        return ".".join((self.operation, *(step for step in self.way if step != "[]")))


async def leaves_told(subject: Subject) -> list[Told]:
    """Return what becomes of every leaf of every answer this adapter reads."""
    reader = wire_format(subject.name, subject.stanza)
    found: dict[tuple[str, Way], set[str]] = {}
    for ask in _asks(subject):
        make = partial(_made, subject, reader, ask)
        _, answered = await make(lambda _, plain: plain)
        for operation, (schema, plain) in answered.items():
            values = {way: leaf.values(present(plain, way)) for way, leaf in schema.leaves()}
            for way in values:
                found.setdefault((operation, way), set())
            open_ways = [way for way in values if not found[operation, way]]
            for ways in _together(subject, operation, open_ways):
                changes = {way: values[way] for way in ways}
                if len(ways) > 1 and not await _places(make, operation, schema, changes):
                    continue
                for way in ways:
                    found[operation, way] |= await _places(make, operation, schema, {way: values[way]})
    return [Told(operation, way, tuple(sorted(places))) for (operation, way), places in found.items()]


def _together(subject: Subject, operation: str, ways: Sequence[Way]) -> list[list[Way]]:
    """Group leaves that are said to be left out by the first entry that says so; the others are alone.

    If all of a group can change and nothing told does, none of them is told.
    """
    groups: dict[object, list[Way]] = {}
    for way in ways:
        path = Told(operation, way, ()).path
        entries = (entry for entry in subject.adapter.leaves_out_of_answers if covers(entry, path))
        groups.setdefault(next(entries, way), []).append(way)
    return list(groups.values())


def faults(subject: Subject, told: Sequence[Told]) -> list[str]:
    """Say which leaves are lost, and which entries of `leaves_out_of_answers` are not true."""
    adapter, entries = subject.adapter.__name__, subject.adapter.leaves_out_of_answers
    lost = [
        f"{one.path} is lost: tell it, or say in {adapter}.leaves_out_of_answers why not"
        for one in told
        if not one.places and not any(covers(entry, one.path) for entry in entries)
    ]
    untrue = [
        f"{one.path} stands in {adapter}.leaves_out_of_answers as {entry!r} and is told: {one.places}"
        for one in told
        for entry in entries
        if one.places and covers(entry, one.path)
    ]
    idle = [
        f"{entry!r} in {adapter}.leaves_out_of_answers names no leaf of an answer"
        for entry in entries
        if not any(covers(entry, one.path) for one in told)
    ]
    return [*lost, *untrue, *idle]


async def _made(subject: Subject, reader: WireFormat, ask: Ask, edit: Edit) -> tuple[Any, Answered]:
    world = World(subject)
    wire = Edited(SimulatorTransport(world.simulator, world.script), reader, edit)
    world.connect(wire)
    try:
        told = await ask(world)
    except Refused as refusal:
        told = {"decline": msgspec.to_builtins(refusal.decline)}
    except AdapterError as fault:
        told = {"error": str(fault)}
    return told, wire.answered


async def _places(
    make: Make, operation: str, schema: Schema, changes: Mapping[Way, Sequence[object]]
) -> set[str]:
    """Return the places of what is told that differ when leaves take one value after another."""
    first: Any = None
    for n in range(max(map(len, changes.values()), default=0)):

        def edit(name: str, plain: Any, n: int = n) -> Any:
            for way, values in changes.items() if name == operation else ():
                if values:
                    plain = placed(plain, schema, way, values[n % len(values)])
            return plain

        told, _ = await make(edit)
        if n == 0:
            first = told
        elif differing := set(_differing(first, told)):
            return differing
    return set()


def _differing(ours: Any, theirs: Any, place: str = "") -> list[str]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return [
            found
            for name in dict.fromkeys((*ours, *theirs))
            for found in _differing(ours.get(name), theirs.get(name), f"{place}.{name}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = zip(ours, theirs, strict=True)
        return [found for one, other in pairs for found in _differing(one, other, place)]
    return [] if ours == theirs else [place.removeprefix(".") or "all of it"]


def _asks(subject: Subject) -> Iterator[Ask]:
    for operation, sample in subject.samples.items():
        yield _money(sample)
        traits = traits_of(subject.adapter, operation)
        if traits is not None and traits.guarantee is Guarantee.NATIVE:
            yield _advice(operation, sample, AdviceKind.CONFIRMATION)
        if traits is not None and traits.guarantee in {Guarantee.NATIVE, Guarantee.COMPENSATED}:
            yield _advice(operation, sample, AdviceKind.REVERSAL)
    # A lookup tells everything, a balance little of the same answer.
    for method in sorted(subject.reads, key=lambda name: name == "balances"):
        if method not in _UNREAD:
            yield _read(subject, method)


def _money(sample: Sample) -> Ask:
    async def ask(world: World) -> Any:
        asked = await world.ask(sample.approved)
        first = await world.request(asked)
        # An issue that is accepted, and not done, is looked for.
        is_open = first.verdict is Verdict.UNKNOWN
        last = await world.found(asked, first) if is_open else first
        return [_transaction(asked, outcome) for outcome in (first, last)]

    return ask


def _advice(operation: Operation, sample: Sample, kind: AdviceKind) -> Ask:
    async def ask(world: World) -> Any:
        asked, outcome = await world.approved(sample.approved)
        advice = world.advice(kind)
        write = world.provider.reversal if kind is AdviceKind.REVERSAL else world.provider.confirmation
        told = Acknowledgement.__struct_fields__
        receipts = [
            await world.provider.deliver(call, advice, age_s=0.0) for call in write(asked, outcome, advice)
        ]
        return [{name: msgspec.to_builtins(getattr(one, name)) for name in told} for one in receipts]

    ask.__name__ = f"{operation} {kind}"
    return ask


def _read(subject: Subject, method: str) -> Ask:
    async def ask(world: World) -> Any:
        arguments = await world.arguments(subject.reads[method].arguments)
        return _plain(await world.read(method, arguments), method)

    return ask


def _transaction(ask: AnyOperation, outcome: Outcome) -> Any:
    states = {
        Verdict.APPROVED: State.APPROVED,
        Verdict.DECLINED: State.DECLINED,
        Verdict.FAILED: State.FAILED,
    }
    entry = Entry(
        transaction_id=ask.transaction_id,
        operation=ask.operation,
        state=states.get(outcome.verdict, State.UNRESOLVED),
        created_at=_AT,
        updated_at=_AT,
        provider="first",
        ask=ask,
        outcome=outcome,
        evidence=outcome.evidence,
    )
    return _as_plain(transaction_to(entry, reveal=True))


def _plain(result: Any, method: str) -> Any:
    if isinstance(result, list | tuple):
        return [_plain(one, method) for one in result]
    if isinstance(result, CardView) and method == "balances":
        return _as_plain(cards.card_balance_to(result, provider="first", read_at=_AT))
    if isinstance(result, AccountsExtract):
        return {
            "accounts": [_as_plain(reports.account_to(one)) for one in result.accounts],
            "export_id": result.export_id,
            "is_ready": result.is_ready,
        }
    if isinstance(result, OfferSync):
        counts = {name: getattr(result, name) for name in ("created", "updated", "removed")}
        return {**counts, "offers": [_as_plain(reports.offer_to(one)) for one in result.offers]}
    write = _WRITERS.get(type(result))
    return _as_plain(write(result)) if write else msgspec.to_builtins(result)


_WRITERS: Mapping[type, Callable[[Any], Message]] = {
    CardView: lambda view: cards.view_to(view, provider="first", asked=CardRef()),
    Decline: cards.decline_to,
    Offer: reports.offer_to,
    StoredCard: lambda card: cards.stored_to(card, provider="first"),
    StoredCardPage: lambda page: cards.stored_page_to(page, provider="first"),
    Template: reports.template_to,
    TicketStatistics: reports.tickets_to,
}


def _as_plain(message: Message) -> Any:
    """Return a message as dicts, lists and texts, under the contract's names."""
    plain: dict[str, Any] = {}
    for field, value in message.ListFields():
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            plain[field.name] = {key: str(value[key]) for key in value}
        elif field.is_repeated:
            plain[field.name] = [_as_plain(one) if isinstance(one, Message) else one for one in value]
        else:
            is_ours = isinstance(value, Message) and value.DESCRIPTOR.file.package == "giftcard.v1"
            plain[field.name] = _as_plain(value) if is_ours else str(value)
    return plain


async def _main(name: str) -> int:
    told = await leaves_told(SUBJECTS[name])
    sys.stdout.writelines(f"{one.path}: {', '.join(one.places) or 'left out'}\n" for one in told)
    sys.stdout.writelines(f"{fault}\n" for fault in faults(SUBJECTS[name], told))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1])))
