"""The adapter for JeudiMerci. `JeudiMerci` is the adapter class; the rest is private to this package."""

from giftcard_adapters.jeudimerci.adapter import JeudiMerci

__all__ = ["JeudiMerci"]
