"""How Gr4vy is spoken to; `Gr4vy` is the adapter, the rest of this package is its own business."""

from giftcard_adapters.gr4vy.adapter import Gr4vy, Gr4vySettings

__all__ = ["Gr4vy", "Gr4vySettings"]
