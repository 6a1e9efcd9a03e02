"""The Reconcile call: reads a settlement from its stream and answers with what the comparison found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_gateway.config.access import Scope
from giftcard_gateway.errors import InvalidRequest
from giftcard_gateway.pipeline.reconciliation import BadRow, SettlementRow
from giftcard_gateway.wire.reconciliation import comparison_to, row_from, scope_from

if TYPE_CHECKING:
    from giftcard_gateway.pipeline.reconciliation import Reconciliation, SettlementScope
    from giftcard_gateway.providers.connections import Connections
    from giftcard_gateway.rpc.call import RpcCall

_MOST_ROWS = 100_000
"""Rows of one settlement that are held while it is compared; a day of a large merchant is a tenth of it."""


class ReconcileCall:
    """Answers Reconcile."""

    def __init__(self, reconciliation: Reconciliation, connections: Connections) -> None:
        self._reconciliation = reconciliation
        self._connections = connections

    async def reconcile(
        self, parts: AsyncIterator[v1.ReconcileRequest], call: RpcCall
    ) -> v1.ReconcileResponse:
        """Compare the rows that come with what the journal has, then end what they decide, if asked to."""
        scope, rows = await _gather(parts, call, self._connections)
        good, bad = _sorted_out(rows)
        return comparison_to(await self._reconciliation.reconcile(scope, good, bad, by=call.identity))


def _sorted_out(rows: Sequence[SettlementRow | BadRow]) -> tuple[list[SettlementRow], list[BadRow]]:
    """Return the rows that can be compared, and those that cannot; a row_id counts once."""
    good: dict[str, SettlementRow] = {}
    bad: list[BadRow] = []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        elif (first := good.setdefault(row.row_id, row)) is not row:
            fault = f"row_id came before, in row {first.number}"
            bad.append(BadRow(row_id=row.row_id, number=row.number, faults=(fault,)))
    return list(good.values()), bad


async def _gather(
    parts: AsyncIterator[v1.ReconcileRequest], call: RpcCall, connections: Connections
) -> tuple[SettlementScope, list[SettlementRow | BadRow]]:
    """Return the scope, which comes first and once, and the rows; a caller who may not is refused at once."""
    scope: SettlementScope | None = None
    rows: list[SettlementRow | BadRow] = []
    place = 0
    async for part in parts:
        is_scope = part.HasField("scope")
        if is_scope != (scope is None):
            wrong = "must come once" if is_scope else "must come before the rows"
            raise InvalidRequest([(f"requests[{place}].scope", wrong)])
        if is_scope:
            scope = scope_from(part.scope)
            call.identity.demand_whole(connections.get(scope.provider))
            if scope.close_unresolved:
                call.identity.demand(Scope.OPERATE)
        else:
            rows.append(row_from(part.row, len(rows) + 1))
        if len(rows) > _MOST_ROWS:
            raise InvalidRequest(
                [(f"requests[{place}].row", f"is more than {_MOST_ROWS} rows; split the scope")]
            )
        place += 1
    if scope is None:
        raise InvalidRequest([("requests[0].scope", "must be set")])
    return scope, rows
