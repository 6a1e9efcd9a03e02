"""How GatePay is spoken to; `GatePay` is the adapter, the rest of this package is its own business."""

from giftcard_adapters.gatepay.adapter import GatePay, GatePaySettings

__all__ = ["GatePay", "GatePaySettings"]
