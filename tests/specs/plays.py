"""Who is asked in the drawn tests: each simulator, what it is sent, and how it refuses a shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from gr4vy import models
from hypothesis import strategies as st
from pydantic import BaseModel

from giftcard_simulators.electrum.simulator import ElectrumSimulator
from giftcard_simulators.gatepay import books
from giftcard_simulators.gatepay.envelope import PARAMETERS, sign
from giftcard_simulators.gatepay.simulator import GatePaySimulator
from giftcard_simulators.gr4vy.books import THEME
from giftcard_simulators.gr4vy.simulator import Gr4vySimulator
from giftcard_simulators.jeudimerci.books import API_KEY
from giftcard_simulators.jeudimerci.simulator import JeudiMerciSimulator
from giftcard_simulators.sandbox import SimAnswer, SimRequest, Simulator, seeded_ids
from tests.simulators.electrum_till import EMPTY, FUNDED, INACTIVE, Till
from tests.simulators.electrum_till import request as post
from tests.simulators.gr4vy_caller import FUNDED as GR4VY_CARD
from tests.simulators.gr4vy_caller import INACTIVE as GR4VY_INACTIVE
from tests.simulators.gr4vy_caller import START, Caller
from tests.specs.drawing import Drawing, Json, Spoilt, Told, mostly
from tests.specs.gr4vy_sdk import ID, OPERATIONS, SdkModels
from tests.specs.validating import Document, Operation, WireFormat, described

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """One simulator, and how it is asked.

    `bodies` has a schema for each operation that takes a body; `told` says what its fields are drawn from.
    `ask` makes a request with a body, under the ids of a second, right one. `complaint` returns what an
    answer says when it refuses a shape, or None. `mend` puts right what one field forbids another. `is_taken`
    tells where more is taken than is described.
    """

    wire: WireFormat
    make: Callable[[], Simulator]
    told: Told
    bodies: Mapping[str, Json]
    ask: Callable[[Simulator, str, Json, Json], SimRequest]
    complaint: Callable[[SimAnswer], str | None]
    is_done: Callable[[SimAnswer], bool] = lambda answer: answer.status < 300
    mend: Callable[[Json], Json] = lambda body: body
    is_taken: Callable[[Spoilt], bool] = lambda _: False


def _bodies(document: Document) -> dict[str, Json]:
    """Return the schema of each body with all that it refers to, so that it stands alone."""
    parts = {"components": document.content["components"]}
    return {
        name: parts | one.request_body["content"]["application/json"]["schema"]
        for name, one in document.operations.items()
        if one.request_body
    }


def _content(answer: SimAnswer) -> Any:  # noqa: ANN401 - an answer is any JSON
    return msgspec.json.decode(answer.body) if answer.body else None


# --- Electrum ---

_ELECTRUM = described("electrum")
_PLAIN_ELECTRUM = Drawing(_ELECTRUM.content, {})
_rand = st.fixed_dictionaries({"amount": st.integers(1, 500), "currency": st.just("710")})
_ledger_amounts = _PLAIN_ELECTRUM.values({"$ref": "#/components/schemas/LedgerAmount"})
_OPERATIONS = {
    "activations": ("activate", INACTIVE),
    "loads": ("load", FUNDED),
    "redemptions": ("redeem", FUNDED),
    "transfers": ("transfer", FUNDED, EMPTY),
    "replaces": ("replace", FUNDED, INACTIVE),
    "voids": ("void", FUNDED),
}
_NOT_ENFORCED = ("expiryDate", "tenders", "items", "transactionIdentifier", "encoding")
"""Documented as required, and not enforced by Electrum's own code."""


def _ask_electrum(simulator: Simulator, name: str, body: Json, right: Json) -> SimRequest:
    operation: Operation = _ELECTRUM.operations[name]
    path = operation.template.replace("{id}", right["id"])
    if "{requestId}" in path:
        done, *cards = _OPERATIONS[path.split("/")[1]]
        amount = None if done in {"replace", "void"} else 100
        asked = Till(simulator).ask(done, *cards, amount=amount, id=right["requestId"])
        assert asked.status == 201, asked.body
        path = path.replace("{requestId}", right["requestId"])
    return post(path, body)


