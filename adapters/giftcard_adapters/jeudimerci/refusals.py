"""JeudiMerci's error answers: who spoke, and what was refused. Pure.

The service is written with FastAPI, whose errors are JSON with a `detail`: a 422 so by its page, the others
by assumption. Any other body, and any status that a proxy or a rate limiter gives, is somebody in between.
"""

from __future__ import annotations

from http import HTTPStatus

from giftcard_adapters.calls import Reply
from giftcard_adapters.codec import decode
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.jeudimerci import codes, wire
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.secret import Secret

_UNROUTED = frozenset({"Not Found", "Method Not Allowed"})
"""What FastAPI writes when no such path or method exists, so it proves nothing about a card (assumption)."""


def is_from_between(reply: Reply) -> bool:
    """Tell whether an answer that is no success may be from somebody in between, and so says nothing."""
    is_error = HTTPStatus.BAD_REQUEST <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return not is_error or reply.status in codes.IN_BETWEEN or not complaint_of(reply)


def is_about_this(reply: Reply) -> bool:
    """Tell whether an error is JeudiMerci's own word about what was asked, not about a path or a key."""
    is_ours = not is_from_between(reply) and complaint_of(reply) not in _UNROUTED
    return is_ours and reply.status not in codes.NOT_ABOUT_THIS


def is_gone(reply: Reply) -> bool:
    """Tell whether an answer proves that what its path names does not exist (any more).

    A bare `Not Found` does not: with a wrong path in the settings every card would look deleted.
    """
    return reply.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE} and is_about_this(reply)


def complaint_of(reply: Reply, *secrets: Secret | None) -> str:
    """Return what an error body says, scrubbed of card data; empty when it says nothing readable."""
    try:
        return scrub(decode(reply.body, wire.COMPLAINT).text(), *secrets)
    except Unreadable:
        return ""


def decline_of(reply: Reply, *secrets: Secret | None, missing: DeclineReason | None = None) -> Decline:
    """Return the refusal in an error answer; `missing` is what it means that a thing is gone."""
    reason = codes.DECLINES.get(reply.status, DeclineReason.PROVIDER_REFUSED)
    if missing is not None and is_gone(reply):
        reason = missing
    return Decline(
        reason=reason, provider_code=str(reply.status), provider_text=complaint_of(reply, *secrets)
    )
