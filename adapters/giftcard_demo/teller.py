"""Makes the demo's calls and words their results."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

import grpc
import msgspec

from giftcard import Card, new_transaction_id, read_error, to_decimal, v1

if TYPE_CHECKING:
    from google.type.money_pb2 import Money

    from giftcard import Client
    from giftcard_simulators.catalogue import Sandbox

_ADMIN_TIMEOUT_S = 5.0


class NoSandbox(Exception):
    """No sandbox answers there; the demo moves only money that is not real."""


class Step(NamedTuple):
    """One line of the demo: what was done, its result, and the card's available balance afterwards."""

    what: str
    came_to: str
    balance: str = ""


class Teller:
    """Plays at one sandbox provider."""

    def __init__(self, client: Client, host: str, sandbox: Sandbox) -> None:
        """Speak to the gateway through `client`, about the cards of the `sandbox` on `host`."""
        self.client = client
        self._host = host
        self.provider = sandbox.provider_id
        self.currency = sandbox.currency
        self._sandbox = sandbox

    def card(self, name: str) -> Card:
        """Return one of the sandbox's demo cards."""
        number, pin = self._sandbox.demo_cards[name]
        return Card.number(number, pin=pin or None)

    def money(self, amount: str) -> str:
        """Return an amount as the demo writes it."""
        return f"{self.currency} {amount}"

    def new_id(self) -> str:
        """Return an id for the next transaction."""
        return new_transaction_id()

    def balance(self, card: Card) -> str:
        """Return what a card can spend, asked of the provider through the gateway."""
        told = self.client.balance(card=card, provider=self.provider).balances
        return shown(told.available) if told.HasField("available") else shown(told.book)

    def download(self, export_id: str) -> bytes:
        """Return an export file; raises CallError. A stream is asked of the stubs, which raise gRPC's own."""
        wanted = v1.DownloadExportRequest(provider=self.provider, export_id=export_id)
        try:
            return b"".join(part.chunk for part in self.client.stubs.reports.DownloadExport(wanted))
        except grpc.RpcError as fault:
            raise read_error(fault) from None

    def told(self, what: str, transaction: v1.Transaction, card: Card | None = None) -> Step:
        """Return the step that ends in `transaction`, with the balance of `card` after it."""
        state = v1.TransactionState.Name(transaction.state).removeprefix("TRANSACTION_STATE_")
        if transaction.HasField("decline"):
            state += f" ({v1.DeclineReason.Name(transaction.decline.reason).removeprefix('DECLINE_REASON_')})"
        return Step(what, state, self.balance(card) if card else "")

    def reset(self) -> None:
        """Reset the simulator, so that the demo is the same every time; raises NoSandbox."""
        self._administer("reset", None)

    def go_wrong(self, fault: str) -> None:
        """Put a fault in the sandbox's script for the next request to the provider."""
        self._administer("faults", [{"match": {"method": "POST"}, "fault": fault, "times": 1}])

    def _administer(self, path: str, content: object) -> None:
        request = urllib.request.Request(
            f"http://{self._host}:{self._sandbox.port}/_sandbox/{path}",
            data=b"" if content is None else msgspec.json.encode(content),
            headers={"content-type": "application/json"},
            method="POST",
        )
        try:
            urllib.request.urlopen(request, timeout=_ADMIN_TIMEOUT_S).close()  # noqa: S310 - as above
        except urllib.error.URLError:
            raise NoSandbox(
                f"the simulator of {self.provider} does not answer on {self._host}:{self._sandbox.port}"
            ) from None


def shown(money: Money) -> str:
    """Return an amount with its currency, as a person reads it."""
    return f"{money.currency_code} {to_decimal(money)}" if money.currency_code else "not told"
