"""The OpenAPI document says what the contract says."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from openapi_spec_validator import OpenAPIV31SpecValidator

from protos import openapi
from tests.contract.described import all_methods

HTTP: Any = annotations_pb2.http
CARD = {"number": {"pan": "6045000000000061", "clearPin": "1234"}}
ID = "0f0b6b8e-9d5c-4a57-9a3b-2f6f0d1c9e11"
MONEY = {"currencyCode": "EUR", "units": "5"}


@pytest.fixture(scope="module", name="document")
def read_document() -> Any:  # noqa: ANN401 - plain YAML has no narrower type
    """Return the committed document."""
    return yaml.safe_load(openapi.DOCUMENT.read_text(encoding="utf-8"))


def calls(document: Any) -> dict[str, tuple[str, str, Any]]:  # noqa: ANN401 - see read_document
    """Return verb, path and operation of each call, by the call's name."""
    return {
        operation["operationId"].replace("_", "."): (verb, path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    }


@pytest.mark.skipif(
    shutil.which("go") is None and not openapi.program().exists(), reason="no Go to build the generator"
)
def test_it_is_up_to_date() -> None:
    """The committed document is what `make openapi` writes."""
    assert openapi.make() == openapi.DOCUMENT.read_text(encoding="utf-8")


def test_it_is_openapi(document: Any) -> None:  # noqa: ANN401 - see read_document
    """A validator that is not ours finds nothing in it, and would find something."""
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    broken = {**document, "paths": {"/v1/cards:balance": {"post": {"responses": {"200": {}}}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors()) != []


def test_every_call_is_there(document: Any) -> None:  # noqa: ANN401 - see read_document
    """It has every call of the contract, where its annotation says, with its scope."""
    expected = {}
    for method in all_methods().values():
        rule = method.GetOptions().Extensions[HTTP]
        verb = rule.WhichOneof("pattern")
        expected[f"{method.containing_service.name}.{method.name}"] = (verb, getattr(rule, verb))
    found = calls(document)
    assert {name: (verb, path) for name, (verb, path, _) in found.items()} == expected
    assert found["GiftCardService.Redeem"][2]["security"] == [{"bearer": ["giftcard.money"]}]


def test_a_stream_is_lines(document: Any) -> None:  # noqa: ANN401 - see read_document
    """A stream's answer is described by one of its lines, and says so."""
    watched = calls(document)["TransactionService.WatchTransactions"][2]["responses"]["200"]
    (schema,) = (content["schema"] for content in watched["content"].values())
    assert schema == {"$ref": "#/components/schemas/giftcard.v1.WatchTransactionsResponse"}
    assert "One JSON object a line." in watched["description"]


def messages() -> dict[str, Descriptor]:
    """Return every message a call's request or answer holds, by full name."""
    return {each.full_name: each for method in all_methods().values() for each in openapi.below(method)}


def secrets() -> Iterator[FieldDescriptor]:
    """Yield every field of the contract that is secret."""
    for message in messages().values():
        yield from (field for field in message.fields if field.GetOptions().debug_redact)


def test_secrets_are_marked(document: Any) -> None:  # noqa: ANN401 - see read_document
    """Every secret field has the format that pages hide, and none is a parameter."""
    schemas = document["components"]["schemas"]
    marked = {
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, its in schema.get("properties", {}).items()
        if its.get("format") == "password"
    }
    assert marked == {re.sub(r"\w+$", field.camelcase_name, field.full_name) for field in secrets()}
    names = {field.camelcase_name for field in secrets()}
    assert {"pan", "clearPin"} <= names
    parameters = {
        re.split(r"\.", parameter["name"])[-1]
        for _, _, operation in calls(document).values()
        for parameter in operation.get("parameters", ())
    }
    assert parameters & names == set()


def faults(document: Any, call: str, body: Any) -> list[str]:  # noqa: ANN401 - see read_document
    """Return what a request's schema has against a body."""
    schema = calls(document)[call][2]["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    return [fault.message for fault in jsonschema.Draft202012Validator(whole).iter_errors(body)]


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("GiftCardService.Balance", {"card": CARD}),
        (
            "GiftCardService.Redeem",
            {"transactionId": ID, "card": CARD, "amount": MONEY, "labels": {"a": "b"}},
        ),
        ("GiftCardService.ConfirmRedeem", {}),
        ("GiftCardService.Lookup", {"card": {"storedCardId": "v1"}}),
        ("TransactionService.WatchTransactions", {"startTime": "2026-11-28T00:00:00Z"}),
        ("ReportService.Reconcile", [{"row": {"rowId": "1", "transactionId": ID, "amount": MONEY}}]),
    ],
)
def test_good_requests_pass(document: Any, call: str, body: Any) -> None:  # noqa: ANN401 - see read_document
    """What the contract takes, the schema of the request takes."""
    assert faults(document, call, body) == []


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("GiftCardService.Balance", {}),
        ("GiftCardService.Balance", {"card": {}}),
        ("GiftCardService.Balance", {"card": {**CARD, "storedCardId": "v1"}}),
        ("GiftCardService.Balance", {"card": {"number": {"pan": "6" * 33}}}),
        ("GiftCardService.Redeem", {"card": CARD, "amount": MONEY}),
        (
            "GiftCardService.Redeem",
            {"transactionId": ID, "card": CARD, "amount": MONEY, "labels": {"a" * 64: "b"}},
        ),
        (
            "GiftCardService.Redeem",
            {"transactionId": ID, "card": CARD, "amount": MONEY, "labels": {"a": "b" * 257}},
        ),
        ("GiftCardService.BatchBalance", {"requests": [{"card": CARD}] * 101}),
        ("TransactionService.WatchTransactions", {"cursor": "c", "startTime": "2026-11-28T00:00:00Z"}),
        ("ReportService.Reconcile", {"row": {}}),
    ],
)
def test_bad_requests_are_found(document: Any, call: str, body: Any) -> None:  # noqa: ANN401 - see read_document
    """What the contract refuses for a missing field, two of a oneof or a bound, the schema refuses too."""
    assert faults(document, call, body) != []
