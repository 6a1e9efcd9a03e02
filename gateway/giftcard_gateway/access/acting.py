"""For whom a caller acts: another tenant, which an operator names, and the person, with their reason.

All are metadata. Acting for another tenant takes the scope `giftcard.tenants` and leaves of the others
reading and operating: nobody moves another tenant's money with it, or sees its secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.scrub import mask
from giftcard_gateway.access.metadata import EVERY_TENANT, PERSON, REASON, TENANT
from giftcard_gateway.config.access import CallerName, Scope
from giftcard_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from giftcard_gateway.access.identities import Identity

OF_EVERY_TENANT = ("ListTransactions", "WatchTransactions", "StreamEvents", "ListProviders")
"""The calls that may be made for every tenant at once; any other would have to leave the `*` unread."""
_NAMES = f"{', '.join(OF_EVERY_TENANT[:-1])} and {OF_EVERY_TENANT[-1]}"
_KEPT = frozenset({Scope.READ, Scope.OPERATE, Scope.TENANTS})
_PERSON = re.compile(r"[A-Za-z_][A-Za-z0-9._:@\\-]{0,63}")
_LONGEST_REASON = 1000
_SHORTEST_NUMBER = 8
"""Digits in a row that could be a card's."""
_MOST_DIGITS = 10
"""A user's number has so many; a card's has more, and the audit must hold none."""


def acting(
    identity: Identity, metadata: Iterable[tuple[str, str | bytes]], *, takes_every: bool = True
) -> Identity:
    """Return the identity as it acts in a call with this metadata; `takes_every` for calls of every tenant.

    Raises ScopeMissing for another tenant without `giftcard.tenants`, and InvalidRequest for what is no name.
    """
    tenant = person = why = ""
    for key, value in metadata:
        if key == TENANT:
            tenant = _tenant(tenant, value)
        elif key == PERSON:
            person = _person(person, value)
        elif key == REASON:
            why = _why(why, value)
    if person or why:
        identity = msgspec.structs.replace(identity, person=person, why=why)
    if tenant in {"", identity.tenant}:
        return identity
    identity.demand(Scope.TENANTS)
    if tenant == EVERY_TENANT and not takes_every:
        raise InvalidRequest([(TENANT, f"must name one tenant here: * is for {_NAMES}")])
    return msgspec.structs.replace(
        identity, tenant=tenant, home=identity.tenant, scopes=identity.scopes & _KEPT
    )


def without_numbers(words: str) -> str:
    """Return what a person said without what could be a card's number."""
    return mask(words, _SHORTEST_NUMBER)


def _tenant(before: str, named: str | bytes) -> str:
    try:
        tenant = named if named == EVERY_TENANT else msgspec.convert(named, CallerName)
    except msgspec.ValidationError:
        tenant = ""
    if before or not tenant:
        raise InvalidRequest([(TENANT, "must be one tenant's name, or * for all")])
    return str(tenant)


def _why(before: str, said: str | bytes) -> str:
    """Return a reason without what could be a card's number: the audit must hold none."""
    if before or not isinstance(said, str) or not said.isprintable() or len(said) > _LONGEST_REASON:
        raise InvalidRequest([(REASON, f"must be one line of at most {_LONGEST_REASON} characters")])
    return without_numbers(said)


def _person(before: str, named: str | bytes) -> str:
    is_name = isinstance(named, str) and _PERSON.fullmatch(named) is not None
    if before or not is_name or sum(map(str.isdigit, str(named))) > _MOST_DIGITS:
        raise InvalidRequest([(PERSON, "must be one name of a person, as an operating system has it")])
    return str(named)
