"""The settings of one connection to Electrum. No behaviour lives here."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from giftcard_adapters.contract import Settings
from giftcard_adapters.values.secret import Secret

PinFields = Literal["both", "pin", "deprecated"]
"""`pin`, or the deprecated `clearPin` and `encryptedPin`, or both; where a server reads both, `pin` wins."""


class PartySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An institution by the id agreed with Electrum, and its name."""

    institution_id: Annotated[str, Meta(min_length=1)]
    name: Annotated[str, Meta(min_length=1, max_length=40)]


class ElectrumSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one connection to Electrum is set up. What a till leaves out is filled from here.

    `timeout_s` is 60 unless agreed otherwise with Electrum.
    """

    institution_id: Annotated[str, Meta(min_length=1)]
    """Who we are to Electrum: the user name, and the client, which is the sender, of every message."""
    institution_name: Annotated[str, Meta(min_length=1, max_length=40)]
    originators: tuple[PartySettings, ...] = ()
    """For whom the connection asks, if not for itself: a caller names one, else it is the first.

    Electrum's own test pack signs in as one institution for another; its documents say that the user
    name is the originator's id, so agree on it with Electrum.
    """
    password: Secret
    terminal_id: Annotated[str, Meta(min_length=8, max_length=8)] | None = None
    merchant_id: Annotated[str, Meta(min_length=15, max_length=15)] | None = None
    merchant_category_code: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")] | None = None
    merchant_name: Annotated[str, Meta(min_length=1, max_length=23)] | None = None
    merchant_city: Annotated[str, Meta(min_length=1, max_length=13)] | None = None
    merchant_region: Annotated[str, Meta(min_length=1, max_length=2)] | None = None
    merchant_country: Annotated[str, Meta(min_length=1, max_length=2)] | None = None
    receiver: PartySettings | None = None
    """Whom to name as receiver; left out unless agreed."""
    settlement_entity: PartySettings | None = None
    """Whom to name as settlement entity; left out unless agreed."""
    is_expiry_needed: bool = True
    """Electrum documents a card's expiry as required and does not enforce it: false sends cards without."""
    partial_advices: bool = False
    """Whether Electrum's side takes amounts in confirmations and reversals: message base 3.25 or later."""
    pin_fields: PinFields = "both"
    """Which fields of a card carry a PIN: an interface below 3.12 reads the deprecated ones alone."""
    time_zone: str = "Africa/Johannesburg"
    """Where a day that Electrum writes as local midnight begins, as an IANA name."""

    def __post_init__(self) -> None:
        """Refuse a time zone that nobody knows."""
        try:
            ZoneInfo(self.time_zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError("key 'time_zone': is no IANA time zone, such as Africa/Johannesburg") from None