def _electrum_complaint(answer: SimAnswer) -> str | None:
    told = _content(answer) or {}
    return str(told.get("detailMessage")) if told.get("errorType") == "FORMAT_ERROR" else None


ELECTRUM = Play(
    wire=_ELECTRUM,
    make=lambda: ElectrumSimulator(now=lambda: NOW, ids=seeded_ids(1)),
    told={
        "pan": mostly(st.sampled_from([FUNDED, INACTIVE]), "[0-9]{1,19}"),
        "oldCard.pan": mostly(st.just(FUNDED), "[0-9]{1,19}"),
        "newCard.pan": mostly(st.just(INACTIVE), "[0-9]{1,19}"),
        "sourceCard.pan": mostly(st.just(FUNDED), "[0-9]{1,19}"),
        "targetCard.pan": mostly(st.just(EMPTY), "[0-9]{1,19}"),
        **dict.fromkeys(
            (f"{card}.expiryDate" for card in ("card", "oldCard", "newCard", "sourceCard", "targetCard")),
            mostly(st.just("4912"), "[0-9]{4}"),
        ),
        "amounts.requestAmount": mostly(_rand, _ledger_amounts),
        "product.id": mostly(st.just("product001"), "[0-9A-Za-z]{1,100}"),
    },
    bodies=_bodies(_ELECTRUM),
    ask=_ask_electrum,
    complaint=_electrum_complaint,
    is_taken=lambda one: one.how == "missing" and one.field in _NOT_ENFORCED,
)

# --- JeudiMerci ---

_JEUDIMERCI = described("jeudimerci")


def _ask_jeudimerci(_: Simulator, name: str, body: Json, __: Json) -> SimRequest:
    headers = {"x-api-key": API_KEY, "content-type": "application/json"}
    operation = _JEUDIMERCI.operations[name]
    return SimRequest(
        method=operation.method, path=operation.template, headers=headers, body=msgspec.json.encode(body)
    )


def _jeudimerci_complaint(answer: SimAnswer) -> str | None:
    return str([fault["loc"] for fault in _content(answer)["detail"]]) if answer.status == 422 else None


JEUDIMERCI = Play(
    wire=_JEUDIMERCI,
    make=lambda: JeudiMerciSimulator(now=lambda: NOW, ids=seeded_ids(1)),
    told={
        "numCards": mostly(st.integers(1, 20), st.integers(2**30, 2**40)),
        "price": st.integers(1, 50_000).map(lambda cents: cents / 100),
    },
    bodies=_bodies(_JEUDIMERCI),
    ask=_ask_jeudimerci,
    complaint=_jeudimerci_complaint,
)

# --- GatePay ---


def _gatepay(dialect: Literal["reference", "guide"]) -> Play:
    document = described(f"gatepay-{dialect}")
    cards = [card for card in books.opening_cards() if not card.number.startswith(books.ACCOUNT)]

    def ask(_: Simulator, name: str, body: Json, __: Json) -> SimRequest:
        operation = document.operations[name]
        content = msgspec.json.encode(body)
        at, nonce = str(round(NOW.timestamp() * 1000)), "0" * 32
        headers = {
            "content-type": "application/json",
            "x-gatepay-certificate-clientid": books.CLIENT_ID,
            "x-gatepay-timestamp": at,
            "x-gatepay-nonce": nonce,
            "x-gatepay-signature": sign(at, nonce, content),
        }
        return SimRequest(method=operation.method, path=operation.template, headers=headers, body=content)

    def complaint(answer: SimAnswer) -> str | None:
        told = _content(answer)
        return str(told["errorMessage"]) if told.get("code") == PARAMETERS else None

    return Play(
        wire=document,
        make=lambda: GatePaySimulator(now=lambda: NOW, ids=seeded_ids(1), dialect=dialect),
        told={
            "templateId": st.sampled_from([template for template, *_ in books.TEMPLATES]),
            "currency": st.sampled_from(["USDT", "USD", "EUR"]),
            "title": st.one_of(st.sampled_from(sorted(books.COURSES)), st.text(min_size=1)),
            "amount": st.from_regex(r"[1-9][0-9]{0,3}(\.[0-9]{1,6})?", fullmatch=True),
            "count": st.just(1),
            "card_number": st.one_of(st.sampled_from([card.number for card in cards]), st.text(min_size=1)),
            "key": st.one_of(st.sampled_from([card.labels["key"] for card in cards]), st.text(min_size=1)),
        },
        bodies=_bodies(document),
        ask=ask,
        complaint=complaint,
        is_done=lambda answer: _content(answer)["status"] == "SUCCESS",
    )


