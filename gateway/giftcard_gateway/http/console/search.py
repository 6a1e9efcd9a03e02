"""Finding transactions: by id, card, terminal, reference, merchant, time, state and provider.

What is looked for stays in the session, under a key that stands in the address; so a card's number stands in
no address, page or log, and a page of results can be read again, and the next one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.http.console.providers import read_providers
from giftcard_gateway.http.console.rows import row_of, windows_of
from giftcard_gateway.http.console.visits import see
from giftcard_gateway.http.console.words import state_of, time_of
from giftcard_gateway.rpc.local import CallRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from giftcard_gateway.http.console.visits import Form, Visit

_PAGE = 50
_MOST_BYTES = 4096
"""What is kept of one search; nothing that could be found needs more."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_STATES = tuple(state_of(number) for number in v1.TransactionState.values() if number)


async def show_search(visit: Visit) -> web.Response:
    """Show the form."""
    return await _page(visit, v1.TransactionFilter())


async def begin_search(visit: Visit) -> web.Response:
    """Keep what is looked for and go on to what is found; an id leads to its transaction."""
    form = visit.form
    if transaction_id := form.text("transaction_id"):
        if not _UUID.fullmatch(transaction_id):
            return await _page(visit, v1.TransactionFilter(), sentence="A transaction's id is a UUID.")
        return see(f"/transactions/{transaction_id.lower()}")
    try:
        wanted = _filter(form)
    except ValueError as fault:
        return await _page(visit, v1.TransactionFilter(), sentence=str(fault))
    if wanted.ByteSize() > _MOST_BYTES:
        sentence = "That is too much to look for."
        return await _page(visit, v1.TransactionFilter(), sentence=sentence)
    key = visit.fresh_key
    visit.session.keep(key, wanted)
    return see(f"/search/{key}")


async def show_found(visit: Visit) -> web.Response:
    """Show a page of what is found."""
    wanted = visit.session.searches.get(visit.request.match_info["key"])
    if wanted is None:
        return await _page(visit, v1.TransactionFilter(), sentence="That search is over: begin another.")
    asked = v1.ListTransactionsRequest(
        filter=wanted, page_size=_PAGE, page_token=visit.request.query.get("page", "")
    )
    try:
        found = await visit.call("ListTransactions", asked)
    except CallRefused as fault:
        if fault.code != "INVALID_ARGUMENT":
            raise
        return await _page(visit, wanted, sentence=str(fault))
    return await _page(visit, wanted, found=found.transactions, token=found.next_page_token)


async def _page(
    visit: Visit,
    wanted: v1.TransactionFilter,
    *,
    found: Sequence[v1.Transaction] | None = None,
    token: str = "",
    sentence: str = "",
) -> web.Response:
    """Show the form, filled with what was looked for but its card, and what was found."""
    providers = await read_providers(visit)
    windows = windows_of(providers)
    pan = wanted.card.number.pan
    return visit.page(
        "search.html",
        status=HTTPStatus.BAD_REQUEST if sentence else HTTPStatus.OK,
        sentence=sentence,
        wanted=wanted,
        card=Secret(pan).masked_number() if pan else "",
        since=time_of(wanted.created_from),
        until=time_of(wanted.created_before),
        states=_STATES,
        chosen={state_of(one) for one in wanted.states},
        providers=[one.provider for one in providers],
        rows=None if found is None else [row_of(visit, one, windows) for one in found],
        token=token,
    )


def _filter(form: Form) -> v1.TransactionFilter:
    """Return what a form looks for; raise ValueError with a sentence that repeats nothing of it."""
    wanted = v1.TransactionFilter(
        states=[
            v1.TransactionState.Value(f"TRANSACTION_STATE_{one}")
            for one in form.all("state")
            if one in _STATES
        ],
        providers=[one for one in form.all("provider") if one],
        merchant_id=form.text("merchant_id"),
        terminal_id=form.text("terminal_id"),
        external_reference=form.text("external_reference"),
    )
    if card := re.sub(r"[\s-]", "", form.text("card")):
        wanted.card.number.pan = card
    for name, at in (("since", wanted.created_from), ("until", wanted.created_before)):
        if written := form.text(name):
            try:
                at.FromDatetime(datetime.fromisoformat(written).replace(tzinfo=UTC))
            except ValueError:
                raise ValueError(f"{name.capitalize()} is no date and time.") from None
    return wanted
