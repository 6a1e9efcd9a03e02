"""The wire formats catch a mistake: a wrong name, a wrong type, a missing field, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from giftcard_simulators.jeudimerci.books import API_KEY
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, seeded_ids
from tests.specs.goldens import PROVIDERS, goldens, requests
from tests.specs.validating import HERE, Watched, WireFormat, described

Way = tuple[str | int, ...]

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
DOCUMENTS = [path.stem for path in sorted(HERE.glob("*.yaml"))]
JEUDIMERCI = described("jeudimerci")
GENERATE = SimRequest(
    method="POST",
    path="/jdm/ecards/generate",
    headers={"x-api-key": API_KEY, "content-type": "application/json"},
    body=b'{"numCards": 1, "price": 25.00}',
)
NEEDED = [
    ("electrum", "activate", "id time originator client thirdPartyIdentifiers card product"),
    ("electrum", "load", "card amounts"),
    ("electrum", "redemption", "card amounts"),
    ("electrum", "replace", "oldCard newCard"),
    ("electrum", "transfer", "sourceCard targetCard amounts"),
    ("electrum", "void", "card"),
    ("electrum", "confirmLoad", "id requestId time thirdPartyIdentifiers tenders"),
    ("electrum", "reverseVoid", "id requestId time thirdPartyIdentifiers reversalReason"),
    ("gatepay", "create", "title templateId currency amount"),
    ("jeudimerci", "generateECards", "numCards price"),
    ("gr4vy", "create_transaction", "amount currency"),
    ("gr4vy", "activate_gift_card", "number"),
    ("gr4vy", "issue_gift_card", "theme amount currency"),
]
"""Provider, operation, and the fields that its request cannot be without."""


def misspell(holder: Any, key: Any) -> None:  # noqa: ANN401 - a body is any JSON
    """Give a field another name."""
    holder[f"{key}X"] = holder.pop(key)


def retype(holder: Any, key: Any) -> None:  # noqa: ANN401 - a body is any JSON
    """Give a field a value that no provider has anywhere."""
    holder[key] = [[True]]


def drop(holder: Any, key: Any) -> None:  # noqa: ANN401 - a body is any JSON
    """Take a field out."""
    del holder[key]


def mutant(request: SimRequest, way: Way, edit: Callable[[Any, Any], None]) -> SimRequest:
    """Return the request with one field of its body edited."""
    body = msgspec.json.decode(request.body)
    holder = body
    for step in way[:-1]:
        holder = holder[step]
    edit(holder, way[-1])
    return msgspec.structs.replace(request, body=msgspec.json.encode(body))


def ways(value: object, way: Way = ()) -> Iterator[Way]:
    """Give the way to every field in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*way, key)
        yield from ways(part, (*way, key))


@cache
def samples(provider: str) -> Mapping[str, tuple[WireFormat, SimRequest]]:
    """Return by operation the golden request with the most to say, where one has a body."""
    fullest: dict[str, tuple[WireFormat, SimRequest]] = {}
    for path in goldens(provider):
        for reader, request in requests(path):
            name = reader.name_of(request)
            if len(request.body) > (len(fullest[name][1].body) if name in fullest else 0):
                fullest[name] = (reader, request)
    return fullest


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_name_and_type_is_held(provider: str) -> None:
    """No field of a request can be misspelt, or be of another type, without being noticed.

    Places in a list have no name, and names in metadata and of additional amounts are the caller's.
    """
    assert samples(provider)
    for operation, (reader, request) in samples(provider).items():
        for way in ways(msgspec.json.decode(request.body)):
            is_free = isinstance(way[-1], int) or way[0] == "metadata" or "additionalAmounts" in way[:-1]
            for edit in (retype,) if is_free else (retype, misspell):
                faults = reader.message_faults(mutant(request, way, edit))
                assert faults, (operation, way, edit.__name__)


