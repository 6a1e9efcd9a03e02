"""How JeudiMerci is spoken to; `JeudiMerci` is the adapter, the rest of this package is its own business."""

from giftcard_adapters.jeudimerci.adapter import JeudiMerci

__all__ = ["JeudiMerci"]
