"""The adapter for Electrum. `Electrum` is the adapter class; the rest is private to this package."""

from giftcard_adapters.electrum.adapter import Electrum

__all__ = ["Electrum"]
