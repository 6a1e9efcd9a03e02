"""Load a card, step by step and without a block: `make run` in one terminal, this in another.

Shows what the `with` block of `redeem.py` does by itself: ask, look, then confirm or reverse.
Takes the gateway's address, and the card's number, if they are not the sandbox's own.
"""

from __future__ import annotations

import asyncio
import sys

from giftcard import (
    AsyncClient,
    Card,
    GiftcardError,
    is_approved,
    is_confirmed,
    new_transaction_id,
    raise_for_decline,
    v1,
)

ADDRESS, PAN = "127.0.0.1:50051", "6045000000000061"


async def load(client: AsyncClient, card: Card, *, is_paid: bool) -> v1.Transaction:
    """Add 10.00 to a card, and keep it only if the customer pays."""
    transaction_id = new_transaction_id()
    transaction = await client.load(
        transaction_id=transaction_id, card=card, amount_minor=1000, currency="ZAR"
    )
    raise_for_decline(transaction)
    if is_approved(transaction) and is_paid:
        return await client.confirm_load(transaction_id=transaction_id)
    cancelled = v1.ReversalReason.REVERSAL_REASON_CANCELLED
    return await client.reverse_load(transaction_id=transaction_id, reason=cancelled)


async def main(address: str = ADDRESS, pan: str = PAN) -> None:
    """Load twice at once; the second customer walks away."""
    card = Card.number(pan)
    async with AsyncClient(address, plaintext=True) as client:
        try:
            paid, left = await asyncio.gather(
                load(client, card, is_paid=True), load(client, card, is_paid=False)
            )
        except GiftcardError as error:
            sys.exit(str(error))
    print(f"The first load is {'confirmed' if is_confirmed(paid) else 'open'}.")
    print(f"The second one is {v1.TransactionState.Name(left.state)}.")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
