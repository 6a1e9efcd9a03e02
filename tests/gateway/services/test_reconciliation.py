"""Reconciliation: what agrees, what differs, and what a settlement ends."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from google.type.money_pb2 import Money

from giftcard import v1
from giftcard_adapters.values.advices import Acknowledgement, Receipt
from giftcard_adapters.values.money import Money as OurMoney
from giftcard_adapters.values.outcomes import Outcome, Verdict
from tests.gateway.services.served import RAND, Served, refusal_of, unresolved
from tests.world.provider import ISSUED

STATE = v1.TransactionState


async def settle(served: Served, *rows: v1.SettlementRow, close: bool = False) -> v1.ReconcileResponse:
    """Compare a settlement of everything so far with the journal."""
    scope = v1.ReconcileScope(
        provider="first", close_unresolved=close, note="settlement of today" if close else ""
    )
    scope.start_time.GetCurrentTime()
    scope.start_time.seconds -= 3600
    scope.end_time.GetCurrentTime()
    scope.end_time.seconds += 3600
    parts = [v1.ReconcileRequest(scope=scope), *(v1.ReconcileRequest(row=row) for row in rows)]
    answer: v1.ReconcileResponse = await served.send("Reconcile", parts)
    return answer


def row(transaction_id: str, number: int = 1, **more: Any) -> v1.SettlementRow:  # noqa: ANN401 - any field
    """Return a row of a settlement."""
    fields: dict[str, Any] = {"row_id": f"row-{number}", "transaction_id": transaction_id, "amount": RAND}
    return v1.SettlementRow(**(fields | more))


async def confirmed(served: Served, **more: Any) -> v1.Transaction:  # noqa: ANN401 - any field
    """Return a redemption that is final."""
    transaction = await served.redeem(**more)
    request = v1.ConfirmRedeemRequest(transaction_id=transaction.transaction_id)
    ended: v1.Transaction = (await served.call("ConfirmRedeem", request)).transaction
    return ended


KIND = v1.DifferenceKind


async def test_reconcile_tells_all_kinds(served: Served) -> None:
    """What agrees is counted; what is missing on either side or differs is told with both amounts."""
    matched, missing, differing = [await confirmed(served) for _ in range(3)]
    open_ = await served.redeem()
    elsewhere = await confirmed(served, provider="second")
    less = Money(currency_code="ZAR", units=99)
    told = await settle(
        served,
        row(matched.transaction_id, 1),
        row(differing.transaction_id, 2, amount=less),
        row(open_.transaction_id, 3),
        row(served.clock.uuid4(), 4),
        row(matched.transaction_id, 5),
        row(elsewhere.transaction_id, 6),
    )
    assert told.matched_count == 1
    found = {(one.kind, one.row_id or one.transaction.transaction_id) for one in told.differences}
    assert found == {
        (KIND.DIFFERENCE_KIND_DIFFERS, "row-2"),
        (KIND.DIFFERENCE_KIND_DIFFERS, "row-3"),
        (KIND.DIFFERENCE_KIND_MISSING_HERE, "row-4"),
        (KIND.DIFFERENCE_KIND_DIFFERS, "row-5"),
        (KIND.DIFFERENCE_KIND_MISSING_HERE, "row-6"),
        (KIND.DIFFERENCE_KIND_MISSING_THERE, missing.transaction_id),
    }
    (two,) = [one for one in told.differences if one.row_id == "row-2"]
    assert (two.settled_amount, two.journal_amount) == (less, RAND)


async def test_reconcile_by_the_providers_reference(served: Served) -> None:
    """A row that knows the provider's own id finds its transaction by it."""
    approved = Outcome(
        verdict=Verdict.APPROVED, approved=OurMoney("ZAR", 10_000), references={"rrn": "000123"}
    )
    served.script.reactions.append(approved)
    await confirmed(served)
    told = await settle(served, v1.SettlementRow(row_id="1", provider_reference="000123", amount=RAND))
    assert (told.matched_count, len(told.differences)) == (1, 0)


async def test_reconcile_ends_the_unresolved(served: Served) -> None:
    """Asked to, the settlement decides: there means CONFIRMED, missing means REVERSED, each with the note."""
    missing = await unresolved(served)
    there = await served.redeem()
    served.script.reactions.append(Acknowledgement(receipt=Receipt.REFUSED, evidence="no"))
    await served.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=there.transaction_id))
    silent = await settle(served, row(there.transaction_id))
    assert [one.kind for one in silent.differences] == [KIND.DIFFERENCE_KIND_DIFFERS]
    assert not silent.closed_transactions
    told = await settle(served, row(there.transaction_id), close=True)
    states = {one.transaction_id: one.state for one in told.closed_transactions}
    assert states == {
        there.transaction_id: STATE.TRANSACTION_STATE_CONFIRMED,
        missing.transaction_id: STATE.TRANSACTION_STATE_REVERSED,
    }
    assert all("settlement of today" in one.state_changes[-1].note for one in told.closed_transactions)
    assert told.matched_count == 1
    again = await settle(served, row(there.transaction_id), close=True)
    assert (again.matched_count, len(again.closed_transactions)) == (1, 0)


