"""Assembles everything between the services and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from giftcard_gateway.journal.records import Records
from giftcard_gateway.pipeline.driver import Driver
from giftcard_gateway.pipeline.events import Events
from giftcard_gateway.pipeline.heartbeat import Heartbeat
from giftcard_gateway.pipeline.reconciliation import Reconciliation
from giftcard_gateway.pipeline.recovery import Recovery
from giftcard_gateway.pipeline.retention import Retention
from giftcard_gateway.pipeline.transactions import Transactions

if TYPE_CHECKING:
    from datetime import timedelta

    from giftcard_gateway.clock import Clock
    from giftcard_gateway.journal.contract import Journal
    from giftcard_gateway.ledger.observer import Observer
    from giftcard_gateway.providers.connections import Connections
    from giftcard_gateway.providers.routing import Router
    from giftcard_gateway.seal import Seal


@dataclass(frozen=True)
class Pipeline:
    """The assembled parts."""

    records: Records
    driver: Driver
    transactions: Transactions
    heartbeat: Heartbeat
    recovery: Recovery
    events: Events
    reconciliation: Reconciliation
    retention: Retention | None
    """None where card numbers stay for as long as their transactions."""


def assemble(
    *,
    name: str,
    journal: Journal,
    seal: Seal,
    connections: Connections,
    router: Router,
    clock: Clock,
    observer: Observer,
    keeps_numbers: timedelta | None = None,
) -> Pipeline:
    """Assemble a pipeline over `journal`; `name` must differ from every process that shares the journal.

    `keeps_numbers` is how long card numbers are kept after their transaction's end, None for as long.
    """
    for connection in connections:
        connection.on_left_out = observer.left_out
    records = Records(journal, seal, marks_numbers=keeps_numbers is not None)
    heartbeat = Heartbeat(journal, clock, observer)
    driver = Driver(
        name=name,
        records=records,
        connections=connections,
        router=router,
        heartbeat=heartbeat,
        clock=clock,
        observer=observer,
    )
    transactions = Transactions(
        records=records, connections=connections, router=router, driver=driver, clock=clock, observer=observer
    )
    events = Events(records=records, seal=seal, driver=driver, clock=clock, observer=observer)
    retention = None
    if keeps_numbers is not None:
        retention = Retention(records=records, events=events, clock=clock, keeps=keeps_numbers)
    return Pipeline(
        records=records,
        driver=driver,
        transactions=transactions,
        heartbeat=heartbeat,
        recovery=Recovery(
            records=records,
            connections=connections,
            driver=driver,
            heartbeat=heartbeat,
            clock=clock,
            observer=observer,
        ),
        events=events,
        reconciliation=Reconciliation(connections=connections, records=records, transactions=transactions),
        retention=retention,
    )
