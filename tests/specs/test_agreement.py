"""Our descriptions agree with the documents of others, where those lie beside the repository.

Compared are paths, statuses, credentials, and for every message the fields, the required ones, enums, types,
lengths and patterns. Where only one side tells a fact there is nothing to agree on; ours tell more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from tests.specs.formats import GR4VY_DOCUMENT
from tests.specs.gr4vy_sdk import ID, OPERATIONS
from tests.specs.schemas import Json
from tests.specs.validating import Document, Operation, described, third_party, third_party_bytes

pytestmark = pytest.mark.specs

Facts = dict[str, dict[str, Any]]
"""By place in a message, such as `card/pan`: what is told of it."""

_TOLD = ("minLength", "maxLength", "minItems", "maxItems")
BALANCE = "/v1/pay/balance/query"
"""One path, one entry in the document: of a card in one dialect, of the merchant's account in the other."""
KNOWN: Mapping[str, list[str]] = {
    "reference": [],
    "guide": ["POST /v1/pay/giftcard/create request fields: only theirs ['count']"],
}
"""Where we differ on purpose: an SDK alone has `count`, and no SDK speaks the guide's dialect."""


def facts(document: Document, schema: Json) -> Facts:
    """Return what a schema says of a message, its references followed."""
    found: Facts = {}
    _gather(document, schema, "", found)
    return found


def _gather(document: Document, schema: Json, place: str, found: Facts) -> None:
    here = found.setdefault(place, {})
    if "$ref" in schema:
        _gather(document, document.resolve({"$ref": schema["$ref"]}), place, found)
    for key, fact in _plain_facts(schema):
        here[key] = here[key] | fact if isinstance(fact, frozenset) and key in here else fact
    for name, inner in schema.get("properties", {}).items():
        _gather(document, inner, f"{place}/{name}", found)
    if "items" in schema:
        _gather(document, schema["items"], f"{place}/[]", found)
    if isinstance(schema.get("additionalProperties"), dict):
        _gather(document, schema["additionalProperties"], f"{place}/*", found)
    for choice in schema.get("oneOf", []):
        word = document.resolve(choice)["properties"]["type"]["enum"][0]
        _gather(document, choice, f"{place}/{word}", found)


def _plain_facts(schema: Json) -> Iterator[tuple[str, Any]]:
    if "properties" in schema:
        yield "fields", frozenset(schema["properties"])
    if "required" in schema:
        yield "required", frozenset(schema["required"])
    if "enum" in schema:
        yield "enum", frozenset(map(str, schema["enum"]))
    if "const" in schema:
        yield "enum", frozenset([schema["const"]])
    if isinstance(schema.get("type"), str):
        yield "type", schema["type"]
    if "pattern" in schema:
        yield "pattern", re.sub(r"^\^|(\$|\\Z)$", "", schema["pattern"])
    yield from ((key, schema[key]) for key in _TOLD if key in schema)


def differences(ours: Facts, theirs: Facts) -> Iterator[str]:
    """Say where both tell something of a message, and not the same."""
    for place, told in theirs.items():
        for key, fact in told.items():
            known = ours.get(place, {}).get(key, fact if key == "type" else type(fact)())
            if known != fact:
                yield f"{place} {key}: {_delta(known, fact)}".strip()


def _delta(ours: object, theirs: object) -> str:
    if not (isinstance(ours, frozenset) and isinstance(theirs, frozenset)):
        return f"ours {ours}, theirs {theirs}"
    sides = {"only ours": ours - theirs, "only theirs": theirs - ours}
    return ", ".join(f"{side} {sorted(words)}" for side, words in sides.items() if words)


