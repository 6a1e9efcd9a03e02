"""What a person does: ends a transaction by hand, decides it, has what is owed tried now; each for many too.

Every act is a call of the services, with the reason beside it for the audit. For many, what would be done is
shown first; what has moved on in between is refused by the service like any other call. `bulks` does it then.
"""

from __future__ import annotations

import asyncio
import re
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.names import names_of
from giftcard_gateway.http.console.bulks import AT_ONCE, BulkRun, PlannedAct
from giftcard_gateway.http.console.providers import read_providers
from giftcard_gateway.http.console.rows import AT, TAKES, row_of, windows_of
from giftcard_gateway.http.console.transaction import read_transaction
from giftcard_gateway.http.console.visits import LONGEST_S, see
from giftcard_gateway.http.console.words import state_of
from giftcard_gateway.rpc.local import CallRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from google.protobuf.message import Message

    from giftcard_gateway.http.console.rows import ListedTransaction, Windows
    from giftcard_gateway.http.console.visits import Visit

_MOST = 200
_EACH_S = 5.0
"""How long one of many may take; what takes longer goes on, and is told as it stands."""
_KEY = re.compile(r"[0-9a-f-]{36}")
_RESOLUTIONS = {
    "confirmed": v1.Resolution.RESOLUTION_CONFIRMED,
    "reversed": v1.Resolution.RESOLUTION_REVERSED,
}
WORDS = {
    "confirmed": "End as confirmed",
    "reversed": "End as reversed",
    "redeliver": "Try again now",
    "confirm": "Confirm now",
    "reverse": "Reverse now",
    "approve": "Approve",
    "refuse": "Refuse",
}
REVIEWS = {"approve": v1.Review.REVIEW_APPROVED, "refuse": v1.Review.REVIEW_REFUSED}
DECISIONS = ("confirm", "reverse")
"""What its caller should have done, and needs the scope of callers."""


async def resolve(visit: Visit) -> web.Response:
    """End one transaction by hand."""
    if (lacking := _lacking(visit)) or visit.form.text("action") not in _RESOLUTIONS:
        return visit.page(
            "refused.html", status=HTTPStatus.BAD_REQUEST, sentence=lacking or "Say how it is to end."
        )
    return await _act(visit, visit.form.text("action"))


async def redeliver(visit: Visit) -> web.Response:
    """Have what one transaction owes tried at once."""
    if not visit.form.line("reason"):
        return visit.page("refused.html", status=HTTPStatus.BAD_REQUEST, sentence="Give a reason.")
    return await _act(visit, "redeliver")


async def review(visit: Visit) -> web.Response:
    """Approve or refuse the end that somebody else asked for."""
    if (lacking := _lacking(visit)) or visit.form.text("action") not in REVIEWS:
        return visit.page(
            "refused.html", status=HTTPStatus.BAD_REQUEST, sentence=lacking or "Approve it or refuse it."
        )
    return await _act(visit, visit.form.text("action"))


async def decide(visit: Visit) -> web.Response:
    """Confirm or reverse one transaction that nobody decided."""
    lacking = _lacking(visit)
    if lacking or visit.form.text("action") not in DECISIONS:
        return visit.page(
            "refused.html",
            status=HTTPStatus.BAD_REQUEST,
            sentence=lacking or "Say what is to be done with it.",
        )
    return await _act(visit, visit.form.text("action"))


async def _act(visit: Visit, action: str) -> web.Response:
    transaction_id = visit.request.match_info["transaction_id"]
    done = await _do(visit, action, transaction_id, visit.tenant)
    visit.session.notice = f"{WORDS[action]}: it {_stands(done)}."
    return see(visit.address_of(transaction_id, visit.tenant or ""))


async def show_plan(visit: Visit) -> web.Response:
    """Show what would be done with those that were chosen; nothing is done."""
    action, picks = visit.form.text("action"), visit.form.all("pick")
    if action not in TAKES or not 0 < len(picks) <= _MOST:
        sentence = f"Choose between one and {_MOST} transactions, and what to do with them."
        return visit.page("refused.html", status=HTTPStatus.BAD_REQUEST, sentence=sentence)

    def judged(row: ListedTransaction) -> tuple[bool, str]:
        if action in REVIEWS and not row.asked_end:
            return False, "nobody asks to end it"
        is_taken = row.state in TAKES[action]
        return is_taken, "" if is_taken else f"is {row.state}"

    act = _acting(visit, windows_of(await read_providers(visit)), partial(read_transaction, visit), judged)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(pick: str) -> PlannedAct:
        async with room:
            return await act(pick)

    acts = await asyncio.gather(*map(one, dict.fromkeys(picks)))
    return visit.page("plan.html", acts=acts, action=action, words=WORDS[action], key=visit.fresh_key)


