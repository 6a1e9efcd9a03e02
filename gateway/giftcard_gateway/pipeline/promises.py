"""Writes promises: the advice, the calls that deliver it, and the entry that owes it.

Nothing is written to the journal here; whoever asks for a promise writes it down before it is acted on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.advices import NO_WORDS, Advice, AdviceKind, AdviceWords
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Guarantee
from giftcard_gateway.ledger import lifecycle, settling
from giftcard_gateway.providers.exchanges import advice_of, ask_of

if TYPE_CHECKING:
    from giftcard_adapters.calls import Call
    from giftcard_adapters.values.money import Money
    from giftcard_adapters.values.point_of_sale import Tender
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.ledger.entry import Entry, WantedReversal
    from giftcard_gateway.providers.connections import Connection


class Promises:
    """The promises of one process."""

    def __init__(self, name: str, clock: Clock) -> None:
        """Promise in the hand of the process called `name`."""
        self._name = name
        self._clock = clock

    def afresh(self, connection: Connection, entry: Entry) -> Entry:
        """Return `entry` with its advice under a fresh id, to be written before it is sent."""
        advice = msgspec.structs.replace(
            advice_of(entry), advice_id=self._clock.uuid4(), written_at=self._clock.now()
        )
        return lifecycle.afresh(entry, advice, _calls(connection, entry, advice))

    def confirmed(
        self,
        connection: Connection,
        entry: Entry,
        *,
        amount: Money | None = None,
        tenders: tuple[Tender, ...] = (),
        words: AdviceWords = NO_WORDS,
        cause: str = "the caller confirmed",
        actor: str = "",
    ) -> Entry:
        """Return `entry` with a confirmation promised, in this process's hand; nothing is written yet."""
        advice = Advice(
            advice_id=self._clock.uuid4(),
            kind=AdviceKind.CONFIRMATION,
            written_at=self._clock.now(),
            amount=amount,
            tenders=tenders,
            **words.words(),
        )
        return self._promised(connection, entry, advice, lifecycle.noted(cause, words.note), actor)

    def reversed(
        self,
        connection: Connection,
        entry: Entry,
        wanted: WantedReversal,
        *,
        cause: str = "",
    ) -> Entry:
        """Return `entry` with a reversal promised, in this process's hand; nothing is written yet."""
        advice = Advice(
            advice_id=self._clock.uuid4(),
            kind=AdviceKind.REVERSAL,
            written_at=self._clock.now(),
            amount=wanted.amount,
            reason=wanted.reason,
            **wanted.words(),
        )
        # With a cause of its own it is the gateway that reverses, whoever else wants it too.
        actor = "" if cause else wanted.actor
        cause = cause or lifecycle.noted("the caller reversed", wanted.note)
        return self._promised(connection, entry, advice, cause, actor)

    def tried_again(self, connection: Connection, entry: Entry, actor: str, note: str = "") -> Entry:
        """Return an UNRESOLVED `entry` as a person has it tried again; nothing is written yet.

        The promise is the same. Its id is a fresh one where the provider would answer the old one with
        "duplicate", and the old one surely did nothing (rule 8).
        """
        at, wait = self._clock.now(), connection.settling(entry.operation)
        again = lifecycle.again(entry, at, actor, note)
        is_renewed = settling.may_be_renewed(entry, connection.traits(entry.operation), wait, at)
        return self.afresh(connection, again) if is_renewed else again

    def _promised(
        self, connection: Connection, entry: Entry, advice: Advice, cause: str, actor: str
    ) -> Entry:
        return lifecycle.promise(
            entry,
            advice,
            _calls(connection, entry, advice),
            driver=self._name,
            lease_until=advice.written_at + connection.lease,
            cause=cause,
            actor=actor,
        )


def _calls(connection: Connection, entry: Entry, advice: Advice) -> tuple[Call, ...]:
    """Return the calls that deliver `advice`; a one-shot operation has nobody to confirm to (rule 11)."""
    if advice.kind is AdviceKind.REVERSAL:
        return connection.provider.reversal(ask_of(entry), entry.outcome, advice)
    if connection.traits(entry.operation).guarantee is not Guarantee.NATIVE:
        return ()
    outcome = entry.outcome or Outcome(verdict=Verdict.UNKNOWN)
    return connection.provider.confirmation(ask_of(entry), outcome, advice)