async def test_reconcile_ends_nothing_by_a_reference_nobody_heard(served: Served) -> None:
    """A row under an unknown reference may be an UNRESOLVED transaction, which then stays what it is."""
    lost = await unresolved(served)
    stranger = v1.SettlementRow(row_id="1", provider_reference="gc-77", amount=RAND)
    told = await settle(served, stranger, close=True)
    assert not told.closed_transactions
    assert {(one.kind, one.row_id or one.transaction.transaction_id) for one in told.differences} == {
        (KIND.DIFFERENCE_KIND_MISSING_HERE, "1"),
        (KIND.DIFFERENCE_KIND_MISSING_THERE, lost.transaction_id),
    }
    another = v1.SettlementRow(
        row_id="2", provider_reference="gc-78", amount=RAND, operation=v1.Operation.OPERATION_ISSUE
    )
    told = await settle(served, another, close=True)
    assert [one.transaction_id for one in told.closed_transactions] == [lost.transaction_id]


async def test_reconcile_guesses_by_no_reference_that_two_share(served: Served) -> None:
    """A trace number that two transactions have names neither, and so ends neither."""
    approved = Outcome(
        verdict=Verdict.APPROVED, approved=OurMoney("ZAR", 10_000), references={"stan": "000123"}
    )
    for _ in range(2):
        served.script.reactions.append(approved)
        one = await served.redeem()
        served.script.reactions.append(Acknowledgement(receipt=Receipt.REFUSED, evidence="no"))
        await served.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=one.transaction_id))
    told = await settle(
        served, v1.SettlementRow(row_id="1", provider_reference="000123", amount=RAND), close=True
    )
    assert not told.closed_transactions
    kinds = [one.kind for one in told.differences]
    assert kinds.count(KIND.DIFFERENCE_KIND_MISSING_HERE) == 1
    assert kinds.count(KIND.DIFFERENCE_KIND_MISSING_THERE) == 2


async def test_reconcile_does_not_end_what_differs(served: Served) -> None:
    """An UNRESOLVED transaction whose settlement shows another amount stays a person's to end."""
    there = await served.redeem()
    served.script.reactions.append(Acknowledgement(receipt=Receipt.REFUSED, evidence="no"))
    await served.call("ConfirmRedeem", v1.ConfirmRedeemRequest(transaction_id=there.transaction_id))
    less = Money(currency_code="ZAR", units=1)
    told = await settle(served, row(there.transaction_id, amount=less), close=True)
    assert not told.closed_transactions
    assert [one.kind for one in told.differences] == [KIND.DIFFERENCE_KIND_DIFFERS]


async def test_reconcile_knows_parts_and_numbers(served: Served) -> None:
    """What is left of a partial reversal, and every card of an issue, is what the settlement should show."""
    part = await served.redeem()
    reverse = v1.ReverseRedeemRequest(
        transaction_id=part.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
    )
    reverse.amount.CopyFrom(Money(currency_code="ZAR", units=40))
    await served.call("ReverseRedeem", reverse)
    served.script.reactions.append(ISSUED)
    issue = v1.IssueRequest(transaction_id=served.clock.uuid4(), amount=RAND, quantity=3)
    await served.call("Issue", issue)
    await served.call("ConfirmIssue", v1.ConfirmIssueRequest(transaction_id=issue.transaction_id))
    undone = await served.redeem()
    reverse = v1.ReverseRedeemRequest(
        transaction_id=undone.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
    )
    await served.call("ReverseRedeem", reverse)
    told = await settle(
        served,
        row(part.transaction_id, 1, amount=Money(currency_code="ZAR", units=60)),
        row(issue.transaction_id, 2, amount=Money(currency_code="ZAR", units=300)),
    )
    assert (told.matched_count, len(told.differences)) == (2, 0)