@pytest.mark.parametrize(("provider", "operation", "fields"), NEEDED)
def test_every_needed_field_is_missed(provider: str, operation: str, fields: str) -> None:
    """A request without a field it needs is noticed, and the fault names the field."""
    reader, request = samples(provider)[operation]
    for field in fields.split():
        faults = "; ".join(reader.message_faults(mutant(request, (field,), drop)))
        assert field in faults, (field, faults)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"path": "/jdm/ecards/generat"}, None),
        ({"query": "n=1"}, "query n: not described"),
        ({"headers": {}}, "header x-api-key: missing"),
        ({"body": b""}, "no body"),
        ({"body": b"{"}, "the body is not JSON"),
        ({"body": b'{"numCards": 0, "price": 25}'}, "numCards: 0 is less than the minimum of 1"),
        ({"body": b'{"numCards": 1, "price": "25"}'}, "price: '25' is not of type 'number'"),
    ],
)
def test_every_part_of_a_request_is_held(change: dict[str, Any], fault: str | None) -> None:
    """Path, query, credentials and body are held, and a fault says where it is."""
    assert not JEUDIMERCI.request_faults(GENERATE)
    request = msgspec.structs.replace(GENERATE, **change)
    if fault is None:
        with pytest.raises(LookupError):
            JEUDIMERCI.request_faults(request)
    else:
        assert JEUDIMERCI.request_faults(request) == [fault]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (SimAnswer(status=418), "status 418: not described"),
        (SimAnswer(status=200), "no body"),
        (
            SimAnswer(status=401, headers={"x-new": "1"}, body=b'{"detail": ""}'),
            "header x-new: not described",
        ),
        (SimAnswer(status=200, body=b'{"eCards": []}'), ": 'status' is a required property"),
        (
            SimAnswer(status=200, body=b'{"eCards": [{"Code": "A"}], "status": ""}'),
            "eCards/0: 'ECardCost' is a required property",
        ),
    ],
)
def test_every_part_of_an_answer_is_held(answer: SimAnswer, fault: str) -> None:
    """Status, headers and body are held, and a fault says where it is."""
    assert fault in JEUDIMERCI.answer_faults(GENERATE, answer)


def test_a_described_header_is_missed() -> None:
    """An answer without a header that it must have is noticed."""
    download = SimRequest(method="GET", path="/stats/exports/accounts-csv")
    faults = JEUDIMERCI.answer_faults(download, SimAnswer(status=200, body=b"a;b"))
    assert faults == ["header content-disposition: missing"]


def test_a_watched_simulator_raises() -> None:
    """A mistake on the way to a simulator, or back, ends the exchange with a sentence."""

    class Careless(JeudiMerciSimulator):
        def answer(self, request: SimRequest) -> SimAnswer:
            told = super().answer(request)
            return msgspec.structs.replace(told, body=told.body.replace(b"ECardCost", b"eCardCost"))

    now, ids = (lambda: AT), seeded_ids(1)
    wrong = msgspec.structs.replace(GENERATE, body=b'{"numCards": 1, "price": 25, "offer": "a"}')
    with pytest.raises(AssertionError, match=r"generateECards 200: request .*'offer' was unexpected"):
        Watched(JeudiMerciSimulator(now=now, ids=ids), JEUDIMERCI).answer(wrong)
    with pytest.raises(AssertionError, match=r"generateECards 200: answer .*'eCardCost' was unexpected"):
        Watched(Careless(now=now, ids=ids), JEUDIMERCI).answer(GENERATE)


def test_a_refused_request_is_held_unless_it_was_meant() -> None:
    """What a simulator refuses is a mistake too, except where a test makes it on purpose."""
    wrong = msgspec.structs.replace(GENERATE, body=b'{"numCards": 0, "price": 25}')
    simulator = JeudiMerciSimulator(now=lambda: AT, ids=seeded_ids(1))
    with pytest.raises(AssertionError, match="generateECards 422: request numCards"):
        Watched(simulator, JEUDIMERCI).answer(wrong)
    meant = Watched(simulator, JEUDIMERCI, may_be_asked_wrongly=True)
    meant.answer(wrong)
    assert meant.seen == {("generateECards", 422)}


def parts(value: object) -> Iterator[dict[str, Any]]:
    """Give every JSON object in a document."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from parts(one)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_sound(name: str) -> None:
    """Every schema is one, every reference leads somewhere, and every component is referred to."""
    document = described(name)
    for schema in document.content["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    referred = {part["$ref"] for part in parts(document.content) if "$ref" in part}
    assert all(document.resolve({"$ref": one}) for one in referred)
    named = {
        f"#/components/{kind}/{one}"
        for kind, members in document.content["components"].items()
        for one in members
        if kind != "securitySchemes"
    }
    assert referred == named
