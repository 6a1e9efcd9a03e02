"""How AcmeCards is spoken to; `AcmeCards` is the adapter, `simulator` the company played by us."""

from .adapter import AcmeCards, AcmeCardsSettings

__all__ = ["AcmeCards", "AcmeCardsSettings"]