# --- Gr4vy: its SDK's models, with the bounds that its documents add ---

_UNSET = "#/$defs/Unset"
_TEXT: Json = {"type": "string", "minLength": 1}
_MINOR: Json = {"type": "integer", "minimum": 0, "maximum": 99_999_999}
_BOUNDS: Mapping[str, Json] = {
    **{name: {**_MINOR} for name in ("amount", "tax_amount", "duty_amount", "shipping_amount")},
    **{
        name: {"type": "string", "format": "uuid"}
        for name in ("buyer_id", "id", "payment_service_id", "shipping_details_id", "target_id")
    },
    **{name: {**_TEXT, "maxLength": 200} for name in ("buyer_external_identifier", "theme")},
    **{
        name: {**_TEXT, "maxLength": 100}
        for name in (
            *("customer_reference_number", "merchant_tax_id", "previous_scheme_transaction_id"),
            *("previous_transaction_link_id", "purchase_order_number", "supplier_order_number"),
        )
    },
    "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
    "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    "installment_count": {"type": "integer", "minimum": 1, "maximum": 100},
    "integration_client": {"enum": ["redirect", "web", "android", "ios"]},
    "intent": {"enum": ["authorize", "capture"]},
    "number": {"type": "string", "pattern": "^[0-9]{16,19}$"},
    "payment_source": {"enum": ["ecommerce", "moto", "recurring", "installment", "card_on_file"]},
    "pin": _TEXT,
    "reason": {"type": "string", "maxLength": 100},
    "target_type": {"enum": ["payment-method", "gift-card-redemption"]},
}
"""By field: the models know names and types alone."""


