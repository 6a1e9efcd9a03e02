"""The parts that services need, handed in by whoever assembles the gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from giftcard_gateway.access.signing_in import SigningIn
from giftcard_gateway.rpc.admission import Admission

if TYPE_CHECKING:
    from giftcard_gateway.access.cells import Cell
    from giftcard_gateway.access.guesses import Guesses
    from giftcard_gateway.access.machines import Machines
    from giftcard_gateway.access.shares import Shares
    from giftcard_gateway.audit.trail import Trail
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.records import Records
    from giftcard_gateway.pipeline.events import Events
    from giftcard_gateway.pipeline.pauses import Pauses
    from giftcard_gateway.pipeline.reconciliation import Reconciliation
    from giftcard_gateway.pipeline.transactions import Transactions
    from giftcard_gateway.providers.connections import Connections
    from giftcard_gateway.providers.routing import Router
    from giftcard_gateway.telemetry import Telemetry


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """The parts of one gateway process that its services use."""

    transactions: Transactions
    connections: Connections
    router: Router
    records: Records
    events: Events
    reconciliation: Reconciliation
    clock: Clock
    telemetry: Telemetry
    pauses: Pauses
    shares: Shares
    guesses: Guesses
    trail: Trail | None = None
    machines: Machines
    signing_in: SigningIn
    cell: Cell | None = None
    admission: Admission = field(default_factory=lambda: Admission(1024))
