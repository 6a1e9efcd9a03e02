"""Gr4vy's error answers: who spoke, what was refused, and whether it may have acted all the same. Pure.

Gr4vy documents a JSON body with every error. Any other body, such as a proxy's page, is from somebody in
between, who knows nothing of the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from giftcard_adapters.calls import Reply
from giftcard_adapters.errors import Unreadable
from giftcard_adapters.gr4vy import codes, wire
from giftcard_adapters.scrub import scrub
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_adapters.values.secret import Secret


def may_have_acted(reply: Reply) -> bool:
    """Tell whether an error leaves open what was done."""
    return reply.status not in codes.REFUSED or not _is_from_gr4vy(reply)


def is_turned_away(reply: Reply) -> bool:
    """Tell whether Gr4vy itself refused a request before it looked at it."""
    return reply.status in codes.NOT_LOOKED_AT and _is_from_gr4vy(reply)


def is_duplicate(reply: Reply) -> bool:
    """Tell whether Gr4vy itself says that such a record is there already."""
    problem = _problem(reply)
    return problem is not None and problem.code == "duplicate_record"


def decline_for(code: str, text: str = "", pin: Secret | None = None) -> Decline:
    """Return the decline for one of Gr4vy's codes; one that is not documented keeps its own name."""
    reason = codes.DECLINES.get(code, DeclineReason.PROVIDER_REFUSED)
    return Decline(reason=reason, provider_code=scrub(code, pin), provider_text=scrub(text, pin))


def decline_of(reply: Reply, pin: Secret | None = None) -> Decline:
    """Return the decline in an error answer: Gr4vy's own body, the 422 list, or a proxy's page.

    Of a detail only the place and the kind are kept, because its message can repeat what was sent.
    """
    problem = _problem(reply)
    if problem is None:
        code = codes.CODE_BY_STATUS.get(reply.status, f"http_{reply.status}")
        return decline_for(code, _violations(_field_problems(reply) or ()), pin)
    places = "; ".join(f"{detail.pointer} {detail.type}".strip() for detail in problem.details)
    decline = decline_for(problem.code, f"{problem.message} {places}".strip(), pin)
    if problem.code == "bad_request" and "limit" in problem.message.lower():
        # A full vault has no code of its own, only a sentence saying that the limit is reached.
        return msgspec.structs.replace(decline, reason=DeclineReason.LIMIT_EXCEEDED)
    return decline


def _is_from_gr4vy(reply: Reply) -> bool:
    if _problem(reply) is not None:
        return True
    return reply.status == HTTPStatus.UNPROCESSABLE_ENTITY and _field_problems(reply) is not None


def _problem(reply: Reply) -> wire.ErrorBody | None:
    """Return the error body that Gr4vy documents; None for any other."""
    try:
        problem, _ = wire.ERROR_BODY.read(reply.body)
    except Unreadable:
        return None
    return problem if problem.type == "error" else None


def _field_problems(reply: Reply) -> Sequence[wire.FieldProblem] | None:
    """Return the list of a 422; None for any other body."""
    try:
        return wire.FIELD_PROBLEMS.read(reply.body)[0].detail
    except Unreadable:
        return None


def _violations(found: Sequence[wire.FieldProblem]) -> str:
    return "; ".join(f"{'.'.join(map(str, violation.loc))} {violation.type}" for violation in found)
