"""How the command line reads a list that comes in pages."""

from __future__ import annotations

from itertools import islice
from typing import cast

from giftcard import Client, v1
from giftcard_gateway.cli.asking import read_pages


class Paged:
    """A client whose second page is empty and not the last."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def list_transactions(
        self,
        *,
        filter: v1.TransactionFilter,  # noqa: A002 - the name in the client
        page_size: int,
        page_token: str,
    ) -> v1.ListTransactionsResponse:
        """Answer with the page of a token."""
        del filter, page_size
        self.tokens.append(page_token)
        names, following = {"": (["a", "b"], "1"), "1": ([], "2"), "2": (["c"], "")}[page_token]
        found = [v1.Transaction(transaction_id=name) for name in names]
        return v1.ListTransactionsResponse(transactions=found, next_page_token=following)


def listed(client: Paged, limit: int) -> list[str]:
    """Return the ids that a list of at most `limit` shows."""
    found = read_pages(cast("Client", client), v1.TransactionFilter(), limit)
    return [one.transaction_id for one in islice(found, limit)]


def test_an_empty_page_does_not_end_a_list() -> None:
    """Only an empty token ends a list."""
    client = Paged()
    assert listed(client, 50) == ["a", "b", "c"]
    assert client.tokens == ["", "1", "2"]


def test_no_page_is_asked_for_beyond_the_limit() -> None:
    """A list that is full asks for no further page."""
    client = Paged()
    assert listed(client, 2) == ["a", "b"]
    assert client.tokens == [""]
