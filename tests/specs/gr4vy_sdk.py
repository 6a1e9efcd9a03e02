"""Gr4vy's wire format as its official SDK knows it: the models it writes requests and reads answers with.

The models know names, types and enums; they know no lengths, patterns or bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import msgspec
from gr4vy import errors, models
from gr4vy.utils import FieldMetadata
from pydantic import BaseModel, ValidationError

from giftcard_simulators.sandbox import SimAnswer, SimRequest
from tests.specs.schemas import Schema

ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class SdkOperation(msgspec.Struct, frozen=True):
    """One operation: how it is asked for, and the models of its answer, body and query."""

    name: str
    method: str
    path: str
    answer: type[BaseModel] | None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200


OPERATIONS = (
    SdkOperation(
        "create_gift_card", "POST", "/gift-cards", models.GiftCard, models.GiftCardCreate, status=201
    ),
    SdkOperation(
        "list_gift_cards", "GET", "/gift-cards", models.GiftCards, query=models.ListGiftCardsRequest
    ),
    SdkOperation("get_gift_card", "GET", f"/gift-cards/{ID}", models.GiftCard),
    SdkOperation("delete_gift_card", "DELETE", f"/gift-cards/{ID}", None, status=204),
    SdkOperation(
        "list_gift_card_balances",
        "POST",
        "/gift-cards/balances",
        models.GiftCardSummaries,
        models.GiftCardBalanceRequest,
    ),
    SdkOperation(
        "activate_gift_card",
        "POST",
        "/gift-cards/activations",
        models.GiftCard,
        models.GiftCardActivationCreate,
        status=201,
    ),
    SdkOperation(
        "issue_gift_card",
        "POST",
        "/gift-cards/issuances",
        models.GiftCardIssuance,
        models.GiftCardIssuanceCreate,
        status=201,
    ),
    SdkOperation(
        "list_buyer_gift_cards",
        "GET",
        "/buyers/gift-cards",
        models.GiftCardSummaries,
        query=models.ListBuyerGiftCardsRequest,
    ),
    SdkOperation(
        "create_transaction",
        "POST",
        "/transactions",
        models.Transaction,
        models.TransactionCreate,
        status=201,
    ),
    SdkOperation(
        "list_transactions",
        "GET",
        "/transactions",
        models.TransactionSummaries,
        query=models.ListTransactionsRequest,
    ),
    SdkOperation("get_transaction", "GET", f"/transactions/{ID}", models.Transaction),
    SdkOperation(
        "create_transaction_refund",
        "POST",
        f"/transactions/{ID}/refunds",
        models.Refund,
        models.TransactionRefundCreate,
        status=201,
    ),
    SdkOperation(
        "create_full_transaction_refund",
        "POST",
        f"/transactions/{ID}/refunds/all",
        models.Refunds,
        models.TransactionRefundAllCreate,
        status=201,
    ),
    SdkOperation("list_transaction_refunds", "GET", f"/transactions/{ID}/refunds", models.Refunds),
    SdkOperation("get_transaction_refund", "GET", f"/transactions/{ID}/refunds/{ID}", models.Refund),
    SdkOperation("get_refund", "GET", f"/refunds/{ID}", models.Refund),
)
"""The operations for gift cards; an operationId is that of Gr4vy's own document."""

_ERRORS: Mapping[int, type[BaseModel]] = {
    400: errors.Error400Data,
    401: errors.Error401Data,
    403: errors.Error403Data,
    404: errors.Error404Data,
    405: errors.Error405Data,
    409: errors.Error409Data,
    422: errors.HTTPValidationErrorData,
    425: errors.Error425Data,
    429: errors.Error429Data,
    500: errors.Error500Data,
    502: errors.Error502Data,
    504: errors.Error504Data,
}


class SdkModels:
    """Reads requests and answers with the SDK's models; a field they do not know is a fault."""

    def name_of(self, request: SimRequest) -> str:
        """Return the operation a request asks for; raise LookupError when there is none."""
        return _find(request).name

    def message_faults(self, request: SimRequest) -> list[str]:
        """Say what is wrong with a request's query and body."""
        operation = _find(request)
        known = _names(operation.query)
        return [
            *(f"query {name}: not known" for name in request.parameters().keys() - known),
            *_body_faults(operation.body, request.body),
        ]

    def request_faults(self, request: SimRequest) -> list[str]:
        """Say the same: the headers are checked by the simulator."""
        return self.message_faults(request)

    def answer_faults(self, request: SimRequest, answer: SimAnswer) -> list[str]:
        """Say what is wrong with the answer to a request: status and body."""
        operation = _find(request)
        if answer.status == operation.status:
            return _body_faults(operation.answer, answer.body)
        if answer.status not in _ERRORS:
            return [f"status {answer.status}: not known"]
        return _body_faults(_ERRORS[answer.status], answer.body)

    def answer_schema(self, request: SimRequest, status: int) -> Schema | None:
        """Return what the body of the answer to a request may hold; None where none is known."""
        operation = _find(request)
        return _schema_of(operation.answer if status == operation.status else _ERRORS.get(status))


@cache
def _schema_of(model: type[BaseModel] | None) -> Schema | None:
    if model is None:
        return None
    schema = model.model_json_schema(by_alias=True)
    return Schema(schema, schema)


def _find(request: SimRequest) -> SdkOperation:
    for operation in OPERATIONS:
        if operation.method == request.method and re.fullmatch(operation.path, request.path):
            return operation
    raise LookupError(f"the SDK has no such operation: {request.method} {request.path}")


def _names(query: type[BaseModel] | None) -> set[str]:
    """Return the names that go into the query; a request's model holds path and headers too."""
    fields = query.model_fields if query else {}
    return {
        field.alias or name
        for name, field in fields.items()
        if any(isinstance(told, FieldMetadata) and told.query for told in field.metadata)
    }


def _body_faults(model: type[BaseModel] | None, body: bytes) -> list[str]:
    if model is None:
        return ["a body, where there is none"] if body else []
    try:
        model.model_validate_json(body, strict=True, extra="forbid")
    except ValidationError as fault:
        return [f"{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in fault.errors()]
    return []
