"""What callers may ask of a transaction: begin it, confirm it, reverse it, read it, and end it by hand.

Each is a decision written down before it is acted on; acting is the driver's. Nothing here knows
gRPC or a database, and a caller's `wait_s` bounds only how long it hears, never the work (rule 6). `by` is
who asks; what they may not touch is not there for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_adapters.values.advices import NO_WORDS
from giftcard_adapters.values.operations import Activate
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Guarantee
from giftcard_gateway.errors import (
    GatewayError,
    JournalUnavailable,
    OperationUnsupported,
    PartialUnsupported,
    ProviderUnreachable,
    ReversalUnsupported,
    TransactionIdReused,
    TransactionNotFound,
    TransactionReversed,
)
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.journal.records import InDoubt
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.ledger.amounts import part_to_confirm, part_to_reverse
from giftcard_gateway.ledger.entry import UNSETTLED, Entry, State, WantedReversal
from giftcard_gateway.ledger.erasing import without_pins
from giftcard_gateway.ledger.idempotency import first_difference, must_repeat, must_repeat_words, must_want
from giftcard_gateway.pipeline import endings
from giftcard_gateway.pipeline.refusals import conflict, must_be, must_touch, said_of, told
from giftcard_gateway.pipeline.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import timedelta

    from giftcard_adapters.values.advices import AdviceWords, ReversalReason
    from giftcard_adapters.values.money import Money
    from giftcard_adapters.values.operations import AnyOperation, Operation
    from giftcard_adapters.values.point_of_sale import Tender
    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.driver import Driver
    from giftcard_gateway.providers.connections import Connection, Connections
    from giftcard_gateway.providers.routing import Router

_Result = TypeVar("_Result")

_NOT_SENT = Outcome(
    verdict=Verdict.FAILED,
    evidence="the journal went away before it could say that this was written down; nothing was sent",
)
Admit = Callable[[str], Awaitable[None]]
"""Hears which provider would be asked, and raises a GatewayError to refuse."""


class Begun(msgspec.Struct, frozen=True):
    """A transaction as it stands, and whether it was recorded before this call."""

    entry: Entry
    is_replayed: bool


class Transactions:
    """What callers may do with transactions: begin, confirm, reverse, resolve."""

    def __init__(
        self,
        *,
        records: Records,
        connections: Connections,
        router: Router,
        driver: Driver,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Keep the parts that every call needs."""
        self.reviews_within: timedelta | None = None
        """How long an end by hand waits for another identity's approval; None where it needs none."""
        self._records = records
        self._connections = connections
        self._router = router
        self._driver = driver
        self._clock = clock
        self._observer = observer
        self._waiting = Waiting(records, connections, driver)

    async def begin(
        self, ask: AnyOperation, *, wait_s: float, by: Identity, admit: Admit | None = None
    ) -> Begun:
        """Write `ask` down, send it, and return what came of it; a repeat returns what is recorded.

        `admit` hears which provider would be asked, and may refuse by raising a GatewayError.

        Raises before anything is written when it cannot be served: InvalidRequest, NoRoute,
        CrossProvider, OutOfReach, OperationUnsupported, Overloaded, ProviderUnreachable, JournalUnavailable;
        and TransactionIdReused or TransactionReversed when the id is taken.
        """
        by.demand_ask(ask)
        try:
            connection = self._admit(ask, by)
            if admit is not None:
                await admit(connection.provider_id)
        except GatewayError:
            recorded = await self._find(ask.transaction_id, by)
            if recorded is None:
                raise
            return await self._replay(recorded, ask, wait_s, by)
        entry = lifecycle.intend(
            ask,
            connection.provider_id,
            driver=self._driver.name,
            lease_until=ask.requested_at + connection.lease,
            traceparent=self._observer.traceparent(),
            tenant=by.tenant,
            asked_by=by.signature,
            actor=by.name,
        )
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        opened, task = self._driver.begin(entry, self._open)
        await self._waiting.through(task, wait_s)
        if not opened.done():
            # Whether it is new or a repeat is known only now, however little time the caller has.
            await asyncio.wait({opened})
        if (recorded := opened.result()) is not None:
            return await self._replay(recorded, ask, until - loop.time(), by)
        entry = await self._waiting.after(task, entry)
        if entry.state is State.PENDING:
            entry = await self._waiting.settled(entry, until - loop.time())
        return Begun(entry, is_replayed=False)

    async def confirm(
        self,
        operation: Operation,
        transaction_id: str,
        *,
        amount: Money | None = None,
        tenders: tuple[Tender, ...] = (),
        words: AdviceWords = NO_WORDS,
        wait_s: float,
        by: Identity,
    ) -> Entry:
        """Promise that an approved transaction is final, for `amount` if that is less than approved.

        Raises TransactionNotFound, StateConflict, TransactionReversed, PartialUnsupported or
        InvalidRequest; repeating it is harmless.
        """
        entry = await self._known(operation, transaction_id, by)
        if entry.state is State.PENDING:
            entry = await self._waiting.settled(entry, wait_s)
        while True:
            if entry.state in {State.CONFIRMING, State.CONFIRMED}:
                must_repeat(entry, amount, "final_amount")
                must_repeat_words(entry, words, tenders)
                return await self._waiting.settled(entry, wait_s)
            if entry.state is not State.APPROVED:
                raise conflict(entry)
            connection = self._connections.get(entry.provider)
            amount = part_to_confirm(entry, amount, connection.traits(operation))
            try:
                promised = self._driver.promises.confirmed(
                    connection, entry, amount=amount, tenders=tenders, words=words, actor=by.name
                )
            except (Invalid, Unsupported) as fault:
                raise told(fault, PartialUnsupported, connection, operation) from None
            if (written := await self._write(entry, promised)) is not None:
                return await self._waiting.settled(written, wait_s)
            entry = await self._known(operation, transaction_id, by)

    async def reverse(
        self,
        operation: Operation,
        transaction_id: str,
        *,
        reason: ReversalReason,
        amount: Money | None = None,
        words: AdviceWords = NO_WORDS,
        wait_s: float,
        by: Identity,
    ) -> Entry:
        """Promise that a transaction is undone, wholly or by `amount`, known or not (rules 7 and 9).

        A declined or failed transaction moved nothing and is returned as it is. Raises StateConflict
        once confirmed, TransactionNotFound where it is out of reach, OutOfReach, ReversalUnsupported,
        PartialUnsupported or InvalidRequest.
        """
        wanted = WantedReversal(reason=reason, amount=amount, actor=by.name, **words.words())
        while True:
            entry = await self._find(transaction_id, by)
            if entry is None:
                by.demand_operation(operation)
                tombstone = lifecycle.bury(
                    transaction_id, operation, wanted, self._clock.now(), tenant=by.tenant
                )
                if await self._open(tombstone) is None:
                    return tombstone
                continue
            must_touch(by, entry)
            must_be(entry, operation)
            if entry.state in {State.REVERSING, State.REVERSED}:
                if entry.outcome is not None and entry.outcome.approved is not None:
                    must_repeat(entry, amount, "amount")
                must_repeat_words(entry, words)
            elif entry.wanted_reversal is not None:
                must_want(entry, entry.wanted_reversal, amount)
            elif entry.state in {State.PENDING, State.APPROVED}:
                entry_after = await self._write(entry, self._reversal(entry, wanted))
                if entry_after is None:
                    continue
                entry = entry_after
            elif entry.state not in {State.DECLINED, State.FAILED}:
                raise conflict(entry)
            return await self._waiting.settled(entry, wait_s)

    async def get(self, transaction_id: str, *, wait_s: float = 0, by: Identity) -> Entry:
        """Return a transaction; wait up to `wait_s` for one that is still finding something out."""
        entry = await self._find(transaction_id, by)
        if entry is None:
            raise TransactionNotFound(transaction_id=transaction_id)
        must_touch(by, entry)
        return await self._waiting.settled(entry, wait_s, is_promise_enough=False)

    async def resolve(self, transaction_id: str, *, state: State, note: str, by: Identity) -> Entry:
        """End an UNRESOLVED transaction as CONFIRMED or REVERSED, as a person found out.

        Where a second person is wanted it stays UNRESOLVED and is asked for. Repeating the same decision is
        harmless; raises StateConflict for any other state, and where another end was asked for.
        """
        while True:
            entry = await self.get(transaction_id, by=by)
            after = endings.resolved(entry, state, note, by, at=self._clock.now(), waits=self.reviews_within)
            if after is entry:
                return entry
            if (written := await self._write(entry, after)) is not None:
                return written

    async def review(
        self, transaction_id: str, *, state: State, approves: bool, note: str, by: Identity
    ) -> Entry:
        """Approve or refuse, as a second person, the end as `state` that another identity asked for.

        Raises StateConflict where nobody asked for it, it has expired, or this identity asked itself.
        """
        while True:
            entry = await self.get(transaction_id, by=by)
            if approves and entry.state is state:
                return entry
            after = endings.reviewed(entry, state, note, by, at=self._clock.now(), approves=approves)
            if (written := await self._write(entry, after)) is not None:
                return written

    async def redeliver(self, transaction_id: str, *, wait_s: float, by: Identity, note: str = "") -> Entry:
        """Try at once what a transaction still owes, instead of when its backoff ends.

        One that is UNRESOLVED is tried again: what it promised is owed anew, or its outcome looked for anew.
        Raises StateConflict when it owes nothing, or its provider cannot be asked.
        """
        while True:
            entry = await self.get(transaction_id, by=by)
            if entry.state is State.UNRESOLVED:
                after = self._again(entry, by, note)
            elif entry.state not in UNSETTLED:
                raise conflict(entry, f"This transaction owes its provider nothing: it {said_of(entry)}")
            elif entry.driver:
                return await self._waiting.settled(entry, wait_s)
            else:
                at = self._clock.now()
                after = lifecycle.hurry(entry, at)
                if note:
                    after = lifecycle.remark(
                        after, at, lifecycle.noted("an operator hurried it", note), by.name
                    )
            if (written := await self._write(entry, after)) is not None:
                return await self._waiting.settled(written, wait_s)

    def release(self) -> None:
        """Answer every waiting caller with the present state, because this process is about to stop."""
        self._waiting.release()

    def _admit(self, ask: AnyOperation, by: Identity) -> Connection:
        """Return the provider that takes `ask` now; refuse before anything is written."""
        route = self._router.route(ask)
        connection = self._able(route.provider, ask, by)
        try:
            connection.admit()
        except ProviderUnreachable:
            # Nothing was sent, so a new card may as well come from the provider that stands in.
            if not route.failover:
                raise
            connection = self._able(route.failover, ask, by)
            connection.admit()
        return connection

    def _able(self, provider_id: str, ask: AnyOperation, by: Identity) -> Connection:
        connection = self._connections.get(provider_id)
        by.demand_provider(connection.provider_id)
        by.demand_cards(connection, ask.cards, store=isinstance(ask, Activate) and ask.store)
        connection.traits(ask.operation)
        try:
            connection.provider.check(ask)
        except (Invalid, Unsupported) as fault:
            raise told(fault, OperationUnsupported, connection, ask.operation) from None
        return connection

    def _reversal(self, entry: Entry, wanted: WantedReversal) -> Entry:
        """Return `entry` with a reversal promised now, or wanted until its outcome is known."""
        connection = self._connections.get(entry.provider)
        traits = connection.traits(entry.operation)
        if traits.guarantee is Guarantee.NONE:
            raise ReversalUnsupported(provider=entry.provider, operation=entry.operation.value)
        wanted = msgspec.structs.replace(wanted, amount=part_to_reverse(entry, wanted.amount, traits))
        if entry.state is State.PENDING:
            return lifecycle.want_reversal(entry, wanted, self._clock.now())
        try:
            return self._driver.promises.reversed(connection, entry, wanted)
        except (Invalid, Unsupported) as fault:
            raise told(fault, ReversalUnsupported, connection, entry.operation) from None

    def _again(self, entry: Entry, by: Identity, note: str) -> Entry:
        """Return an UNRESOLVED `entry` as it is tried again; raise StateConflict where it cannot be."""
        connection = self._connections.get(entry.provider)
        if entry.advice is None and not lifecycle.can_be_sought(connection.traits(entry.operation)):
            raise conflict(
                entry, f"Its provider cannot be asked what became of this transaction: it {said_of(entry)}"
            )
        if len(entry.changes) >= lifecycle.MOST_CHANGES:
            raise conflict(entry, f"This transaction was tried again often enough: it {said_of(entry)}")
        try:
            return self._driver.promises.tried_again(connection, entry, by.name, note)
        except (Invalid, Unsupported) as fault:
            raise told(fault, OperationUnsupported, connection, entry.operation) from None

    async def _replay(self, recorded: Entry, ask: AnyOperation, wait_s: float, by: Identity) -> Begun:
        must_touch(by, recorded)
        if recorded.ask is None:
            raise TransactionReversed(transaction_id=recorded.callers_id, state=recorded.state.value)
        under_key = msgspec.structs.replace(ask, transaction_id=recorded.transaction_id)
        if recorded.are_pins_erased:
            under_key = without_pins(under_key)
        if recorded.numbers_erased_at is not None:
            under_key = self._records.as_kept(under_key, recorded.ask)
        difference = first_difference(recorded.ask, under_key)
        if difference is not None:
            raise TransactionIdReused(field=difference, transaction_id=recorded.callers_id)
        return Begun(await self._waiting.settled(recorded, wait_s), is_replayed=True)

    async def _known(self, operation: Operation, transaction_id: str, by: Identity) -> Entry:
        entry = await self._find(transaction_id, by)
        if entry is None:
            raise TransactionNotFound(transaction_id=transaction_id)
        must_touch(by, entry)
        must_be(entry, operation)
        return entry

    async def _find(self, transaction_id: str, by: Identity) -> Entry | None:
        """Return what the caller's tenant calls by this id."""
        try:
            return await self._records.get(by.key_of(transaction_id))
        except JournalClosed:
            raise JournalUnavailable from None

    async def _open(self, entry: Entry) -> Entry | None:
        try:
            recorded = await self._records.open(entry)
        except InDoubt as fault:
            if entry.state is State.PENDING:
                self._driver.in_doubt.add(fault.row, lambda: self._withdraw(entry))
            raise JournalUnavailable from None
        if recorded is None:
            self._observer.wrote(None, entry)
        return recorded

    async def _write(self, before: Entry, after: Entry) -> Entry | None:
        """Write a decision and, if this process has the lease, drive it; None when another write won."""

        async def write_then_drive() -> Entry | None:
            try:
                written = await self._records.write(after)
            except InDoubt as fault:
                own = msgspec.structs.replace(after, version=after.version + 1)
                self._driver.in_doubt.add(fault.row, lambda: self._start(before, own))
                raise JournalUnavailable from None
            if written is not None:
                await self._start(before, written)
            return written

        return await _finish(write_then_drive())

    async def _start(self, before: Entry, written: Entry) -> None:
        """Act on a decision that is written down."""
        self._observer.wrote(before, written)
        if written.driver == self._driver.name and written.fence > before.fence:
            self._driver.drive(written)

    async def _withdraw(self, entry: Entry) -> None:
        """Fail an intent whose caller was told that it was not accepted; nothing was sent."""
        at = self._clock.now()
        failed = lifecycle.answered(entry, _NOT_SENT, confirm_by=at, at=at)
        if await self._records.write(failed) is not None:
            self._observer.wrote(entry, failed)


async def _finish(work: Coroutine[object, object, _Result]) -> _Result:
    """Return the result of `work`, which runs to its end even if the caller is cancelled."""
    task = asyncio.create_task(work)
    # Whoever left does not hear a refusal, and asyncio would log it as a fault of ours.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)
