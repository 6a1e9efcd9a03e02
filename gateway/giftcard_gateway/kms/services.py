"""Which class speaks to the key service that the settings name. What a service does is in `contract`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from giftcard_adapters.extras import what_it_needs
from giftcard_gateway.kms.contract import KeyService, KmsFault

if TYPE_CHECKING:
    from giftcard_gateway.kms.settings import Pkcs11Settings


def open_service(settings: Pkcs11Settings) -> AbstractContextManager[KeyService]:
    """Sign in to a service for the time of a block; its beginning raises KmsFault."""
    try:
        from giftcard_gateway.kms.pkcs11 import signed_in  # noqa: PLC0415 - its library is an extra
    except ModuleNotFoundError as fault:
        needs = what_it_needs(fault)
        if needs is None:
            raise
        raise KmsFault(needs) from None
    return signed_in(settings)
