"""Makes the seal that the settings describe; before that, has wrapped keys opened by their key services."""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from giftcard_adapters.values.secret import Secret
from giftcard_gateway.config import ConfigError
from giftcard_gateway.config.checks import check_keys
from giftcard_gateway.kms.contract import KmsFault, WrappedKey
from giftcard_gateway.kms.services import open_service
from giftcard_gateway.seal import Seal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Settings


def open_seal(settings: Settings, clock: Clock) -> Seal:
    """Return the seal with every key of the settings, none of them wrapped any more."""
    return Seal(
        keys=settings.seal.key_bytes(),
        active=settings.seal.active,
        hash_keys=settings.seal.hash_key_bytes(),
        hash_active=settings.seal.hash_active,
        random_bytes=clock.random_bytes,
    )


def with_open_keys(settings: Settings) -> Settings:
    """Return the settings with each wrapped key as its key service opens it; no service is asked again.

    It blocks, so it comes before the event loop. Raises ConfigError, with a sentence for each key that stays
    closed, or for a service that cannot be used.
    """
    faults: list[str] = []
    keys: dict[str, Secret] = {}
    for kms, wrapped in _by_service(settings).items():
        try:
            with open_service(settings.kms[kms]) as service:
                for setting, key in wrapped.items():
                    try:
                        keys[setting] = Secret(base64.b64encode(service.unwrap(key, setting)).decode())
                    except KmsFault as fault:
                        faults.append(f"{setting} is not opened by kms.{kms}: {fault}")
        except KmsFault as fault:
            faults.append(f"kms.{kms} cannot be used: {fault}")
    seal = settings.seal.with_keys(keys)
    faults = faults or list(check_keys(seal, settings.kms))
    if faults:
        raise ConfigError(faults)
    return msgspec.structs.replace(settings, seal=seal)


def _by_service(settings: Settings) -> Mapping[str, Mapping[str, bytes]]:
    """Return the wrapped keys by setting, for each service that is to open some."""
    found: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    for setting, key in settings.seal.by_setting().items():
        if wrapped := WrappedKey.read(key.reveal()):
            found[wrapped.kms][setting] = wrapped.wrapped
    return found
