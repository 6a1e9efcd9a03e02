"""What JSON the door lets through, held against protobuf's own reading of it, and how it refuses the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from giftcard import Client, NotFound, v1
from tests.e2e.envoys import Asked, Door, door, refusing
from tests.fuzz.mutating import NASTY, inputs, placed, ways
from tests.gateway.wire.filled import METHODS, PAN, fill, variants

HTTP: Any = annotations_pb2.http
POSTS = {
    each.GetOptions().Extensions[HTTP].post: each
    for each in METHODS.values()
    if each.GetOptions().Extensions[HTTP].post and not each.client_streaming
}
HERE = "giftcard-fuzz"
"""Stands in an address for what a template has there."""
EXAMPLES = 300
"""Inputs that are drawn: some seconds."""
NO_TEXT = "The request is not what the contract describes"
"""How Envoy's own refusals begin: of what is no UTF-8, which strict.lua leaves to it."""
NUMBERS = (
    *(
        "1",
        "1.0",
        "1e2",
        "10e-1",
        "1.5",
        "-0",
        "-0.0",
        "01",
        "1.",
        ".5",
        "+1",
        "- 1",
        "0x1",
        "1e",
        "1e+",
        "1E-2",
    ),
    *(
        "9007199254740993",
        "9007199254740993.0",
        "90071992547409930e-1",
        "123456789012345.0",
        "1234567890123456.0",
    ),
    *("2147483647", "2147483648", "-2147483648", "-2147483649", "4294967297", "2147483647.0", "2147483648.0"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("0.1e1", "0.01e2", "100e-3", "1e15", "1e14", "0e99999", "0.0000000000000000000000000001", "1e-400"),
)
TEXTS = (
    *('"+1"', '" 1"', '"1 "', '"01"', '"1.0"', '"1e2"', '""', '"-"', '"-0"', '"true"', '"1_0"', '"1\\u0030"'),
    *(
        '"Infinity"',
        '"-Infinity"',
        '"nan"',
        '"inf"',
        '"\\u0031"',
        '"\\x31"',
        '"\\ud83d\\ude00"',
        '"\\ude00\\ud83d"',
    ),
    *(
        '"\\ud83d\\ud83d\\ude00"',
        '"\t"',
        '"\\\\"',
        '"a\\""',
        '"\\/"',
        '"\x7f"',
        '"5s"',
        '"1.5s"',
        '"-3s"',
        '"+3s"',
    ),
    *(
        '"1.0000000001s"',
        '"315576000001s"',
        '"s"',
        '"1 s"',
        '"2026-02-30T00:00:00Z"',
        '"2026-02-28T24:00:00Z"',
    ),
    *(
        '"2024-02-29T00:00:00.5+02:00"',
        '"2025-02-29T00:00:00Z"',
        '"2026-01-01 00:00:00Z"',
        '"2026-01-01T00:00:00"',
    ),
    *(
        '"2026-01-01T00:00:00z"',
        '"2026-01-01T00:00:00.Z"',
        '"2026-01-01T00:00:60Z"',
        '"0001-01-01T00:00:00Z"',
    ),
    *(
        '"ENTRY_MODE_KEYED"',
        '"entry_mode_keyed"',
        "true",
        "false",
        "null",
        "nul",
        "[null]",
        '{"a":null}',
        "[[]]",
    ),
)
VALUES = sorted({*NUMBERS, *TEXTS, *NASTY.values()}, key=lambda one: (len(one), one))


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, list[Asked]]]:
    """Give a door in front of a gateway that keeps what it is asked and answers NOT_FOUND."""
    with (
        refusing(grpc.StatusCode.NOT_FOUND) as (port, asked),
        door(tmp_path_factory.mktemp("json") / "door", port) as opened,
    ):
        yield opened, asked


def seeds() -> list[bytes]:
    """Return a line of address and a body of JSON for every call that has one, with every field filled."""
    found = []
    for address, method in POSTS.items():
        for variant in range(variants(method.input_type)):
            body = json_format.MessageToDict(fill(method.input_type, variant))
            for name in re.findall("{(.*?)}", address):
                body.pop(json_name(method, name), None)
            found.append(f"{address}\n{json.dumps(body)}".encode())
    return found


def json_name(method: MethodDescriptor, name: str) -> str:
    """Return what JSON calls a field of a request."""
    return str(method.input_type.fields_by_name[name].json_name)


def refuse(*_: object) -> NoReturn:
    """Refuse what is no JSON."""
    raise ValueError


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object's members; raise ValueError if one comes twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def meant(method: MethodDescriptor, body: bytes) -> Message:
    """Return what a body means by protobuf's own reading; raise ValueError if it means nothing."""
    plain = json.loads(body.decode(), object_pairs_hook=once, parse_constant=refuse) if body else {}
    message: Message = GetMessageClass(method.input_type)()
    json_format.ParseDict(plain, message)
    rule = method.GetOptions().Extensions[HTTP].post
    for name in re.findall("{(.*?)}", rule):
        assert not getattr(message, name)
        setattr(message, name, HERE)
    return message


