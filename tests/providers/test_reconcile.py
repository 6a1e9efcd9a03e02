"""Reconcile: settlement rows against the journal, with all four answers, and the unresolved ended by them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from giftcard import new_transaction_id, to_money, v1
from tests.patience import PATIENCE_S
from tests.providers.cells import BY_NAME, VAULTED, VAULTED_PIN
from tests.providers.refusals import FIELD_INVALID, refused
from tests.providers.world import GR4VY, JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIRMED = v1.TransactionState.TRANSACTION_STATE_CONFIRMED
REVERSED = v1.TransactionState.TRANSACTION_STATE_REVERSED
MISSING_THERE = v1.DifferenceKind.DIFFERENCE_KIND_MISSING_THERE
MISSING_HERE = v1.DifferenceKind.DIFFERENCE_KIND_MISSING_HERE
DIFFERS = v1.DifferenceKind.DIFFERENCE_KIND_DIFFERS
FIFTY, TWENTY = to_money("50.00", "USD"), to_money("20.00", "USD")
ISSUE = BY_NAME[f"{GR4VY}-Issue"]


class Day:
    """A stretch of time and what was done in it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.start = moment(world)

    async def redeem(self, amount: str = "50.00") -> v1.Transaction:
        """Redeem and confirm at Gr4vy."""
        fields = {"card": VAULTED, "pin": VAULTED_PIN, "amount": amount, "currency": "USD"}
        done = await self._world.ask(GR4VY, "Redeem", {"transaction_id": new_transaction_id(), **fields})
        return await self._world.confirm("Redeem", done.transaction_id)

    async def lose(self) -> v1.Transaction:
        """Lose an issue, so that a person must look."""
        await self._world.providers[GR4VY].go_wrong({"fault": "drop_answer"})
        return await self._world.ask(GR4VY, "Issue", ISSUE.fresh())

    async def settle(
        self, rows: Sequence[v1.SettlementRow], provider: str = GR4VY, **scope: object
    ) -> v1.ReconcileResponse:
        """Compare rows with what was done since the start."""
        return await self._world.stubs.reports.Reconcile(
            self._parts(rows, provider, **scope), timeout=PATIENCE_S
        )

    async def _parts(
        self, rows: Sequence[v1.SettlementRow], provider: str, **scope: object
    ) -> AsyncIterator[v1.ReconcileRequest]:
        yield v1.ReconcileRequest(
            scope=v1.ReconcileScope(
                provider=provider,
                start_time=self.start,
                end_time=moment(self._world),
                **scope,  # type: ignore[arg-type]  # fields by name
            )
        )
        for settled in rows:
            yield v1.ReconcileRequest(row=settled)


def moment(world: World) -> Timestamp:
    """Return the time, a moment on so that it lies after all that was done."""
    at = Timestamp()
    at.FromDatetime(world.clock.now())
    return at


def row(name: str, transaction_id: str = "", **fields: object) -> v1.SettlementRow:
    """Return a settlement row of fifty dollars, unless it says otherwise."""
    return v1.SettlementRow(
        row_id=name,
        transaction_id=transaction_id,
        **{"amount": FIFTY, **fields},  # type: ignore[arg-type]  # fields by name
    )


def kinds(answer: v1.ReconcileResponse) -> list[tuple[v1.DifferenceKind.ValueType, str, str]]:
    """Return each difference as its kind, row and transaction."""
    return [(one.kind, one.row_id, one.transaction.transaction_id) for one in answer.differences]


async def test_rows_match_by_id_and_by_reference(world: World) -> None:
    """A row that agrees is counted, whether it names our id or the provider's, and is no difference."""
    day = Day(world)
    first, second = await day.redeem(), await day.redeem()
    named = second.provider_references["transaction_id"]
    answer = await day.settle([row("1", first.transaction_id), row("2", provider_reference=named)])
    assert (answer.matched_count, kinds(answer)) == (2, [])