async def run_plan(visit: Visit) -> web.Response:
    """Begin to do what was shown, and lead to where it is told what comes of each."""
    session, key = visit.session, visit.form.text("key")
    if key in session.bulks:
        # The form came twice: by a second click, or loaded again.
        return see(f"/bulk/{key}")
    action, picks = visit.form.text("action"), visit.form.all("pick")
    lacking = _lacking(visit)
    if lacking or action not in TAKES or not 0 < len(picks) <= _MOST:
        return visit.page(
            "refused.html", status=HTTPStatus.BAD_REQUEST, sentence=lacking or "Nothing was chosen."
        )
    windows = windows_of(await read_providers(visit))
    if key in session.bulks:
        return see(f"/bulk/{key}")
    run = BulkRun(
        key=key if _KEY.fullmatch(key) else visit.fresh_key,
        words=WORDS[action],
        picks=list(dict.fromkeys(picks)),
        began_at=visit.now,
    )
    session.keep_run(run)
    visit.runs.begin(run, session, _acting(visit, windows, partial(_do, visit, action), _told))
    return see(f"/bulk/{run.key}")


def _acting(
    visit: Visit,
    windows: Windows,
    ask: Callable[[str, str], Awaitable[v1.Transaction]],
    judged: Callable[[ListedTransaction], tuple[bool, str]],
) -> Callable[[str], Awaitable[PlannedAct]]:
    """Return what asks for one that was picked; `judged` says whether it is taken, and in which words."""

    async def act(pick: str) -> PlannedAct:
        transaction_id, _, tenant = pick.partition(AT)
        try:
            one = await ask(transaction_id, tenant)
        except CallRefused as fault:
            return PlannedAct(row=None, pick=pick, is_taken=False, words=str(fault))
        row = row_of(visit, one, windows)
        is_taken, words = judged(row)
        return PlannedAct(row=row, pick=pick, is_taken=is_taken, words=words)

    return act


async def _do(visit: Visit, action: str, transaction_id: str, tenant: str | None) -> v1.Transaction:
    """Do one thing with one transaction; raise CallRefused."""
    reason = visit.form.line("reason")
    request: Message
    name, longest_s = "ResolveTransaction", LONGEST_S
    if action == "redeliver":
        name, longest_s = "RedeliverAdvice", _EACH_S
        request = v1.RedeliverAdviceRequest(transaction_id=transaction_id, note=reason)
    elif action in DECISIONS:
        name, request = _decision(action, await read_transaction(visit, transaction_id, tenant), reason)
        longest_s = _EACH_S
    elif action in REVIEWS:
        asked = (await read_transaction(visit, transaction_id, tenant)).asked_resolution
        request = v1.ReviewResolutionRequest(
            transaction_id=transaction_id,
            # Where nobody asked for one, any will do: the service refuses it and says so.
            resolution=_RESOLUTIONS.get(state_of(asked.state).lower(), v1.Resolution.RESOLUTION_REVERSED),
            review=REVIEWS[action],
            note=reason,
        )
        name = "ReviewResolution"
    else:
        request = v1.ResolveTransactionRequest(
            transaction_id=transaction_id, resolution=_RESOLUTIONS[action], note=reason
        )
    answer = await visit.call(name, request, tenant=tenant, longest_s=longest_s, reason=reason)
    done: v1.Transaction = answer.transaction
    return done


def _decision(action: str, one: v1.Transaction, reason: str) -> tuple[str, Message]:
    """Return the call that decides a transaction by its operation, and what it is asked."""
    names = names_of(v1.Operation.Name(one.operation).removeprefix("OPERATION_"))
    fields: dict[str, object] = {"transaction_id": one.transaction_id, "note": reason}
    if action == "reverse":
        fields["reason"] = v1.ReversalReason.REVERSAL_REASON_CANCELLED
    name = names.confirm_rpc if action == "confirm" else names.reverse_rpc
    request: Message = getattr(v1, f"{name}Request")(**fields)
    return name, request


def _told(row: ListedTransaction) -> tuple[bool, str]:
    return True, f"{row.asked_end}: another has to approve" if row.asked_end else f"is {row.state}"


def _stands(done: v1.Transaction) -> str:
    """Return how it stands after an act, in words."""
    if done.HasField("asked_resolution"):
        return "waits for a second person, who has to approve"
    return f"is {state_of(done.state)} now"


def _lacking(visit: Visit) -> str:
    """Return what an act for good lacks, nothing if it has all."""
    if not visit.form.line("reason"):
        return "Give a reason."
    return "" if visit.form.text("sure") else "Say that you are sure."