def electrum() -> Document:
    """Read Electrum's, as the OpenAPI 3.1 that it says the same in."""
    text = third_party_bytes("electrum-giftcard.reconstructed.swagger.json")
    content: Json = msgspec.json.decode(text.replace(b"#/definitions/", b"#/components/schemas/"))
    schemas = content.pop("definitions")
    choices = schemas["Pin"]["x-subtypes"]
    schemas["Pin"] = {"oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in choices.values()]}
    for word, name in choices.items():
        schemas[name]["properties"]["type"]["enum"] = [word]
    for item in content["paths"].values():
        _modernize(item["post"])
    content["components"] = {
        "schemas": schemas,
        "securitySchemes": {"account": {"type": "http", "scheme": "basic"}},
    }
    assert content["securityDefinitions"]["httpBasic"]["type"] == "basic"
    content["servers"] = [{"url": f"https://{content['host']}{content['basePath']}"}]
    return Document({**content, "security": [{"account": []}]})


def _modernize(operation: Json) -> None:
    (body,) = (one for one in operation["parameters"] if one["in"] == "body")
    operation["parameters"] = [one for one in operation["parameters"] if one["in"] != "body"]
    operation["requestBody"] = {"content": {"application/json": {"schema": body["schema"]}}}
    for response in operation["responses"].values():
        response["content"] = {"application/json": {"schema": response["schema"]}}


def messages(document: Document, item: Operation) -> dict[str, Json]:
    """Return the schemas of an operation's request and answers, by `request` or status."""
    holders = {"request": item.request_body or {}, **item.responses}
    contents = {name: document.resolve(one).get("content", {}) for name, one in holders.items()}
    return {
        name: content["application/json"]["schema"]
        for name, content in contents.items()
        if "schema" in content.get("application/json", {})
    }


def by_path(document: Document, paths: Collection[str] | None = None) -> dict[tuple[str, str], Operation]:
    """Return the operations by method and path, the names of parameters left out."""
    return {
        (one.method, re.sub(r"\{\w+\}", "{}", one.template)): one
        for one in document.operations.values()
        if paths is None or one.template in paths
    }


def disagreements(ours: Document, theirs: Document, paths: Collection[str] | None = None) -> list[str]:
    """Say where two documents differ in the operations that both have."""
    mine, others = by_path(ours), by_path(theirs, paths)
    found = [f"{' '.join(key)}: not ours" for key in others.keys() - mine.keys()]
    for key in others.keys() & mine.keys():
        faults = _operation_differences(ours, mine[key], theirs, others[key])
        found += [f"{' '.join(key)} {fault}" for fault in faults]
    return found


def _operation_differences(
    ours: Document, mine: Operation, theirs: Document, other: Operation
) -> Iterator[str]:
    if _needed(mine) != _needed(other):
        yield f"parameters: ours {_needed(mine)}, theirs {_needed(other)}"
    yield from (f"{status}: not ours" for status in other.responses.keys() - mine.responses.keys())
    told = messages(ours, mine)
    for name, schema in messages(theirs, other).items():
        if name not in told:
            yield f"{name}: no body of ours"
        else:
            both = facts(ours, told[name]), facts(theirs, schema)
            yield from (f"{name} {fault}" for fault in differences(*both))


def _needed(operation: Operation) -> set[str]:
    return {one["name"] for one in operation.parameters if one.get("required") and one["in"] != "path"}


def test_electrum_agrees() -> None:
    """The same nineteen operations, by the same names, at the same base path, and every message the same."""
    ours, theirs = described("electrum"), electrum()
    assert not disagreements(ours, theirs)
    names = {key: one.name for key, one in by_path(ours).items()}
    assert names == {key: one.name for key, one in by_path(theirs).items()}
    assert len(names) == 19
    assert ours.content["servers"] == theirs.content["servers"]


@pytest.mark.parametrize(("dialect", "word"), [("reference", "reference"), ("guide", "seed")])
def test_gatepay_agrees(dialect: str, word: str) -> None:
    """The operations that the document gives to a dialect alone are ours, with every message the same."""
    theirs = third_party("gatepay-giftcard.reconstructed.openapi.json")
    paths = {path for path, item in theirs.content["paths"].items() if item["x-dialect"] == word}
    assert len(paths) == len(described(f"gatepay-{dialect}").operations) - 1
    assert disagreements(described(f"gatepay-{dialect}"), theirs, paths) == KNOWN[dialect]


def test_gatepays_shared_path_agrees() -> None:
    """The path that both dialects have answers as in the one, and takes the parameters of the other."""
    theirs = third_party("gatepay-giftcard.reconstructed.openapi.json")
    assert not disagreements(described("gatepay-reference"), theirs, {BALANCE})
    asked = by_path(theirs)["GET", BALANCE].parameters
    ours = by_path(described("gatepay-guide"))["GET", BALANCE].parameters
    assert {one["name"] for one in asked} <= {one["name"] for one in ours}


def test_jeudimerci_agrees() -> None:
    """The two published operations are ours, with every message the same, and so is the credential."""
    ours, theirs = described("jeudimerci"), third_party("kyzpay-jdm.partial.openapi.json")
    assert not disagreements(ours, theirs, {"/jdm/ecards/generate"})
    event = ours.content["webhooks"]["event"]["post"]
    told = theirs.content["paths"]["/jdm/webhook"]["post"]
    both = (
        facts(document, one["requestBody"]["content"]["application/json"]["schema"])
        for document, one in ((ours, event), (theirs, told))
    )
    assert not [*differences(*both)]
    assert event["responses"].keys() == told["responses"].keys()
    (scheme,) = theirs.content["components"]["securitySchemes"].values()
    (mine,) = ours.content["components"]["securitySchemes"].values()
    assert (mine["in"], mine["name"]) == (scheme["in"], scheme["name"])


def test_gr4vy_agrees() -> None:
    """The operations we read with the SDK's models are the document's, by name, place and success."""
    document = third_party(GR4VY_DOCUMENT)
    for ours in OPERATIONS:
        theirs = document.operations[ours.name]
        shape = re.sub(r"\{\w+\}", "{}", theirs.template)
        assert (ours.method, ours.path.replace(ID, "{}")) == (theirs.method, shape)
        assert str(ours.status) in theirs.responses
        assert (ours.body is None) == (theirs.request_body is None)


def test_a_difference_is_seen() -> None:
    """Another field, another requirement, another word, another length: each is named."""
    theirs = electrum()
    schemas = theirs.content["components"]["schemas"]
    del schemas["Card"]["properties"]["rank"]
    schemas["LedgerAmount"]["required"] = ["amount"]
    schemas["LoadReversal"]["properties"]["reversalReason"]["enum"].append("LATE")
    schemas["MerchantName"]["properties"]["city"]["maxLength"] = 14
    found = "\n".join(disagreements(described("electrum"), theirs))
    for place in ("/card fields", "requestAmount required", "reversalReason enum", "city maxLength"):
        assert place in found
