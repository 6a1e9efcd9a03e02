"""ProviderService: the configured providers, read off adapters, circuits and journal, and their pauses."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from giftcard import v1
from giftcard_adapters.contract import has, traits_of
from giftcard_adapters.values.operations import Operation
from giftcard_adapters.values.traits import Ending, Guarantee
from giftcard_gateway.access.acting import without_numbers
from giftcard_gateway.audit.records import PROVIDER_PAUSED, PROVIDER_RESUMED, AuditRecord
from giftcard_gateway.ledger.entry import State
from giftcard_gateway.providers.circuit import CircuitState
from giftcard_gateway.rpc.auditing import who_did
from giftcard_gateway.services.pages import fingerprint, page_of
from giftcard_gateway.services.reads import reached
from giftcard_gateway.wire.mapping import enum_writer
from giftcard_gateway.wire.transactions import operation_to
from giftcard_gateway.wire.values import seconds_to, time_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

    from giftcard_gateway.journal.contract import Backlog
    from giftcard_gateway.providers.connections import Connection
    from giftcard_gateway.providers.pause import ProviderPause
    from giftcard_gateway.rpc.call import RpcCall
    from giftcard_gateway.rpc.handlers import Implementation
    from giftcard_gateway.services.dependencies import Dependencies
    from giftcard_gateway.telemetry.pace import SeenPace

_guarantee = enum_writer(Guarantee, v1.Guarantee.DESCRIPTOR)
_circuit_state = enum_writer(CircuitState, v1.CircuitState.DESCRIPTOR)
_ending = enum_writer(Ending, v1.UnknownEnding.DESCRIPTOR)

_THEN = {
    Ending.REVERSE: (Ending.REVERSE,),
    Ending.RESEND: (Ending.RESEND, Ending.FIND, Ending.PERSON),
    Ending.FIND: (Ending.FIND, Ending.PERSON),
    Ending.PERSON: (Ending.PERSON,),
}
"""The means that end an unknown, in the order in which `lifecycle.ending` comes to them."""

_CAPABILITIES = {
    "lookup": v1.Capability.CAPABILITY_LOOKUP,
    "balances": v1.Capability.CAPABILITY_BALANCE,
    "store_card": v1.Capability.CAPABILITY_STORE_CARD,
    "get_stored_card": v1.Capability.CAPABILITY_GET_STORED_CARD,
    "list_stored_cards": v1.Capability.CAPABILITY_LIST_STORED_CARDS,
    "delete_stored_card": v1.Capability.CAPABILITY_DELETE_STORED_CARD,
    "list_templates": v1.Capability.CAPABILITY_LIST_TEMPLATES,
    "list_offers": v1.Capability.CAPABILITY_LIST_OFFERS,
    "sync_offers": v1.Capability.CAPABILITY_SYNC_OFFERS,
    "extract_accounts": v1.Capability.CAPABILITY_EXTRACT_ACCOUNTS,
    "download_export": v1.Capability.CAPABILITY_DOWNLOAD_EXPORT,
    "ticket_statistics": v1.Capability.CAPABILITY_GET_TICKET_STATISTICS,
    "read_webhook": v1.Capability.CAPABILITY_WEBHOOKS,
}
"""By the adapter's method."""

_HEALTH = {
    CircuitState.OPEN: v1.ProviderHealth.PROVIDER_HEALTH_DOWN,
    CircuitState.HALF_OPEN: v1.ProviderHealth.PROVIDER_HEALTH_DEGRADED,
}


class Providers:
    """Lists and describes providers from memory and the journal; asks none of them."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._connections = dependencies.connections
        self._journal = dependencies.records.journal
        self._pauses = dependencies.pauses
        self._trail = dependencies.trail
        self._clock = dependencies.clock
        self._paces = dependencies.telemetry.paces

    def calls(self) -> dict[str, Implementation]:
        """Return the implementations by the name of the RPC."""
        return {
            "ListProviders": self.list,
            "GetProvider": self.get,
            "PauseProvider": self.pause,
            "ResumeProvider": self.resume,
        }

    async def list(self, request: v1.ListProvidersRequest, call: RpcCall) -> v1.ListProvidersResponse:
        """List a page of the configured providers, in the order of their ids."""
        may_use = call.identity.providers
        connections = sorted(
            (one for one in self._connections if may_use is None or one.provider_id in may_use),
            key=lambda connection: connection.provider_id,
        )
        page, token = page_of(
            connections,
            page_size=request.page_size,
            token=request.page_token,
            asked=fingerprint(b"providers"),
        )
        backlog = await self._backlog(call)
        return v1.ListProvidersResponse(
            providers=[self._told(connection, backlog) for connection in page], next_page_token=token
        )

    async def get(self, request: v1.GetProviderRequest, call: RpcCall) -> v1.GetProviderResponse:
        """Describe one provider."""
        connection = reached(self._connections, request.provider, call)
        return v1.GetProviderResponse(provider=self._told(connection, await self._backlog(call)))

    async def pause(self, request: v1.PauseProviderRequest, call: RpcCall) -> v1.PauseProviderResponse:
        """Have nothing new sent to a provider."""
        connection = self._whole(request.provider, call)
        # Every tenant's readers see it, and it is sealed nowhere.
        note = without_numbers(request.note)
        is_new = await self._pauses.pause(connection, by=call.identity.name, note=note)
        if is_new:
            await self._tell(PROVIDER_PAUSED, request, call)
        return v1.PauseProviderResponse(provider=self._told(connection, await self._backlog(call)))

    async def resume(self, request: v1.ResumeProviderRequest, call: RpcCall) -> v1.ResumeProviderResponse:
        """Have new transactions sent to a provider again."""
        connection = self._whole(request.provider, call)
        was_paused = await self._pauses.resume(connection)
        if was_paused:
            await self._tell(PROVIDER_RESUMED, request, call)
        return v1.ResumeProviderResponse(provider=self._told(connection, await self._backlog(call)))

    async def _backlog(self, call: RpcCall) -> Sequence[Backlog]:
        """Count what is the caller's tenant's, or every tenant's for who acts for all."""
        return await self._journal.backlog(tenant=call.identity.only_tenant)

    def _whole(self, provider_id: str, call: RpcCall) -> Connection:
        """Return a provider; raise ProviderNotFound, or OutOfReach for who may use a part of it."""
        connection = reached(self._connections, provider_id, call)
        call.identity.demand_whole(connection)
        return connection

    def _told(self, connection: Connection, backlog: Sequence[Backlog]) -> v1.Provider:
        pace = self._paces.get(connection.provider_id)
        return _provider(connection, backlog, None if pace is None else pace.seen())

    async def _tell(
        self, act: str, request: v1.PauseProviderRequest | v1.ResumeProviderRequest, call: RpcCall
    ) -> None:
        if self._trail is not None:
            record = AuditRecord(
                at=self._clock.now(),
                act=act,
                about=request.provider,
                machine=call.machine,
                **who_did(call.identity) | {"why": without_numbers(request.note)},
            )
            await self._trail.told(self._trail.tell(record))


