"""For whom a caller acts: whose names are taken, what is left of its rights, and what it still counts as."""

from __future__ import annotations

import msgspec
import pytest

from giftcard_gateway.access.acting import acting
from giftcard_gateway.access.identities import LOCAL, SignIn, caller_of
from giftcard_gateway.access.metadata import PERSON, TENANT
from giftcard_gateway.config.access import Scope
from giftcard_gateway.errors import InvalidRequest, ScopeMissing

OPERATOR = msgspec.structs.replace(LOCAL, name="ops", tenant="house", sign_in=SignIn.API_KEY)


def test_another_tenant_is_read_and_operated_only() -> None:
    """Who acts for another tenant neither moves its money nor sees its secrets."""
    acts = acting(OPERATOR, [(TENANT, "shop")])
    assert (acts.tenant, acts.home, acts.name) == ("shop", "house", "ops")
    assert acts.scopes == {Scope.READ, Scope.OPERATE, Scope.TENANTS}
    few = msgspec.structs.replace(OPERATOR, scopes=frozenset({Scope.READ, Scope.TENANTS}))
    assert acting(few, [(TENANT, "shop")]).scopes == {Scope.READ, Scope.TENANTS}


def test_limits_count_the_caller_and_not_whom_it_acts_for() -> None:
    """An operator draws on its own share, neither on another tenant's nor on a new one for each."""
    assert caller_of(acting(OPERATOR, [(TENANT, "shop")]), "10.0.0.7") == "house/ops"


def test_ones_own_tenant_may_be_named() -> None:
    """Naming the own tenant changes nothing and takes no scope."""
    weak = msgspec.structs.replace(OPERATOR, scopes=frozenset({Scope.MONEY}))
    assert acting(weak, [(TENANT, "house")]) == weak


@pytest.mark.parametrize("tenant", ["shop", "*"])
def test_another_tenant_takes_the_scope(tenant: str) -> None:
    """Without `giftcard.tenants` nobody acts for another tenant, or for all."""
    weak = msgspec.structs.replace(OPERATOR, scopes=OPERATOR.scopes - {Scope.TENANTS})
    with pytest.raises(ScopeMissing) as refused:
        acting(weak, [(TENANT, tenant)])
    assert refused.value.metadata == {"scope": "giftcard.tenants"}


@pytest.mark.parametrize(
    "metadata",
    [
        [(TENANT, "")],
        [(TENANT, "**")],
        [(TENANT, "a shop")],
        [(TENANT, "x" * 129)],
        [(TENANT, b"shop")],
        [(TENANT, "shop"), (TENANT, "shop")],
        [(PERSON, "")],
        [(PERSON, "6045120000000007")],
        [(PERSON, "a6045120000000007")],
        [(PERSON, "ann\x07")],
        [(PERSON, b"ann")],
        [(PERSON, "ann"), (PERSON, "bob")],
    ],
)
def test_what_is_no_name_is_refused(metadata: list[tuple[str, str | bytes]]) -> None:
    """A name that is none, is two, or could be a card number is refused, by the name of its metadata."""
    with pytest.raises(InvalidRequest) as refused:
        acting(OPERATOR, metadata)
    assert [field for field, _ in refused.value.violations] == [metadata[0][0]]


@pytest.mark.parametrize("name", ["ann", "ann.b-c@example.org", "uid:4294967294", "HOUSE\\ann", "_svc"])
def test_a_person_is_kept(name: str) -> None:
    """What operating systems call people is taken as it is."""
    assert acting(LOCAL, [(PERSON, name)]).person == name