async def test_the_three_kinds_of_difference(world: World) -> None:
    """What is missing there, missing here or differs is told with its row and both amounts."""
    day = Day(world)
    paid, other, twice, wrong = [await day.redeem() for _ in range(4)]
    missing = await day.redeem()
    stranger = new_transaction_id()
    answer = await day.settle(
        [
            row("1", paid.transaction_id),
            row("2", other.transaction_id, amount=TWENTY),
            row("3", stranger),
            row("4", twice.transaction_id),
            row("5", twice.transaction_id),
            row("6", wrong.transaction_id, operation=v1.Operation.OPERATION_LOAD),
            row("7", provider_reference="nobody's"),
        ]
    )
    assert answer.matched_count == 2
    assert kinds(answer) == [
        (DIFFERS, "2", other.transaction_id),
        (MISSING_HERE, "3", ""),
        (DIFFERS, "5", twice.transaction_id),
        (DIFFERS, "6", wrong.transaction_id),
        (MISSING_HERE, "7", ""),
        (MISSING_THERE, "", missing.transaction_id),
    ]
    assert answer.differences[0].settled_amount == TWENTY
    assert answer.differences[0].journal_amount == FIFTY
    assert answer.differences[-1].journal_amount == FIFTY


async def test_what_moved_nothing_is_not_missed(world: World) -> None:
    """Reversed and declined transactions need no row; a partial reversal leaves a rest that does."""
    day = Day(world)
    cell = BY_NAME[f"{GR4VY}-Redeem"]
    gone = await world.ask(GR4VY, "Redeem", cell.fresh())
    await world.reverse("Redeem", gone.transaction_id)
    await world.ask(GR4VY, "Redeem", cell.fresh(pin="050001"))
    part = await world.ask(GR4VY, "Redeem", cell.fresh())
    await world.reverse("Redeem", part.transaction_id, amount=TWENTY)
    answer = await day.settle([])
    assert kinds(answer) == [(MISSING_THERE, "", part.transaction_id)]
    assert answer.differences[0].journal_amount == to_money("30.00", "USD")


async def test_the_cards_of_an_issue_add_up(world: World) -> None:
    """An issue of two cards is settled with twice the price of one."""
    day = Day(world)
    cell = BY_NAME[f"{JEUDIMERCI}-Issue"]
    done = await world.ask(JEUDIMERCI, "Issue", cell.fresh())
    await world.confirm("Issue", done.transaction_id)
    whole = row("1", done.transaction_id, amount=to_money("31.00", "EUR"))
    answer = await day.settle([whole], provider=JEUDIMERCI)
    assert (answer.matched_count, kinds(answer)) == (1, [])


async def test_unresolved_ones_are_ended_when_asked_to(world: World) -> None:
    """Settled unresolved ones are CONFIRMED, missing ones REVERSED, with the note, once asked to."""
    day = Day(world)
    settled, missing = await day.lose(), await day.lose()
    rows = [row("1", settled.transaction_id, amount=to_money("25.00", "USD"))]
    told = await day.settle(rows)
    assert (kinds(told), list(told.closed_transactions)) == ([(DIFFERS, "1", settled.transaction_id)], [])
    answer = await day.settle(rows, close_unresolved=True, note="settlement of the day")
    assert {one.transaction_id: one.state for one in answer.closed_transactions} == {
        settled.transaction_id: CONFIRMED,
        missing.transaction_id: REVERSED,
    }
    assert (answer.matched_count, kinds(answer)) == (1, [])
    ended = await world.client.get_transaction(settled.transaction_id)
    assert "settlement of the day" in ended.state_changes[-1].note
    again = await day.settle(rows, close_unresolved=True, note="once more")
    assert (again.matched_count, kinds(again), list(again.closed_transactions)) == (1, [], [])


async def test_a_settlement_begins_with_its_scope(world: World) -> None:
    """Rows before the scope, a second scope and no scope at all are refused by place, and end nothing."""
    scope = v1.ReconcileRequest(
        scope=v1.ReconcileScope(
            provider=GR4VY, start_time=Timestamp(seconds=1), end_time=Timestamp(seconds=2)
        )
    )
    some = v1.ReconcileRequest(row=row("1", new_transaction_id()))
    for parts, place in (([some], 0), ([scope, scope], 1), ([], 0)):
        with refused(*FIELD_INVALID) as caught:
            await world.stubs.reports.Reconcile(iter(parts), timeout=PATIENCE_S)
        assert [violation.field for violation in caught.error.violations] == [f"requests[{place}].scope"]
