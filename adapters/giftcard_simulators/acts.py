"""What others do at a provider: a holder spends a card, an operator blocks it, an event is sent.

Each simulator has a table of such verbs; `GET /_sandbox/act` lists it and `POST /_sandbox/act` plays one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from giftcard_simulators.bank import BalanceChange, Bank, BankCard
from giftcard_simulators.sandbox import Plain, SimRequest

if TYPE_CHECKING:
    from giftcard_simulators.sandbox import Simulator


class ActError(Exception):
    """What was asked cannot be done; the text says why."""


PlayAct = Callable[..., SimRequest | None]
"""`(simulator, **fields) -> event to post, or None`; a text or a number for every field."""


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One verb: what it does, its fields with what each means, and the function that plays it."""

    does: str
    takes: Mapping[str, str]
    play: PlayAct
    sends: bool = False
    """Whether it makes an event, which is posted to `url`."""


class ActRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a `POST /_sandbox/act`."""

    verb: str
    url: str = ""
    """Where to send an event; left out, the gateway that was started with the simulators."""
    fields: dict[str, str | int] = {}


def listed(acts: Mapping[str, Act]) -> Plain:
    """Return a table of verbs for people."""
    return {
        verb: {"does": act.does, "fields": dict(act.takes), "sends": act.sends} for verb, act in acts.items()
    }


def read(body: bytes) -> ActRequest:
    """Return what is asked; raise ActError for a body that says nothing."""
    try:
        return msgspec.json.decode(body, type=ActRequest)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ActError(f"the body is not an act: {fault}") from None


def play(simulator: Simulator, asked: ActRequest) -> SimRequest | None:
    """Do what is asked and return the event to send, if any; raise ActError when it cannot be done."""
    act = simulator.acts.get(asked.verb)
    if act is None:
        verbs = ", ".join(simulator.acts) or "none"
        raise ActError(f"{simulator.name} has no verb {asked.verb!r}; it has: {verbs}")
    if wrong := asked.fields.keys() ^ act.takes.keys():
        raise ActError(
            f"{asked.verb} takes {', '.join(act.takes)}; wrong or missing: {', '.join(sorted(wrong))}"
        )
    return act.play(simulator, **asked.fields)


def card_of(bank: Bank, number: object) -> BankCard:
    """Return a card; raise ActError where there is none."""
    card = bank.find(str(number))
    if card is None:
        raise ActError("no such card")
    return card


def spend(bank: Bank, card: BankCard, minor: object) -> None:
    """Take money off a card, as another till would; raise ActError for more than is on it."""
    if not isinstance(minor, int) or not 0 < minor <= card.available_minor:
        raise ActError(f"amount_minor must be a whole number from 1 to {card.available_minor}")
    bank.post(
        "redeem",
        "elsewhere",
        changes=[BalanceChange(card=card.number, book_minor=-minor, available_minor=-minor)],
        amount_minor=minor,
        currency=card.currency,
    )


CARD = {"card": "the card's number"}
CARD_AND_AMOUNT = {**CARD, "amount_minor": "how much, in minor units"}
