"""Tells the audit of calls: who asked for what has an effect, who saw secrets, and who was refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor_pb2 import MethodOptions

from giftcard_gateway.audit.records import REFUSED, SAW_SECRETS, AuditRecord

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

    from giftcard_gateway.access.identities import Identity
    from giftcard_gateway.audit.trail import Trail
    from giftcard_gateway.clock import Clock
    from giftcard_gateway.rpc.call import RpcCall


class CallAudit:
    """The audit as calls see it; without a trail nothing is kept."""

    def __init__(self, trail: Trail | None, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    def of(self, method: MethodDescriptor) -> MethodAudit:
        """Return what one RPC tells; those without side effects tell of refusals and secrets only."""
        has_effect = method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS
        return MethodAudit(self._trail, self._clock, method.name, has_effect=has_effect)


class MethodAudit:
    """What one RPC tells the audit."""

    def __init__(self, trail: Trail | None, clock: Clock, act: str, *, has_effect: bool) -> None:
        self._trail = trail
        self._clock = clock
        self._act = act
        self._has_effect = has_effect

    async def asked(self, call: RpcCall, request: Message | None = None) -> None:
        """Tell of a call before it is acted on."""
        if self._trail is not None and self._has_effect:
            call.audited = self._trail.tell(self._record(self._act, call, request), rides=True)
            # The record is on its way before the decision is, so that one commit carries both.
            await asyncio.sleep(0)

    async def answered(self, call: RpcCall, request: Message | None = None) -> None:
        """Return once what was told of a call is durable; tell of secrets that its answer shows."""
        if self._trail is None:
            return
        waits: list[asyncio.Future[None]] = [] if call.audited is None else [call.audited]
        if call.has_shown_secrets:
            waits.append(self._trail.tell(self._record(SAW_SECRETS, call, request)))
        for done in waits:
            await self._trail.told(done)

    def refused(self, reason: str, identity: Identity | None, machine: str) -> None:
        """Count a call that was refused."""
        if self._trail is not None:
            self._trail.refused(
                AuditRecord(
                    at=self._clock.now(),
                    act=REFUSED,
                    about=self._act,
                    reason=reason,
                    machine=machine,
                    **who_did(identity),
                )
            )

    def _record(self, act: str, call: RpcCall, request: Message | None) -> AuditRecord:
        return AuditRecord(
            at=self._clock.now(),
            act=act,
            transaction_id=getattr(request, "transaction_id", "").lower(),
            machine=call.machine,
            **who_did(call.identity),
        )


def who_did(identity: Identity | None) -> dict[str, Any]:
    """Return what a record has of whoever called."""
    if identity is None:
        return {}
    return {
        "by": identity.name,
        "person": identity.person,
        "why": identity.why,
        "tenant": identity.home or identity.tenant,
        "for_tenant": identity.tenant if identity.home else "",
        "sign_in": str(identity.sign_in),
    }