def _provider(connection: Connection, backlog: Sequence[Backlog], pace: SeenPace | None) -> v1.Provider:
    owed = [one for one in backlog if one.provider == connection.provider_id]
    advices = [one for one in owed if one.state in {State.CONFIRMING, State.REVERSING}]
    oldest_at = min((one.oldest_at for one in advices), default=None)
    provider = connection.provider
    return v1.Provider(
        provider=connection.provider_id,
        display_name=connection.display_name,
        enabled=connection.is_enabled,
        operations=[_support(connection, operation) for operation in Operation],
        capabilities=list(_capabilities(connection)),
        deletes_cards=provider.deletes_cards and has(provider, "delete_stored_card"),
        health=_health(connection),
        circuit_state=_circuit_state(connection.circuit.state),
        advice_backlog=sum(one.count for one in advices),
        oldest_advice_time=_time(oldest_at),
        unresolved_count=sum(one.count for one in owed if one.state == State.UNRESOLVED),
        last_answer_time=_time(connection.last_answer_at),
        pause=_pause(connection.pause),
        recent_exchanges=_recent(pace),
    )


def _recent(pace: SeenPace | None) -> v1.RecentExchanges | None:
    if pace is None:
        return None
    return v1.RecentExchanges(
        window=seconds_to(pace.window_s),
        exchange_count=pace.exchanges,
        failure_count=pace.failures,
        p50_latency=_duration(pace.p50_s),
        p99_latency=_duration(pace.p99_s),
    )


def _pause(pause: ProviderPause | None) -> v1.ProviderPause | None:
    if pause is None:
        return None
    return v1.ProviderPause(pause_time=time_to(pause.since), paused_by=pause.by, note=pause.note)


def _support(connection: Connection, operation: Operation) -> v1.OperationSupport:
    traits = traits_of(connection.provider, operation)
    if traits is None:
        return v1.OperationSupport(
            operation=operation_to(operation), guarantee=_guarantee(Guarantee.UNSUPPORTED)
        )
    action = v1.ConfirmByAction.CONFIRM_BY_ACTION_REVERSE
    if connection.confirms_when_overdue(operation):
        action = v1.ConfirmByAction.CONFIRM_BY_ACTION_CONFIRM
    return v1.OperationSupport(
        operation=operation_to(operation),
        guarantee=_guarantee(traits.guarantee),
        unknown_endings=[_ending(ending) for ending in _THEN[traits.unknown]],
        reversal_window=_duration(traits.reversal_window_s),
        resend_window=_duration(traits.resend_window_s),
        partial_confirmation=traits.is_confirmation_partial,
        partial_reversal=traits.is_reversal_partial,
        confirm_within=seconds_to(connection.confirm_within_s(operation)),
        confirm_by_action=action,
    )


def _capabilities(connection: Connection) -> Iterator[v1.Capability.ValueType]:
    provider = connection.provider
    for method, capability in _CAPABILITIES.items():
        if has(provider, method):
            yield capability
            if method == "balances" and provider.balances_per_call > 1:
                yield v1.Capability.CAPABILITY_BATCH_BALANCE


def _health(connection: Connection) -> v1.ProviderHealth.ValueType:
    state = connection.circuit.state
    if state in _HEALTH:
        return _HEALTH[state]
    if connection.circuit.is_failing or connection.reads_circuit.is_failing:
        return v1.ProviderHealth.PROVIDER_HEALTH_DEGRADED
    if connection.last_answer_at is None:
        return v1.ProviderHealth.PROVIDER_HEALTH_UNSPECIFIED
    return v1.ProviderHealth.PROVIDER_HEALTH_HEALTHY


def _time(at: datetime | None) -> Timestamp | None:
    return None if at is None else time_to(at)


def _duration(duration_s: float | None) -> Duration | None:
    return None if duration_s is None else seconds_to(duration_s)
