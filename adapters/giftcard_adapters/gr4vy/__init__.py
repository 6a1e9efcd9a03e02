"""The adapter for Gr4vy. `Gr4vy` is the adapter class; the other modules are private to this package."""

from giftcard_adapters.gr4vy.adapter import Gr4vy

__all__ = ["Gr4vy"]
