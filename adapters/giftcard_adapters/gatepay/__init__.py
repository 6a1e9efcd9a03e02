"""The adapter for GatePay. `GatePay` is the adapter class; the other modules are private to this package."""

from giftcard_adapters.gatepay.adapter import GatePay

__all__ = ["GatePay"]
