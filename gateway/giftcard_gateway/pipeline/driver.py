"""Does what a transaction still owes: live calls and the recovery sweep both end in `advance`.

Every exchange is between two durable writes and inside no database transaction. Who calls
`advance` holds the entry: its `driver` is this process and its fence is the newest (rule 14).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import msgspec

from giftcard_adapters.errors import Invalid, Unsupported
from giftcard_adapters.values.advices import ReversalReason
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Ending
from giftcard_gateway.errors import GatewayError
from giftcard_gateway.journal.contract import JournalClosed
from giftcard_gateway.ledger import grace, lifecycle, reversal_windows, settling
from giftcard_gateway.ledger.attempts import Attempt, AttemptKind
from giftcard_gateway.ledger.entry import Entry, State, WantedReversal
from giftcard_gateway.ledger.settling import NextStep
from giftcard_gateway.pipeline.attempts import Witness
from giftcard_gateway.pipeline.in_doubt import InDoubtWrites
from giftcard_gateway.pipeline.leases import LeaseLost, Leases
from giftcard_gateway.pipeline.promises import Promises
from giftcard_gateway.pipeline.tasks import Tasks
from giftcard_gateway.providers.exchanges import Answer, Exchanges, ask_of, doubted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.pipeline.heartbeat import Heartbeat
    from giftcard_gateway.providers.connections import Connection, Connections
    from giftcard_gateway.providers.routing import Router

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_CLOSED = "the provider's reversal window closed; last seen: "
_JOURNAL_RETRY_S = 0.2
"""How long to wait before an outcome that could not be written is tried again; a failover takes seconds."""

PROOF = frozenset({Verdict.APPROVED, Verdict.DECLINED})
"""Verdicts that prove what became of a request, whoever asks."""


class Driver(Tasks):
    """Advances entries, each in a task of its own that no caller's deadline can cut (rule 6)."""

    def __init__(
        self,
        *,
        name: str,
        records: Records,
        connections: Connections,
        router: Router,
        heartbeat: Heartbeat,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Keep what every step needs; `name` tells this process from others that share the journal."""
        super().__init__(observer)
        self.name = name
        self._records = records
        self._connections = connections
        self._router = router
        self._heartbeat = heartbeat
        self._clock = clock
        self._exchanges = Exchanges(observer)
        self._witness = Witness(name)
        self.promises = Promises(name, clock)
        self._leases = Leases(name, records=records, clock=clock, observer=observer)
        self.in_doubt = InDoubtWrites(records=records, clock=clock, observer=observer)

    async def learn(self, entry: Entry, outcome: Outcome) -> bool:
        """Settle a PENDING entry that nobody drives by what an event told, and drive it on.

        False when another hand was quicker.
        """
        at = self._clock.now()
        connection = self._connections.get(entry.provider)
        taken = await self._write(
            lifecycle.take(entry, driver=self.name, lease_until=at + connection.lease, at=at)
        )
        if taken is None:
            return False
        settled = await self._commit(taken, lambda e: self._settle(connection, e, Answer(outcome=outcome)))
        self.drive(settled, within=self._observer.resuming(settled))
        return True

    async def drain(self, timeout_s: float) -> int:
        """Wait for the work in flight; return how much had to be left to recovery."""
        left = await super().drain(timeout_s)
        await self.in_doubt.stop()
        return left

    async def advance(self, entry: Entry) -> Entry:
        """Do what this entry owes until it owes nothing now, writing down each step.

        Raises LeaseLost when another hand took it over.
        """
        while (step := self._owed(entry)) is not None:
            connection = self._connections.get(entry.provider)
            held = self._leases.keep(entry, connection.lease)
            try:
                entry = await step(connection, entry)
            finally:
                self._leases.drop(held)
        return entry

    def _owed(self, entry: Entry) -> Callable[[Connection, Entry], Awaitable[Entry]] | None:
        if entry.driver != self.name:
            return None
        match entry.state:
            case State.PENDING:
                is_fresh = entry.fence == 1 and entry.attempts == 0 and entry.retried_at is None
                return self._ask if is_fresh else self._end_unknown
            case State.APPROVED:
                return self._end_undecided
            case State.CONFIRMING | State.REVERSING:
                return self._deliver
            case _:
                return None

    async def _ask(self, connection: Connection, entry: Entry) -> Entry:
        began_at = self._clock.now()
        if entry.due_at is not None and began_at >= entry.due_at:
            # This process stood still past its lease, and another hand may have decided by now.
            raise LeaseLost
        answer = await self._exchanges.request(connection, ask_of(entry))
        failover = None if answer.was_sent else self._failover(entry)
        sent_by = self._clock.now()
        made = self._witness.asked(
            AttemptKind.REQUEST, answer, at=began_at, until=sent_by, traceparent=entry.traceparent
        )
        return await self._commit(
            entry,
            lambda e: (
                self._settle(connection, lifecycle.tried(e, made, sent_by=sent_by), answer)
                # A caller who meanwhile wants it undone wants no card from anybody else.
                if failover is None or e.wanted_reversal is not None
                else self._rerouted(lifecycle.tried(e, made), failover)
            ),
        )

    def _rerouted(self, entry: Entry, failover: Connection) -> Entry:
        at = self._clock.now()
        return lifecycle.reroute(entry, failover.provider_id, lease_until=at + failover.lease, at=at)

    async def _end_unknown(self, connection: Connection, entry: Entry) -> Entry:
        """End a request whose outcome nobody knows by the provider's own means (rule 5)."""
        traits, at = connection.traits(entry.operation), self._clock.now()
        # Where nothing says when it was sent, its sender is gone: nothing leaves once a lease has ended.
        sent_by = entry.sent_by or at
        entry = lifecycle.sent(entry, sent_by)
        made: tuple[Attempt, ...] = ()
        how = lifecycle.ending(entry, traits, at)
        if how is Ending.RESEND and not (connection.takes_requests and connection.circuit.admits()):
            how = Ending.FIND  # whoever switched a provider off wants no request to go there, not even again
        match how:
            case Ending.REVERSE:
                return await self._commit(
                    entry,
                    lambda e: self._reverse_unknown(
                        connection, lifecycle.sent(e, sent_by), ReversalReason.TIMEOUT
                    ),
                )
            case Ending.RESEND:
                has_settled = settling.is_over(entry, connection.settling(entry.operation), at)
                # From here on a copy may be on its way, even if this process dies before it hears of it.
                entry = await self._commit(entry, lambda e: msgspec.structs.replace(e, sent_by=None))
                answer = await self._exchanges.request(connection, ask_of(entry))
                made += self._asked(AttemptKind.REPEAT, answer, at)
                if answer.outcome.verdict is Verdict.UNKNOWN:
                    sent_by = self._clock.now()
                if answer.outcome.verdict not in (PROOF if has_settled else {Verdict.APPROVED}):
                    at = self._clock.now()
                    found = await self._exchanges.find(connection, entry)
                    made += self._asked(AttemptKind.LOOKUP, found, at)
                    # A provider may repeat an error for as long as its key lives. A repeat that surely had no
                    # effect, or nothing found, says nothing of earlier sendings; nor does a no until none can
                    # still arrive.
                    answer = found if found.outcome.verdict in PROOF else doubted(answer)
            case Ending.FIND:
                answer = await self._exchanges.find(connection, entry)
                made += self._asked(AttemptKind.LOOKUP, answer, at)
                has_settled = settling.is_over(entry, connection.settling(entry.operation), at)
                is_late = lifecycle.is_past_finding(entry, traits, at)
                if answer.outcome.verdict not in PROOF and (is_late or not has_settled):
                    # What cannot be found yet may still arrive; what is sought so late may be forgotten.
                    answer = doubted(answer)
            case Ending.PERSON:
                evidence = entry.evidence or "the process stopped while the request was under way"
                return await self._commit(entry, lambda e: lifecycle.give_up(e, evidence, self._clock.now()))
        return await self._commit(
            entry,
            lambda e: self._settle(connection, lifecycle.tried(lifecycle.sent(e, sent_by), made), answer),
        )

    def _asked(self, kind: AttemptKind, answer: Answer, at: datetime) -> tuple[Attempt, ...]:
        return self._witness.asked(
            kind, answer, at=at, until=self._clock.now(), traceparent=self._observer.traceparent()
        )

    async def _end_undecided(self, connection: Connection, entry: Entry) -> Entry:
        """Confirm or reverse a transaction that nobody decided in time (rule 10)."""
        outage, least = self._heartbeat.outage, timedelta(seconds=connection.terms.confirm_grace_s)
        later = grace.put_off(entry, outage, least)
        if later.confirm_by is not None and later.confirm_by > self._clock.now():
            return await self._commit(entry, lambda e: grace.put_off(e, outage, least))
        cause = "nobody decided in time"
        if connection.confirms_when_overdue(entry.operation):
            return await self._commit(entry, lambda e: self.promises.confirmed(connection, e, cause=cause))
        wanted = WantedReversal(reason=ReversalReason.CANCELLED)
        return await self._commit(entry, lambda e: self.promises.reversed(connection, e, wanted, cause=cause))

    async def _deliver(self, connection: Connection, entry: Entry) -> Entry:
        """Send the promised advice once, unchanged, and act on the answer (rule 8)."""
        # The provider looks at some time after this; when its answer is heard says nothing of when it looked.
        asked_at, operation = self._clock.now(), entry.operation
        answer = await self._exchanges.deliver(connection, entry, self._clock.now)
        told, at = answer.acknowledgement, self._clock.now()
        made = self._witness.advised(
            entry, answer, at=asked_at, until=at, traceparent=self._observer.traceparent()
        )
        traits, wait = connection.traits(operation), connection.settling(operation)
        heard = settling.judge(entry, told, traits, wait, asked_at)
        match heard.step:
            case NextStep.KEPT:
                return await self._commit(
                    entry, lambda e: lifecycle.kept(lifecycle.tried(e, made), told, heard.because, at)
                )
            case NextStep.PERSON:
                return await self._commit(
                    entry, lambda e: lifecycle.refused(lifecycle.tried(e, made), told, heard.because, at)
                )
        renew = heard.step is NextStep.AFRESH
        level = reversal_windows.level(entry, _window_s(connection, entry), at)
        if level >= reversal_windows.CLOSED:
            evidence = _CLOSED + heard.because.removeprefix(_CLOSED)
            return await self._commit(
                entry,
                lambda e: lifecycle.give_up(
                    lifecycle.tried(self.promises.afresh(connection, e) if renew else e, made), evidence, at
                ),
            )
        if level > entry.window_told:
            self._observer.window_closing(entry, level)
        return await self._commit(
            entry,
            lambda e: self._later(
                connection,
                lifecycle.tried(self.promises.afresh(connection, e) if renew else e, made),
                heard.because,
                level=level,
                least_wait_s=told.retry_after_s or 0.0,
            ),
        )

    def _settle(self, connection: Connection, entry: Entry, answer: Answer) -> Entry:
        """Return `entry` after `answer`, with what follows from it already promised or scheduled."""
        at, outcome = self._clock.now(), answer.outcome
        after = lifecycle.answered(
            entry, outcome, confirm_by=connection.confirm_by(entry.operation, at), at=at
        )
        after = grace.counted(after, self._heartbeat.outage)
        if outcome.verdict is Verdict.APPROVED and entry.wanted_reversal is not None:
            return self.promises.reversed(connection, after, entry.wanted_reversal)
        if outcome.verdict is not Verdict.UNKNOWN:
            return after
        match lifecycle.ending(entry, connection.traits(entry.operation), at):
            case Ending.REVERSE:
                return self._reverse_unknown(connection, after, answer.reversal_reason)
            case Ending.PERSON:
                return lifecycle.give_up(after, after.evidence, at)
            case Ending.RESEND | Ending.FIND if answer.is_unfindable:
                return lifecycle.give_up(after, after.evidence, at)
            case Ending.RESEND | Ending.FIND:
                return self._later(connection, after, outcome.evidence)

    def _reverse_unknown(self, connection: Connection, entry: Entry, reason: ReversalReason) -> Entry:
        """Return `entry` with a reversal of the whole amount promised, since nothing was approved."""
        wanted = entry.wanted_reversal or WantedReversal(reason=reason)
        wanted = msgspec.structs.replace(wanted, amount=None)
        return self.promises.reversed(connection, entry, wanted, cause="the outcome is unknown")

    def _later(
        self,
        connection: Connection,
        entry: Entry,
        evidence: str,
        *,
        level: float = 0.0,
        least_wait_s: float = 0.0,
    ) -> Entry:
        """Release `entry` until its next try: exponential backoff with full jitter, capped.

        No sooner than the provider asked for, within the cap; no later than a reversal's window reaches its
        next level, so that somebody hears in time.
        """
        wait = connection.retry_wait(entry.attempts, self._clock.fraction(), least_s=least_wait_s)
        at = self._clock.now()
        due_at = at + wait
        due_at = min(
            due_at, reversal_windows.next_level_at(entry, _window_s(connection, entry), at) or due_at
        )
        later = lifecycle.postpone(entry, due_at=due_at, evidence=evidence, at=at)
        return msgspec.structs.replace(later, window_told=level)

    def _failover(self, entry: Entry) -> Connection | None:
        """Return the fail-over provider of an issue that was not sent, if one takes it now."""
        if entry.operation is not Operation.ISSUE:
            return None
        route = self._router.route(ask_of(entry))
        if not route.failover or entry.provider != route.provider:
            return None
        connection = self._connections.get(route.failover)
        try:
            connection.traits(entry.operation)
            connection.provider.check(ask_of(entry))
            connection.admit()
        except (GatewayError, Invalid, Unsupported):
            return None
        return connection

    async def _commit(self, entry: Entry, transition: Callable[[Entry], Entry]) -> Entry:
        """Write what `transition` makes of `entry`, retrying for as long as the journal is away.

        A caller's promise may have been written meanwhile without touching the lease: then the
        transition is made again of what stands there. Raises LeaseLost when another hand stepped in.
        """
        while True:
            after = transition(entry)
            try:
                written = await self._records.write(after)
            except JournalClosed:
                written = await self._insist(self._records.write, after)
            if written is None:
                written = await self._found(after)
            if written is not None:
                self._observer.wrote(entry, written)
                return written
            fresh = await self._insist(self._records.get, entry.transaction_id)
            if fresh is None or not self._is_mine(entry, fresh):
                raise LeaseLost
            entry = fresh

    def _is_mine(self, entry: Entry, fresh: Entry) -> bool:
        """Tell whether `fresh` is still leased to this task.

        While the journal was away the lease may have ended, and this process's own sweep have claimed the
        entry anew: the task that is still at work, and may know the outcome, goes on under the new fence.
        """
        # The one who claimed it may hear of that only when this task is through; then it finds a step made.
        is_as_it_was = fresh.driver == self.name and fresh.state is entry.state
        is_at_work = self._tasks.get(entry.transaction_id) is asyncio.current_task()
        return is_as_it_was and (fresh.fence == entry.fence or is_at_work)

    async def _write(self, after: Entry) -> Entry | None:
        return await self._insist(self._records.write, after) or await self._found(after)

    async def _found(self, after: Entry) -> Entry | None:
        """Return a write that another version stood in the way of, if that is its own, never acknowledged."""
        own = msgspec.structs.replace(after, version=after.version + 1)
        return own if await self._insist(self._records.get, own.transaction_id) == own else None

    async def _insist(self, work: Callable[[_Argument], Awaitable[_Result]], argument: _Argument) -> _Result:
        while True:
            try:
                return await work(argument)
            except JournalClosed:
                await self._clock.sleep(_JOURNAL_RETRY_S)


def _window_s(connection: Connection, entry: Entry) -> float | None:
    """Return how long the provider takes a reversal, in seconds from the request; None without an end."""
    is_reversal = entry.state is State.REVERSING
    return connection.traits(entry.operation).reversal_window_s if is_reversal else None
