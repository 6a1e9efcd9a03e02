"""The 19 paths: which operation and which message a request's path names, and how a body is read."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from giftcard_simulators.electrum import messages
from giftcard_simulators.electrum.rules import RULES, RequestRule

BASE_PATH = "/giftcard/v3"
"""The path's prefix in the published documents; a later version would be `/giftcard/v4`."""

LOOKUP = "lookupGiftcard"

_RULES = {rule.segment: rule for rule in RULES}
_PATH = re.compile(
    rf"{BASE_PATH}/(?P<segment>{'|'.join(_RULES)}|{LOOKUP})/(?P<request>[^/]+)"
    r"(?:/(?P<phase>confirmations|reversals)/(?P<advice>[^/]+))?"
)

M = TypeVar("M", bound=messages.TransactionMessage | messages.AdviceMessage)
"""Any message of the interface."""


class Phase(StrEnum):
    """The three messages of an operation: request, confirmation, reversal."""

    REQUEST = "REQUEST"
    CONFIRMATION = "CONFIRMATION"
    REVERSAL = "REVERSAL"


_PHASES = {None: Phase.REQUEST, "confirmations": Phase.CONFIRMATION, "reversals": Phase.REVERSAL}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a path names; `rule` is None for a lookup."""

    path: str
    rule: RequestRule | None
    phase: Phase
    request_id: str
    message_id: str

    @property
    def request_type(self) -> str:
        """The message's name in an ErrorDetail, such as `LOAD_REVERSAL`."""
        return f"{self.rule.name if self.rule else 'LOOKUP'}_{self.phase}"


def find_target(path: str) -> Target | None:
    """Return what a path names, or None when the interface has no such path."""
    found = _PATH.fullmatch(path)
    if found is None or (found["segment"] == LOOKUP and found["phase"]):
        return None
    return Target(
        path=path,
        rule=_RULES.get(found["segment"]),
        phase=_PHASES[found["phase"]],
        request_id=found["request"],
        message_id=found["advice"] or found["request"],
    )


_BODIES: tuple[type[msgspec.Struct], ...] = (
    messages.LookupRequest,
    messages.Reversal,
    *(rule.request for rule in RULES),
    *{rule.confirmation for rule in RULES},
)
_DECODERS: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind, strict=False) for kind in _BODIES
}


def read_message(body: bytes, kind: type[M]) -> M:
    """Read a body; raise msgspec.DecodeError or UnicodeDecodeError when it is not a `kind`."""
    message: M = _DECODERS[kind].decode(body)
    return message