def _parts(schema: Any) -> Iterator[Json]:  # noqa: ANN401 - any part of a schema
    """Give every object in a schema."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _parts(part)


def _schema(model: type[BaseModel]) -> Json:
    """Return a model as a schema: what is unset is not there, and null stands only where it can be sent."""
    longest = 300 if "Refund" in model.__name__ else 200
    all_bounds = {**_BOUNDS, "external_identifier": {**_TEXT, "maxLength": longest}}
    schema: Json = model.model_json_schema()
    parts = schema.get("$defs", {})
    for part in _parts(schema):
        if "anyOf" in part:
            part["anyOf"] = [one for one in part["anyOf"] if one.get("$ref") != _UNSET]
        # The models would take any text for a word that is new at Gr4vy; nobody is to send one.
        if any("enum" in one for one in part.get("anyOf", ())):
            part["anyOf"] = [one for one in part["anyOf"] if one != {"type": "string"}]
    for owner in (schema, *(part for name, part in parts.items() if name.startswith("GiftCard"))):
        for name, told in owner.get("properties", {}).items():
            bounds = all_bounds.get(name)
            if "$ref" in told and bounds:
                owner["properties"][name] = {"anyOf": [bounds, {"type": "null"}]}
            elif bounds:
                owner["properties"][name] = bounds
            elif told.get("anyOf") and told.get("default") is not None:
                told["anyOf"] = [one for one in told["anyOf"] if one.get("type") != "null"]
    return schema


_TOLD_GR4VY = {
    "amount": mostly(st.integers(1, 5_000), st.integers(0, 99_999_999)),
    "number": mostly(st.sampled_from([GR4VY_CARD["number"], GR4VY_INACTIVE["number"]]), "[0-9]{16,19}"),
    "pin": mostly(st.sampled_from([GR4VY_CARD["pin"], GR4VY_INACTIVE["pin"]]), ".{1,8}"),
    "currency": mostly(st.just("USD"), "[A-Z]{3}"),
    "theme": mostly(st.just(THEME), ".{1,200}"),
}


_PAYMENT = _schema(models.TransactionCreate)
_paying = st.fixed_dictionaries(
    {**{name: st.just(text) for name, text in GR4VY_CARD.items()}, "amount": st.integers(1, 5_000)}
)
_TOLD_PAYMENT = {
    **_TOLD_GR4VY,
    "gift_cards": mostly(
        st.lists(_paying, min_size=1, max_size=1),
        Drawing(_PAYMENT, _TOLD_GR4VY).values(_PAYMENT["properties"]["gift_cards"]),
    ),
}


def _ask_gr4vy(simulator: Simulator, name: str, body: Json, right: Json) -> SimRequest:
    """Ask; a refund is one of a fresh transaction, and of its redemption where it says so rightly."""
    paid = {"amount": 5_000, "currency": "USD", "gift_cards": [{**GR4VY_CARD, "amount": 5_000}]}
    operation = next(one for one in OPERATIONS if one.name == name)
    path = operation.path
    headers = {"authorization": Caller().authorization}
    if ID in path:
        content = msgspec.json.encode(paid)
        first = SimRequest(method="POST", path="/transactions", headers=headers, body=content)
        done = _content(simulator.answer(first))
        path = path.replace(ID, done["id"])
        if body.get("target_id") and body["target_id"] == right.get("target_id"):
            body = {**body, "target_id": done["gift_card_redemptions"][0]["id"]}
    return SimRequest(method=operation.method, path=path, headers=headers, body=msgspec.json.encode(body))


def _mend_gr4vy(body: Json) -> Json:
    """Leave out what Gr4vy documents as ruled out by another field."""
    mended = dict(body)
    if body.get("gift_cards"):
        mended["amount"] = sum(item["amount"] for item in body["gift_cards"]) % 100_000_000
        for name in ("payment_method", "payment_source", "merchant_initiated", "async_capture"):
            mended.pop(name, None)
        return mended
    if mended.get("buyer_id") or "theme" in body:
        mended.pop("buyer_external_identifier", None)
    if "number" in body and "amount" in body and (body["amount"] is None) != (body.get("currency") is None):
        mended |= {"amount": None, "currency": None}
    if not body.get("pin") or not body.get("store"):
        for name in ("store", "buyer_id", "buyer_external_identifier"):
            mended.pop(name, None)
    return mended


def _gr4vy_complaint(answer: SimAnswer) -> str | None:
    """Return where a body did not fit; what is refused for its meaning has another message."""
    told = _content(answer) or {}
    is_shape = answer.status == 400 and told["message"] == "Request failed validation"
    return str([one["pointer"] for one in told["details"]]) if is_shape else None


GR4VY = Play(
    wire=SdkModels(),
    make=lambda: Gr4vySimulator(now=lambda: START, ids=seeded_ids(1)),
    told=_TOLD_PAYMENT,
    bodies={one.name: _schema(one.body) for one in OPERATIONS if one.body},
    ask=_ask_gr4vy,
    mend=_mend_gr4vy,
    is_taken=lambda one: (
        len(one.place) > 1 and one.place[0] not in {"gift_cards", "items"}
    ),  # not looked into
    complaint=_gr4vy_complaint,
)

PLAYS = {
    "electrum": ELECTRUM,
    "gatepay guide": _gatepay("guide"),
    "gatepay reference": _gatepay("reference"),
    "gr4vy": GR4VY,
    "jeudimerci": JEUDIMERCI,
}
