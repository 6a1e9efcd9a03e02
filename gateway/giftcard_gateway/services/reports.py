"""ReportService: what providers report, passed through. Comparing a settlement is in `reconciliation`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.values.declines import DeclineReason
from giftcard_adapters.values.money import MoneyError
from giftcard_gateway.errors import CardNotFound, ExportNotFound, ProviderFailed, ReadRefused
from giftcard_gateway.services.reads import admit, ask, told
from giftcard_gateway.services.reconciliation import ReconcileCall
from giftcard_gateway.wire.reports import (
    account_query_from,
    account_to,
    export_file_to,
    ticket_query_from,
    tickets_to,
)

if TYPE_CHECKING:
    from giftcard_gateway.providers.connections import Connection
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies

_CHUNK_BYTES = 64 * 1024
"""What one message of a download holds at most; gRPC recommends 16 to 64 KiB for streamed payloads."""


class Reports:
    """Passes three reports through, and answers Reconcile."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._reconcile = ReconcileCall(dependencies.reconciliation, dependencies.connections)

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {
            "ExtractAccounts": self.extract,
            "DownloadExport": self.download,
            "GetTicketStatistics": self.tickets,
            "Reconcile": self._reconcile.reconcile,
        }

    def _whole(self, provider_id: str, call: RpcCall) -> Connection:
        """Return the connection of a provider all of whose reports this caller may see."""
        connection = self._connections.get(provider_id)
        call.identity.demand_whole(connection)
        return connection

    async def extract(self, request: v1.ExtractAccountsRequest, call: RpcCall) -> v1.ExtractAccountsResponse:
        """Extract accounts, and an export file of them where the provider makes one."""
        query = account_query_from(request)
        extract = await ask(
            self._whole(request.provider, call),
            "extract_accounts",
            lambda provider: provider.extract_accounts(query),
            has_effect=True,
        )
        return v1.ExtractAccountsResponse(
            accounts=list(map(account_to, extract.accounts)),
            export_id=extract.export_id,
            is_ready=extract.is_ready,
        )

    async def download(
        self, request: v1.DownloadExportRequest, call: RpcCall
    ) -> AsyncIterator[v1.DownloadExportResponse]:
        """Stream an export file; no more than one piece of it is in memory."""
        connection = self._whole(request.provider, call)
        try:
            async for part in _parts(connection, request.export_id):
                yield part
        except CardNotFound:
            raise ExportNotFound(export_id=request.export_id) from None
        except ReadRefused as refusal:
            if refusal.decline.reason is DeclineReason.RECORD_NOT_FOUND:
                raise ExportNotFound(export_id=request.export_id) from None
            raise

    async def tickets(
        self, request: v1.GetTicketStatisticsRequest, call: RpcCall
    ) -> v1.GetTicketStatisticsResponse:
        """Return a provider's ticket counts."""
        query = ticket_query_from(request)
        connection = self._whole(request.provider, call)
        counted = await ask(
            connection, "ticket_statistics", lambda provider: provider.ticket_statistics(query)
        )
        try:
            return tickets_to(counted)
        except MoneyError:
            raise ProviderFailed(provider=connection.provider_id) from None


async def _parts(connection: Connection, export_id: str) -> AsyncIterator[v1.DownloadExportResponse]:
    admit(connection, "download_export")
    with told(connection.provider_id), connection.read():
        async with connection.provider.download_export(export_id) as (file, pieces):
            yield v1.DownloadExportResponse(file=export_file_to(file))
            async for piece in pieces:
                for start in range(0, len(piece), _CHUNK_BYTES):
                    yield v1.DownloadExportResponse(chunk=piece[start : start + _CHUNK_BYTES])
