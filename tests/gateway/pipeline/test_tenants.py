"""Keys: what each tenant's ids become, so that none meets another's."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from giftcard_gateway.ledger.tenants import DEFAULT_TENANT, key_of

IDS = st.uuids(version=4).map(str)
MARKED = IDS.map(lambda each: f"{each[:-8]}6b65795f")
TENANTS = st.sampled_from((DEFAULT_TENANT, "shop", "shop-2", "s", "hop"))


@given(TENANTS, IDS | MARKED, TENANTS, IDS | MARKED)
def test_keys_differ_as_what_they_are_made_of(one: str, first: str, other: str, second: str) -> None:
    """Two keys are the same only for the same tenant and id."""
    assert (key_of(one, first) == key_of(other, second)) == ((one, first) == (other, second))


@given(TENANTS, IDS | MARKED)
def test_keys_are_what_providers_document(tenant: str, asked_id: str) -> None:
    """Every key is a version 4 UUID in lower case, and the same each time."""
    key = key_of(tenant, asked_id)
    assert str(uuid.UUID(key)) == key
    assert (uuid.UUID(key).version, uuid.UUID(key).variant) == (4, uuid.RFC_4122)
    assert key_of(tenant, asked_id) == key


@given(st.text(min_size=1).filter(lambda text: text != DEFAULT_TENANT), IDS, IDS | MARKED)
def test_no_raw_id_is_a_derived_one(tenant: str, asked_id: str, chosen: str) -> None:
    """Whatever id `default` chooses, also one that it saw at the provider, its key is not that of another."""
    seen = key_of(tenant, asked_id)
    assert key_of(DEFAULT_TENANT, seen) != seen
    assert key_of(DEFAULT_TENANT, chosen) != seen


@given(IDS)
def test_ids_of_the_default_tenant_stay(asked_id: str) -> None:
    """What was written before there were tenants is found under its id."""
    assert key_of(DEFAULT_TENANT, asked_id) == asked_id
