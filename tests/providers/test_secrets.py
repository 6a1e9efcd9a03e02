"""Secrets of new cards: told by Issue and its replay, masked elsewhere, sealed on disk (rule 16)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from giftcard import v1
from tests.patience import PATIENCE_S
from tests.providers.cells import CELLS, VAULTED, VAULTED_PIN, WITH_PIN, Cell
from tests.providers.conftest import OpenWorld
from tests.providers.world import ELECTRUM, GR4VY, JEUDIMERCI, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONFIRMED = v1.TransactionState.TRANSACTION_STATE_CONFIRMED
ISSUES = [cell for cell in CELLS if cell.operation == "Issue"]
SECRETS = ("number", "pin", "redemption_key", "redemption_url", "barcode")


def secrets_of(transaction: v1.Transaction) -> list[str]:
    """Return every secret of a transaction's new cards."""
    return [text for card in transaction.issued_cards for name in SECRETS if (text := getattr(card, name))]


@pytest.mark.parametrize("cell", ISSUES, ids=lambda cell: cell.name)
async def test_issue_and_its_replay_tell_them(world: World, cell: Cell) -> None:
    """Every card that was asked for comes with its secrets and its amount, and the replay tells the same."""
    fields = cell.fresh()
    done = await world.ask(cell.provider, "Issue", fields)
    assert len(done.issued_cards) == cell.quantity
    for card in done.issued_cards:
        assert tuple(name for name in SECRETS if getattr(card, name)) == cell.issued
        assert card.amount == done.requested_amount
    assert len(set(secrets_of(done))) == cell.quantity * len(cell.issued)
    assert (await world.ask(cell.provider, "Issue", fields)).issued_cards == done.issued_cards
    await world.confirm("Issue", done.transaction_id)
    assert (await world.ask(cell.provider, "Issue", fields)).issued_cards == done.issued_cards


@pytest.mark.parametrize("cell", ISSUES, ids=lambda cell: cell.name)
async def test_nobody_else_tells_them(world: World, cell: Cell) -> None:
    """GetTransaction, ListTransactions, WatchTransactions and ConfirmIssue show the cards masked."""
    done = await world.ask(cell.provider, "Issue", cell.fresh())
    secrets = secrets_of(done)
    listed = await world.client.list_transactions(page_size=1)
    told = [
        await world.client.get_transaction(done.transaction_id),
        *listed.transactions,
        await world.confirm("Issue", done.transaction_id),
    ]
    start = v1.WatchTransactionsRequest(start_time=done.create_time)
    watching = world.stubs.transactions.WatchTransactions(start, timeout=PATIENCE_S)
    async for change in watching:
        told.append(change.transaction)
        if change.transaction.state == CONFIRMED:
            break
    watching.cancel()
    for one in told:
        if one.transaction_id == done.transaction_id:
            assert len(one.issued_cards) == cell.quantity
            assert not secrets_of(one)
        assert not any(secret in str(one) for secret in secrets)


async def test_a_reversed_issue_tells_them_no_more(world: World) -> None:
    """Once its cards are deleted, the replay of an issue shows them masked: they are nobody's."""
    cell = next(cell for cell in ISSUES if cell.provider == JEUDIMERCI)
    fields = cell.fresh()
    done = await world.ask(JEUDIMERCI, "Issue", fields)
    await world.reverse("Issue", done.transaction_id)
    assert not secrets_of(await world.ask(JEUDIMERCI, "Issue", fields))


async def test_the_journal_holds_none_in_clear(own_world: OpenWorld, tmp_path: Path) -> None:
    """No number, PIN, key or URL stands readable in the journal's file, neither asked with nor issued."""
    world = await own_world()
    secrets = {WITH_PIN, VAULTED}
    for cell in CELLS:
        done = await world.ask(cell.provider, cell.operation, cell.fresh())
        secrets |= set(secrets_of(done))
    assert VAULTED_PIN not in secrets
    with closing(sqlite3.connect(tmp_path / "journal.db")) as journal:
        journal.execute("PRAGMA wal_checkpoint(FULL)")
    written = read_all(tmp_path)
    assert world.providers[ELECTRUM].heard
    assert world.providers[GR4VY].heard
    assert [secret for secret in secrets if secret.encode() in written] == []
    assert done.transaction_id.encode() in written


def read_all(folder: Path) -> bytes:
    """Return every byte of the journal's files."""
    return b"".join(file.read_bytes() for file in folder.glob("journal.db*"))
