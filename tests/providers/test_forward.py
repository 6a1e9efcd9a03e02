"""Forward: every operation of every provider is approved and confirmed, and moves the money once."""

from __future__ import annotations

import pytest

from giftcard import to_decimal, v1
from tests.providers.cells import CELLS, Cell
from tests.providers.world import BY_RPC, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

APPROVED = v1.TransactionState.TRANSACTION_STATE_APPROVED
CONFIRMED = v1.TransactionState.TRANSACTION_STATE_CONFIRMED


def shown(card: v1.TransactionCard) -> tuple[str, str] | None:
    """Return a card's balances as the cell has them."""
    if not card.HasField("balances"):
        return None
    book, available = (
        str(to_decimal(getattr(card.balances, name))) if card.balances.HasField(name) else ""
        for name in ("book", "available")
    )
    return book, available


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_an_approval_tells_all(world: World, cell: Cell) -> None:
    """An approval names state, amounts, masked cards in their roles, both balances and references."""
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    assert done.state == APPROVED
    assert (done.provider, v1.Operation.Name(done.operation)) == (
        cell.provider,
        f"OPERATION_{BY_RPC[cell.operation].wire}",
    )
    if cell.requested:
        assert str(to_decimal(done.requested_amount)) == cell.requested
        assert done.approved_amount == done.requested_amount
    assert done.HasField("requested_amount") is bool(cell.requested)
    assert tuple(card.masked_card for card in done.cards) == cell.cards
    assert tuple(card.role for card in done.cards) == (cell.roles if cell.cards else ())
    assert tuple(shown(card) for card in done.cards) == cell.shown
    assert cell.references <= set(done.provider_references)
    assert done.HasField("confirm_by")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
async def test_the_provider_moves_it_once(world: World, cell: Cell) -> None:
    """An approval is one effect in the provider's books, a confirmation at most one more, and no other."""
    provider = world.providers[cell.provider]
    before = await provider.books()
    done = await world.ask(cell.provider, cell.operation, cell.fresh())
    assert await provider.kinds() == [cell.kind]
    assert cell.asked.items() <= (await provider.books()).moved_since(before).items()
    confirmed = await world.confirm(cell.operation, done.transaction_id)
    assert confirmed.state == CONFIRMED
    assert confirmed.confirmed_amount == done.approved_amount
    assert await provider.kinds() == [cell.kind, *["confirm"] * cell.is_confirmation_told]
    assert cell.final.items() <= (await provider.books()).moved_since(before).items()
    again = await world.confirm(cell.operation, done.transaction_id)
    assert again.state == CONFIRMED
    assert len(await provider.effects()) == 1 + cell.is_confirmation_told
