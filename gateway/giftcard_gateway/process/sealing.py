"""Makes the seal that the settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from giftcard_gateway.seal import Seal

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.config.settings import Settings


def open_seal(settings: Settings, clock: Clock) -> Seal:
    """Return the seal with every key of the settings."""
    return Seal(
        keys=settings.seal.key_bytes(),
        active=settings.seal.active,
        hash_keys=settings.seal.hash_key_bytes(),
        hash_active=settings.seal.hash_active,
        random_bytes=clock.random_bytes,
    )
