"""The JSON objects of GatePay's gift cards, as msgspec structs, and the signature over them.

There are two dialects: the guide's, and the reference's, which three official SDKs speak. Their fields
differ in name only, and a newer guide mixes them, so an answer is read by either name.
"""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal

import msgspec

from giftcard_adapters.lenient import Lenient
from giftcard_adapters.values.secret import Secret


class CreateRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A card to create; `amount` is a decimal string. The same in both dialects."""

    title: str
    template_id: str
    currency: str
    amount: str


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which card to query, in the reference dialect; the key wins if both are given."""

    card_number: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Show neither."""
        return "QueryRequest(***)"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every answer comes in; `status` decides, SUCCESS or FAIL, whatever the code says."""

    status: str
    code: str | int | None = None
    label: str | None = None
    errorMessage: str | None = None  # noqa: N815  # the provider's own spelling
    data: msgspec.Raw = msgspec.Raw(b"null")

    def __repr__(self) -> str:
        """Show no data."""
        return f"Envelope({self.status}, {self.code})"


class CreatedCard(msgspec.Struct, frozen=True, kw_only=True):
    """What an issue needs of a card, in either dialect's names; no field is promised.

    Nothing else of the answer is typed here: a card that exists must not be lost to an odd time.
    """

    card_num: str | None = None
    cardNumber: str | None = None  # noqa: N815  # the guide's spelling
    card_key: str | None = None
    key: str | None = None
    status: int | str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    card_temp_id: str | None = None
    batchId: str | None = None  # noqa: N815  # the Go SDK's spelling
    reason: str | None = None
    err_msg: str | None = None

    @property
    def number(self) -> str:
        """The card number, by either name."""
        return self.card_num or self.cardNumber or ""

    @property
    def redemption_key(self) -> str:
        """The key, which create and query name differently."""
        return self.card_key or self.key or ""

    @property
    def complaint(self) -> str:
        """What the Go SDK's fields say of a failure."""
        return self.err_msg or self.reason or ""

    def __repr__(self) -> str:
        """Show neither number nor key."""
        return f"{type(self).__name__}(status={self.status})"


class QueriedCard(CreatedCard, frozen=True, kw_only=True):
    """What a query tells besides; times in milliseconds."""

    title: str | None = None
    creator_name: str | None = None
    create_time: int | None = None
    exchange_uid: int | None = None
    exchange_time: int | None = None

    def __repr__(self) -> str:
        """Show neither number nor key."""
        return super().__repr__()


class CardBalance(msgspec.Struct, frozen=True, kw_only=True):
    """The guide's balance of one card; its fields are assumptions, because none is public.

    `balance_list` is what the reference answers on the same path: the merchant's account, not a card.
    """

    balance: Decimal | None = None
    currency: str | None = None
    status: int | str | None = None
    balance_list: tuple[msgspec.Raw, ...] | None = None


class TemplateItem(msgspec.Struct, frozen=True, kw_only=True):
    """A cover template: the reference's five fields, and the guide's four."""

    card_temp_id: str | None = None
    image_url: str | None = None
    title_en: str | None = None
    title_cn: str | None = None
    cover_type: str | None = None
    templateId: str | None = None  # noqa: N815  # the guide's spelling
    templateName: str | None = None  # noqa: N815  # the guide's spelling
    coverUrl: str | None = None  # noqa: N815  # the guide's spelling
    status: str | None = None


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A callback; `data` is JSON inside a string."""

    bizType: str  # noqa: N815  # the provider's own spelling
    bizStatus: str  # noqa: N815  # the provider's own spelling
    client_id: str
    bizId: str | None = None  # noqa: N815  # the provider's own spelling
    data: str = ""


class BatchItem(msgspec.Struct, frozen=True, kw_only=True):
    """One card of a batch."""

    amount: Decimal
    currency: str
    status: str = ""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the `data` of a PAY_GIFT_BATCH callback holds."""

    externalId: str | None = None  # noqa: N815  # the provider's own spelling
    batchItemList: tuple[BatchItem, ...] = ()  # noqa: N815  # the provider's own spelling


encode = msgspec.json.Encoder().encode
_CARD = ("card_num", "cardNumber", "card_key", "key", "status", "amount", "currency")

ENVELOPE = Lenient(Envelope, decides=("status", "code", "data"))
CREATED_CARD = Lenient(CreatedCard, decides=_CARD)
QUERIED_CARD = Lenient(QueriedCard, decides=_CARD)
CARD_BALANCE = Lenient(CardBalance, decides=("balance", "currency", "status", "balance_list"))
TEMPLATES = Lenient(tuple[TemplateItem, ...], decides=("card_temp_id", "templateId"))
NOTIFICATION = Lenient(Notification, decides=("bizType", "bizStatus", "bizId", "client_id", "data"))
BATCH = Lenient(Batch, decides=("externalId", "batchItemList.amount", "batchItemList.currency"))


def signature(secret: Secret, timestamp: str, nonce: str, body: bytes) -> str:
    """Return the lower-case hex HMAC-SHA512 over the exact bytes; a query string is never signed."""
    signed = b"\n".join((timestamp.encode(), nonce.encode(), body, b""))
    return hmac.new(secret.reveal().encode(), signed, hashlib.sha512).hexdigest()
