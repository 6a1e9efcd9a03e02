"""An operation of two words is called by its right name everywhere: shown with one that is made up."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest

from giftcard import v1
from giftcard.v1 import gift_card_service_pb2
from giftcard_adapters.contract import Provider, traits, traits_of
from giftcard_adapters.values.names import Names, names_of
from giftcard_adapters.values.operations import AnyOperation, MoneyOperation, Operation
from giftcard_adapters.values.outcomes import Outcome, Verdict
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_conformance import NotConforming, cases
from giftcard_gateway.ledger.observer import Observer
from giftcard_gateway.providers import capabilities
from giftcard_gateway.providers.exchanges import Exchanges
from giftcard_gateway.services import gift_cards
from giftcard_gateway.services.gift_cards import GiftCards
from tests.conformance.descriptors import SUBJECTS
from tests.gateway.services.served import Served


class MadeUp(StrEnum):
    """An operation nobody has."""

    CASH_OUT = "CASH_OUT"


class CashOut(MoneyOperation, frozen=True, kw_only=True, tag="CASH_OUT"):
    """Pays a card out."""

    operation = MadeUp.CASH_OUT  # type: ignore[assignment]  # made up


class Till(Provider):
    """Pays cards out."""

    @traits(Guarantee.NONE, Ending.PERSON)
    async def cash_out(self, ask: CashOut) -> Outcome:
        """Pay out."""
        return Outcome(verdict=Verdict.APPROVED, references={"asked": ask.transaction_id})


def test_the_names_of_two_words() -> None:
    """`CASH_OUT` is `cash_out` to call, `CashOut` as an RPC and `Cash out` to people."""
    names = names_of(MadeUp.CASH_OUT)
    assert names == Names(wire="CASH_OUT", method="cash_out", rpc="CashOut", words="Cash out")
    assert (names.confirm_rpc, names.reverse_rpc) == ("ConfirmCashOut", "ReverseCashOut")
    assert (names.confirm_method, names.reverse_method) == ("confirm_cash_out", "reverse_cash_out")


def test_every_operation_is_called_so() -> None:
    """Each operation's struct, RPCs and messages have the names that are worked out from it."""
    assert [struct.__name__ for struct in get_args(AnyOperation)] == [names_of(one).rpc for one in Operation]
    service = gift_card_service_pb2.DESCRIPTOR.services_by_name["GiftCardService"]
    for names in map(names_of, Operation):
        for rpc in (names.rpc, names.confirm_rpc, names.reverse_rpc):
            assert service.methods_by_name[rpc].input_type.name == f"{rpc}Request"
        assert f"OPERATION_{names.wire}" in v1.Operation.keys()  # noqa: SIM118 - an enum of protobuf


def test_it_is_a_method_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter's `cash_out` is found, and stands in the capability table as `Cash out`."""
    declared: Any = traits_of(Till, MadeUp.CASH_OUT)  # type: ignore[arg-type]  # made up
    assert declared.guarantee is Guarantee.NONE
    monkeypatch.setattr(capabilities, "Operation", MadeUp)
    assert "| Cash out | 1 |" in capabilities.markdown([Till])


async def test_it_is_asked_of_the_provider() -> None:
    """The gateway calls the adapter's `cash_out`."""
    till = Till(None, SimpleNamespace())  # type: ignore[arg-type]  # it sends nothing
    connection: Any = SimpleNamespace(provider=till, exchange=nullcontext)
    transaction_id = "5f0c1e1a-3a57-4f0e-9f3e-2f6f2d1b0c11"
    ask: Any = CashOut(transaction_id=transaction_id, requested_at=datetime.now(UTC))
    answer = await Exchanges(Observer()).request(connection, ask)
    assert answer.outcome.references == {"asked": transaction_id}


async def test_its_calls_are_served(monkeypatch: pytest.MonkeyPatch, served: Served) -> None:
    """Its three RPCs are `CashOut`, `ConfirmCashOut` and `ReverseCashOut`."""
    rpcs = {"CashOut", "ConfirmCashOut", "ReverseCashOut"}
    for rpc in rpcs:
        monkeypatch.setattr(v1, f"{rpc}Response", v1.RedeemResponse, raising=False)
    monkeypatch.setattr(gift_cards, "Operation", MadeUp)
    assert rpcs <= GiftCards(served.app.dependencies).calls().keys()


async def test_the_suite_asks_for_its_method() -> None:
    """The conformance suite misses an operation's method under the name it must have."""
    expected: Any = {MadeUp.CASH_OUT: "1"}
    subject = msgspec.structs.replace(SUBJECTS["electrum"], guarantees=expected)
    (case,) = (case for case in cases(subject) if case.name == "row_is_as_expected")
    with pytest.raises(NotConforming, match="cash_out as 1"):
        await case.run()
