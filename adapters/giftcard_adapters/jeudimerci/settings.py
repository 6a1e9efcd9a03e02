"""The settings of one JeudiMerci wallet, and the checks that their types cannot make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

import msgspec

from giftcard_adapters.bounds import SpanSeconds
from giftcard_adapters.calls import is_header_value
from giftcard_adapters.contract import Settings
from giftcard_adapters.times import is_zone
from giftcard_adapters.values.money import CURRENCIES
from giftcard_adapters.values.secret import Secret

_PATH = re.compile(r"/[\x21-\x7e]*")
_MAY_BE_EMPTY = {"offers_path"}


class JeudiMerciSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one partner wallet is reached. Every path but `generate_path` is an assumption: none is public."""

    api_key: Secret
    currency: str
    """ISO 4217 code of the wallet; the API names no currency anywhere."""
    webhook_api_key: Secret | None = None
    """The x-api-key that events must carry; without one every event is refused."""
    card_id_key: Secret | None = None
    """Makes the ids shown for e-cards; the api key where left out, and then a new key makes new ids."""
    approved_statuses: tuple[str, ...] = ("success",)
    """Words of `status` that mean all is done, in any case; the real values are not public."""
    is_cost_face_value: bool = True
    """Whether ECardCost is the card's value, so that another value is another amount (assumption)."""
    is_list_complete: bool = False
    """Whether the provider has assured the operator that a list leaves no e-card out."""
    settle_s: SpanSeconds = 3600.0
    """How many seconds a generate may take: Cloud Run, where the service runs, allows an hour at most."""
    clock_skew_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 300.0
    """How many seconds the provider's clock may differ from ours."""
    time_zone: str = "Europe/Paris"
    """Where a time without an offset is read, as an IANA name; where the provider is (assumption)."""
    generate_path: str = "/jdm/ecards/generate"
    list_path: str = "/jdm/ecards"
    details_path: str = "/jdm/ecards/{code}"
    delete_path: str = "/jdm/ecards/{code}"
    sync_path: str = "/jdm/offers/sync"
    offers_path: str = ""
    """A list of offers, which the provider's menu does not have; empty means there is none."""
    accounts_path: str = "/stats/accounts/extract"
    export_path: str = "/stats/exports/{id}"
    tickets_path: str = "/stats/tickets"

    @property
    def id_key(self) -> Secret:
        """Return the key of the ids shown for e-cards."""
        return self.card_id_key or self.api_key


def faults_of(settings: JeudiMerciSettings) -> Iterator[str]:
    """Say what is wrong with settings whose types are right, one sentence each."""
    if settings.currency not in CURRENCIES:
        yield "key 'currency': not an ISO 4217 currency with minor units"
    if not is_zone(settings.time_zone):
        yield "key 'time_zone': is no IANA time zone, such as Europe/Paris"
    if not is_header_value(settings.api_key.reveal()):
        yield "key 'api_key': cannot stand in a header"
    for key in (field.name for field in msgspec.structs.fields(settings) if field.name.endswith("_path")):
        path = getattr(settings, key)
        if not _PATH.fullmatch(path) and (path or key not in _MAY_BE_EMPTY):
            yield f"key {key!r}: must be a path, beginning with /, such as /jdm/ecards"
    for key, place in (("details_path", "{code}"), ("delete_path", "{code}"), ("export_path", "{id}")):
        if place not in getattr(settings, key):
            yield f"key {key!r}: must hold {place}"
