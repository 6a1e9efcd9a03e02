"""The adapter for AcmeCards. `AcmeCards` is the adapter class, `simulator` the provider played by us."""

from .adapter import AcmeCards

__all__ = ["AcmeCards"]
