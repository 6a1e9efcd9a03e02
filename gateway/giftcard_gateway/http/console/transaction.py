"""The page of one transaction: how it stands, what comes next, and all that happened, in one line of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.http.console.rows import TAKES, asked_end_of
from giftcard_gateway.http.console.words import amount_of, money, operation_of, state_of, time_of
from giftcard_gateway.ledger.attempts import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from aiohttp import web

    from giftcard_gateway.http.console.visits import Visit


@dataclass(frozen=True, kw_only=True)
class TimelineStep:
    """Something that happened: a change of state, an attempt, or many attempts that are only counted."""

    at: datetime
    state: str = ""
    attempt: str = ""
    result: str = ""
    words: str = ""
    actor: str = ""
    count: int = 0
    facts: list[tuple[str, str]] = field(default_factory=list)
    trace_id: str = ""
    trace_address: str = ""


async def show_transaction(visit: Visit) -> web.Response:
    """Show one transaction."""
    one = await read_transaction(visit, visit.request.match_info["transaction_id"], visit.tenant)
    state, progress = state_of(one.state), one.progress
    return visit.page(
        "transaction.html",
        one=one,
        state=state,
        address=visit.address_of(one.transaction_id, one.tenant),
        operation=operation_of(one.operation),
        amount=amount_of(one),
        facts=list(_facts(one)),
        confirm_by=time_of(one.confirm_by),
        next_try=time_of(progress.next_attempt_time),
        lease_end=time_of(progress.lease_end_time),
        window_end=time_of(progress.reversal_end_time),
        steps=sorted([*_changes(one), *_attempts(visit, progress)], key=lambda step: step.at),
        is_resolvable=state in TAKES["confirmed"] and not asked_end_of(one, visit.now),
        asked_end=asked_end_of(one, visit.now),
        expires_at=time_of(one.asked_resolution.expire_time),
        is_redeliverable=state in TAKES["redeliver"],
        is_undecided=state in TAKES["confirm"] and one.tenant == visit.session.identity.tenant,
    )


async def read_transaction(visit: Visit, transaction_id: str, tenant: str | None) -> v1.Transaction:
    """Return a transaction with its attempts; raise CallRefused."""
    asked = v1.GetTransactionRequest(transaction_id=transaction_id)
    found: v1.Transaction = (await visit.call("GetTransaction", asked, tenant=tenant)).transaction
    return found


def _facts(one: v1.Transaction) -> Iterator[tuple[str, str]]:
    """Give what is known, by its name for people."""
    yield "Cards", ", ".join(card.masked_card for card in one.cards)
    for name, amount in (
        ("Asked for", one.requested_amount),
        ("Approved", one.approved_amount),
        ("Confirmed", one.confirmed_amount),
        ("Reversed", one.reversed_amount),
        ("Fee", one.fee_amount),
    ):
        yield name, money(amount)
    if one.HasField("decline"):
        reason = v1.DeclineReason.Name(one.decline.reason).removeprefix("DECLINE_REASON_")
        yield "Declined", f"{reason} {one.decline.provider_code} {one.decline.provider_text}".strip()
    yield "Reference", one.external_reference
    yield from ((f"Provider's {name}", value) for name, value in sorted(one.provider_references.items()))
    yield from ((f"Label {name}", value) for name, value in sorted(one.labels.items()))
    yield "Tenant", one.tenant


def _changes(one: v1.Transaction) -> Iterator[TimelineStep]:
    for change in one.state_changes:
        if (at := time_of(change.change_time)) is not None:
            yield TimelineStep(at=at, state=state_of(change.state), words=change.note, actor=change.actor)


def _attempts(visit: Visit, progress: v1.Progress) -> Iterator[TimelineStep]:
    """Give each attempt that is told, and one step for those between that are only counted."""
    left_out = progress.attempt_count - len(progress.attempts)
    for place, attempt in enumerate(progress.attempts):
        at = time_of(attempt.start_time)
        if at is None:
            continue
        if left_out and place == FIRST:
            yield TimelineStep(at=at, count=left_out)
        status = str(attempt.http_status) if attempt.http_status else "no answer"
        yield TimelineStep(
            at=at,
            attempt=v1.AttemptKind.Name(attempt.kind).removeprefix("ATTEMPT_KIND_").capitalize(),
            result=v1.AttemptResult.Name(attempt.result).removeprefix("ATTEMPT_RESULT_").replace("_", " "),
            words=" ".join(filter(None, (attempt.provider_code, attempt.summary))),
            facts=[
                ("HTTP", status),
                ("took", f"{attempt.duration.ToMilliseconds()} ms"),
                ("by", attempt.process),
            ],
            trace_id=attempt.trace_id,
            trace_address=visit.trace_address(attempt.trace_id),
        )
