"""Spend 25.00 from a demo card of the sandbox: `make run` in one terminal, this in another.

Takes the gateway's address, and the card's number, if they are not the sandbox's own.
"""

from __future__ import annotations

import sys

from giftcard import Card, Client, Declined, GiftcardError, new_transaction_id, to_decimal

ADDRESS, PAN = "127.0.0.1:50051", "6045000000000061"


def show_balance(client: Client, card: Card) -> None:
    """Print what can be spent now."""
    balances = client.balance(card=card).balances
    print(f"{balances.available.currency_code} {to_decimal(balances.available)} can be spent.")


def sell(client: Client, card: Card) -> None:
    """Take the money, hand over the goods, and make it final."""
    # A shop keeps this id with its order before it calls, so that it can ask again after a crash.
    transaction_id = new_transaction_id()
    with client.redemption(
        transaction_id=transaction_id, card=card, amount="25.00", currency="ZAR"
    ) as redemption:
        print(f"{redemption.transaction.transaction_id} is approved: hand over the goods.")
    print("Confirmed.")


def main(address: str = ADDRESS, pan: str = PAN) -> None:
    """Sell, and say what became of it."""
    card = Card.number(pan)
    with Client(address, plaintext=True) as client:
        try:
            show_balance(client, card)
            sell(client, card)
            show_balance(client, card)
        except Declined as declined:
            print(f"Another card, please. {declined}")
        except GiftcardError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