async def test_reconcile_refuses_before_it_ends_anything(served: Served) -> None:
    """A scope that is missing, late, double or malformed is named by its place; nothing is ended."""
    transaction = await unresolved(served)
    scope = v1.ReconcileScope(provider="first", close_unresolved=True, note="n")
    scope.start_time.seconds, scope.end_time.seconds = 1, 2**32
    good = v1.ReconcileRequest(row=row(transaction.transaction_id))
    head = v1.ReconcileRequest(scope=scope)
    bad = v1.ReconcileRequest(scope=v1.ReconcileScope(provider="first"))
    for parts, path in (
        ([], "requests[0].scope"),
        ([good, head], "requests[0].scope"),
        ([head, head], "requests[1].scope"),
        ([bad, good], "requests[0].scope.start_time"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.send("Reconcile", parts)
        assert refusal_of(refused.value).violations[0] == path
    get = v1.GetTransactionRequest(transaction_id=transaction.transaction_id)
    assert (await served.call("GetTransaction", get)).transaction.state == STATE.TRANSACTION_STATE_UNRESOLVED


def zar(units: int) -> Money:
    """Return so many rand."""
    return Money(currency_code="ZAR", units=units)


async def reversed_(served: Served, units: int | None = None) -> v1.Transaction:
    """Return a redemption that was reversed, wholly or by so many rand."""
    transaction = await served.redeem()
    request = v1.ReverseRedeemRequest(
        transaction_id=transaction.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
    )
    if units:
        request.amount.CopyFrom(zar(units))
    ended: v1.Transaction = (await served.call("ReverseRedeem", request)).transaction
    return ended


async def test_money_back_agrees(served: Served) -> None:
    """A negative row is what was reversed; with one, the positive row shows all that was approved."""
    whole, part, net = await reversed_(served), await reversed_(served, 40), await reversed_(served, 40)
    told = await settle(
        served,
        row(whole.transaction_id, 1),
        row(whole.transaction_id, 2, amount=zar(-100)),
        row(part.transaction_id, 3, amount=zar(-40)),
        row(part.transaction_id, 4),
        row(net.transaction_id, 5, amount=zar(60)),
    )
    assert (told.matched_count, len(told.differences)) == (5, 0)


async def test_money_back_nobody_knows(served: Served) -> None:
    """A chargeback, another amount and money back twice are told as their own kind, with both amounts."""
    final, part = await confirmed(served), await reversed_(served, 40)
    told = await settle(
        served,
        row(final.transaction_id, 1),
        row(final.transaction_id, 2, amount=zar(-10)),
        row(part.transaction_id, 3, amount=zar(-41)),
        row(part.transaction_id, 4, amount=zar(-40)),
        row(served.clock.uuid4(), 5, amount=zar(-1)),
    )
    found = {
        one.row_id: (one.kind, one.settled_amount.units, one.journal_amount.units) for one in told.differences
    }
    assert found["row-2"] == (KIND.DIFFERENCE_KIND_MONEY_BACK, -10, 100)
    assert found["row-3"] == (KIND.DIFFERENCE_KIND_MONEY_BACK, -41, -40)
    assert found["row-4"] == (KIND.DIFFERENCE_KIND_MONEY_BACK, -40, -40)
    assert found["row-5"] == (KIND.DIFFERENCE_KIND_MISSING_HERE, -1, 0)


async def test_money_back_ends_nothing(served: Served) -> None:
    """An UNRESOLVED transaction that the settlement has money going back of stays a person's to end."""
    lost = await unresolved(served)
    told = await settle(served, row(lost.transaction_id, amount=zar(-100)), close=True)
    assert not told.closed_transactions
    assert KIND.DIFFERENCE_KIND_MONEY_BACK in {one.kind for one in told.differences}


async def test_bad_row_is_its_own_error(served: Served) -> None:
    """A row that is wrong, or whose row_id came before, is told by place and fault; others are compared."""
    final, lost = await confirmed(served), await unresolved(served)
    told = await settle(
        served,
        row("x", 1, amount=Money(currency_code="ZAR", units=1, nanos=-1)),
        row(final.transaction_id, 2),
        row(final.transaction_id, 2),
        row(final.transaction_id, 3, row_id=""),
        close=True,
    )
    assert told.matched_count == 1
    bad = {one.row_number: list(one.row_faults) for one in told.differences if one.row_number}
    assert bad == {
        1: ["transaction_id must be a version-4 UUID", "amount.nanos must have the sign of the units"],
        3: ["row_id came before, in row 2"],
        4: ["row_id must be set"],
    }
    assert {one.kind for one in told.differences if one.row_number} == {KIND.DIFFERENCE_KIND_ROW_INVALID}
    assert not told.closed_transactions, "the bad row may be the unresolved transaction"
    assert lost.transaction_id in {one.transaction.transaction_id for one in told.differences}
