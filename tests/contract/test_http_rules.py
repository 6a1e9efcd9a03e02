"""Every call has one address for plain HTTP, and no address can hold a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.api import annotations_pb2, field_behavior_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from tests.contract.described import all_methods

HTTP: Any = annotations_pb2.http
BEHAVIOR: Any = field_behavior_pb2.field_behavior


def rule_of(method: MethodDescriptor) -> http_pb2.HttpRule:
    """Return a call's `google.api.http` annotation."""
    rule: http_pb2.HttpRule = method.GetOptions().Extensions[HTTP]
    return rule


def verb_of(method: MethodDescriptor) -> str:
    """Return the verb of a call, such as `post`."""
    return str(rule_of(method).WhichOneof("pattern"))


def path_of(method: MethodDescriptor) -> str:
    """Return the path of a call, such as `/v1/cards:balance`."""
    return str(getattr(rule_of(method), verb_of(method)))


def placed(method: MethodDescriptor) -> list[str]:
    """Return the names of the fields that stand in a call's path."""
    return re.findall(r"{([a-z_]+)}", path_of(method))


def below(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[FieldDescriptor]:
    """Yield the fields of a message, and of every message in it."""
    for field in message.fields:
        yield field
        if field.message_type and field.message_type.full_name not in seen:
            yield from below(field.message_type, seen | {message.full_name})


def in_the_address(method: MethodDescriptor) -> Iterator[FieldDescriptor]:
    """Yield every field of a request that a caller can write into path or query."""
    top = method.input_type.fields_by_name
    yield from (top[name] for name in placed(method))
    if not rule_of(method).body:
        yield from below(method.input_type)


def names_a_secret(method: MethodDescriptor) -> list[str]:
    """Return the secret fields that a call's path or query could hold."""
    return [field.full_name for field in in_the_address(method) if field.GetOptions().debug_redact]


METHODS = all_methods()
EACH = pytest.mark.parametrize("name", METHODS)


@EACH
def test_one_address_each(name: str) -> None:
    """Every call has exactly one address, written below /v1; a POST takes the whole request as its body."""
    rule, verb = rule_of(METHODS[name]), verb_of(METHODS[name])
    assert verb in {"get", "post", "delete"}
    assert re.fullmatch(r"/v1(/[a-zA-Z]+|/{[a-z_]+})+(:[a-zA-Z]+)?", path_of(METHODS[name]))
    assert not rule.additional_bindings
    assert not rule.response_body
    assert rule.body == ("*" if verb == "post" else "")


@EACH
def test_no_secret_in_an_address(name: str) -> None:
    """No field marked `debug_redact` can come to stand in a path or a query, however deep it is."""
    assert names_a_secret(METHODS[name]) == []


def test_a_secret_in_a_query_would_be_found() -> None:
    """A card's number sits three messages deep in Balance, and would be found if Balance were a GET."""
    balance = METHODS["giftcard.v1.GiftCardService.Balance"]
    secrets = {field.full_name for field in below(balance.input_type) if field.GetOptions().debug_redact}
    assert {"giftcard.v1.CardNumber.pan", "giftcard.v1.SwipedCard.track"} <= secrets


@EACH
def test_what_a_query_can_say(name: str) -> None:
    """No map has to go into a query, which has no way to write one."""
    maps = [field.full_name for field in in_the_address(METHODS[name]) if is_map(field)]
    assert maps == []


@EACH
def test_paths_hold_what_is_required(name: str) -> None:
    """What stands in a path is a single text that the call requires anyway."""
    for placeholder in placed(METHODS[name]):
        field = METHODS[name].input_type.fields_by_name[placeholder]
        assert (field.type, field.is_repeated) == (FieldDescriptor.TYPE_STRING, False)
        assert list(field.GetOptions().Extensions[BEHAVIOR]) == [field_behavior_pb2.REQUIRED]


def test_addresses_differ() -> None:
    """No two calls share an address, whatever their placeholders are called."""
    addresses = [(verb_of(each), re.sub("{.*?}", "{}", path_of(each))) for each in METHODS.values()]
    assert len(set(addresses)) == len(METHODS)


@EACH
def test_only_reads_are_got(name: str) -> None:
    """A GET changes nothing: whoever follows a link or repeats a GET moves no money."""
    free = METHODS[name].GetOptions().idempotency_level == MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS
    assert free or verb_of(METHODS[name]) != "get"


@pytest.mark.parametrize("operation", Operation)
def test_operations_are_addressed_alike(operation: Operation) -> None:
    """An operation's three calls are addressed by its name alone."""
    names = names_of(operation)
    calls = [METHODS[f"giftcard.v1.GiftCardService.{rpc}"] for rpc in (names.rpc, *steps(operation))]
    assert [(verb_of(call), path_of(call)) for call in calls] == [
        ("post", f"/v1/transactions:{names.rpc[0].lower()}{names.rpc[1:]}"),
        ("post", f"/v1/transactions/{{transaction_id}}:confirm{names.rpc}"),
        ("post", f"/v1/transactions/{{transaction_id}}:reverse{names.rpc}"),
    ]


def steps(operation: Operation) -> tuple[str, str]:
    """Return the calls that decide an operation."""
    return names_of(operation).confirm_rpc, names_of(operation).reverse_rpc


def is_map(field: FieldDescriptor) -> bool:
    """Return whether a field is a map."""
    return bool(field.message_type and field.message_type.GetOptions().map_entry)
