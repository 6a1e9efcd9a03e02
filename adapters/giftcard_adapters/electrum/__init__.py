"""How Electrum is spoken to; `Electrum` is the adapter, the rest of this package is its own business."""

from giftcard_adapters.electrum.adapter import Electrum, ElectrumSettings

__all__ = ["Electrum", "ElectrumSettings"]
