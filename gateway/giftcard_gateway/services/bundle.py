"""What the services are made of, handed in by whoever assembles the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from giftcard_gateway.access import Access
from giftcard_gateway.rpc.door import Door

if TYPE_CHECKING:
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.connections import Connections
    from giftcard_gateway.events import Events
    from giftcard_gateway.records import Records
    from giftcard_gateway.routing import Router
    from giftcard_gateway.telemetry import Telemetry
    from giftcard_gateway.transactions import Transactions


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The parts of one gateway process that its services use."""

    transactions: Transactions
    connections: Connections
    router: Router
    records: Records
    events: Events
    clock: Clock
    telemetry: Telemetry
    access: Access = Access()  # noqa: RUF009 - a frozen struct
    door: Door = field(default_factory=lambda: Door(1024))