def try_one(opened: Door, asked: list[Asked], line: bytes) -> None:
    """Send an input: what passes means what protobuf reads, and the rest is refused as documented."""
    address, _, body = line.partition(b"\n")
    method = POSTS[address.decode()]
    asked.clear()
    answer = opened.ask(re.sub("{.*?}", HERE, address.decode()), body)
    told = answer.json
    if asked:
        assert (answer.status, told["message"]) == (404, "refused")
        heard = GetMessageClass(method.input_type).FromString(asked[0].request)
        assert heard == meant(method, body), body[:500]
        return
    assert (answer.status, told["code"]) == (400, 3)
    assert PAN not in answer.body.decode()
    if told["message"].startswith(NO_TEXT):
        with pytest.raises(UnicodeDecodeError):
            body.decode()
        return
    info, bad = told["details"]
    assert (info["reason"], info["domain"]) == ("FIELD_INVALID", "giftcard.v1")
    assert bad["fieldViolations"]
    assert told["message"] == "; ".join(
        ": ".join(filter(None, (one["field"], one["description"]))) for one in bad["fieldViolations"]
    )


def test_what_passes_is_what_protobuf_reads(echo: tuple[Door, list[Asked]]) -> None:
    """However an input is changed, the gateway hears what it says, or the caller which field is wrong."""
    known = seeds()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
    @given(st.one_of(inputs(known), values(known)))
    def search(line: bytes) -> None:
        try_one(*echo, line)

    search()


@st.composite
def values(draw: st.DrawFn, known: list[bytes]) -> bytes:
    """Draw an input with one value in another's place."""
    seed = draw(st.sampled_from(known))
    return placed(seed, draw(st.sampled_from(ways(seed))), draw(st.sampled_from(VALUES)))


@pytest.mark.parametrize("field", ["units", "nanos", "currencyCode"])
def test_each_way_to_write_a_value(echo: tuple[Door, list[Asked]], field: str) -> None:
    """Every odd way to write an amount is read as protobuf reads it, or refused by the field's name."""
    for value in VALUES:
        try_one(*echo, b'/v1/transactions:redeem\n{"amount":{"%s":%s}}' % (field.encode(), value.encode()))


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (
            {
                "amount": {"units": "+1", "nanos": 0.5, "currencyCode": 710},
                "card": {"number": {"pan": int(PAN)}},
            },
            {
                "amount.units": "must be a whole number of 64 bits, written by its digits",
                "amount.nanos": "must be a whole number of 32 bits, written by its digits",
                "amount.currency_code": "must be a text",
                "card.number.pan": "must be a text",
            },
        ),
        (
            {
                "labels": {"a": None},
                "pointOfSale": [],
                "basket": "x",
                "thirdPartyIdentifiers": {},
                "nano": [1],
            },
            {
                "labels": "must be a text",
                "point_of_sale": "must not be a list",
                "basket": "must be an object",
                "third_party_identifiers": "must not be an object",
                "nano": "is no field of the contract",
            },
        ),
    ],
)
def test_every_bad_field_is_named(
    echo: tuple[Door, list[Asked]], body: object, faults: dict[str, str]
) -> None:
    """A value of another type is refused by its field's name, all of them at once."""
    opened, asked = echo
    asked.clear()
    refused = opened.ask("/v1/transactions:redeem", body)
    found = {one["field"]: one["description"] for one in refused.json["details"][1]["fieldViolations"]}
    assert (refused.status, found, asked) == (400, faults, [])


@pytest.mark.parametrize(
    ("written", "units"),
    [
        ('"1"', 1),
        ("1", 1),
        ("1.0", 1),
        ("1e2", 100),
        ("10e-1", 1),
        ("-1", -1),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_whole_numbers(echo: tuple[Door, list[Asked]], written: str, units: int) -> None:
    """A whole number may be a text of digits, or a number that is whole, as JSON of protobuf has it."""
    opened, asked = echo
    asked.clear()
    opened.ask("/v1/transactions:redeem", f'{{"amount": {{"units": {written}}}}}'.encode())
    assert v1.RedeemRequest.FromString(asked[0].request).amount.units == units


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("wait=5", "wait"),
        ("wait=", "wait"),
        ("wait=%35", "wait"),
        ("wait", "wait"),
        ("wait=5s&wait.seconds=5", ""),
        ("transactionId=1", "transaction_id"),
        (f"{PAN}=1", ""),
    ],
)
def test_a_query_s_values_have_types(echo: tuple[Door, list[Asked]], query: str, field: str) -> None:
    """A value of another type in a query is refused by its field's name, before the gateway hears of it."""
    opened, asked = echo
    asked.clear()
    refused = opened.ask(f"/v1/transactions/{HERE}?{query}")
    assert (refused.status, refused.json["code"], asked) == (400, 3, [])
    assert [one["field"] for one in refused.json["details"][1]["fieldViolations"]] == [field]
    assert PAN not in refused.body.decode()


def test_the_log_tells_how_a_call_ended(tmp_path: Path) -> None:
    """The access log has gRPC's status of a call, whatever HTTP's is, and of what the door refuses itself."""
    with refusing(grpc.StatusCode.NOT_FOUND) as (port, _), door(tmp_path / "door", port) as opened:
        for address, body in (("redeem", b"{}"), ("redeem", b"[]"), ("watch", b"{}"), ("spend", b"{}")):
            opened.ask(f"/v1/transactions:{address}", body)
        with Client(opened.url.removeprefix("http://"), plaintext=True) as client, pytest.raises(NotFound):
            client.get_transaction(HERE)
        opened.stop()
    logged = [json.loads(line) for line in opened.said.splitlines() if line.startswith("{")]
    ended = [
        (one.get("call", "").rpartition("/")[2], one["status"], one["grpc_status"])
        for one in logged
        if one["grpc_status"] is not None
    ]
    assert ended == [
        ("Redeem", 404, 5),
        ("", 400, 3),
        ("WatchTransactions", 404, 5),
        ("", 404, 5),
        ("GetTransaction", 200, 5),
    ]
