"""What calls leave in the audit: every effect with a name to it, refusals counted, secrets told of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import grpc.aio
import msgspec
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from giftcard_gateway.access.identities import LOCAL, SignIn
from giftcard_gateway.access.signing_in import SigningIn
from giftcard_gateway.audit.records import AuditRecord, Head, exported, record_of
from giftcard_gateway.audit.verify import verify
from giftcard_gateway.config.access import Scope
from giftcard_gateway.journal.microseconds import to_us
from giftcard_gateway.journal.notes import AuditRow
from giftcard_gateway.telemetry.audit_logs import AuditLogs
from tests.gateway.services.served import Served, serve
from tests.gateway.wire.filled import METHODS, PAN, fill

READS = frozenset({Scope.READ})
TILL = msgspec.structs.replace(LOCAL, name="till-7", tenant="shop", sign_in=SignIn.API_KEY)


async def told(served: Served) -> list[AuditRecord]:
    """Return what the audit has, after its refusals were written."""
    trail = served.app.trail
    trail.tell_refusals()
    await trail.told(trail.tell(AuditRecord(at=served.clock.now(), act="looked")))
    return [record_of(row) for row in await served.app.journal.audit(after=("", 0), limit=1000)]


async def test_every_effect_has_a_name() -> None:
    """Each call that is not a read leaves a record of who made it, by discovery over the contract."""
    async with serve(signing_in=SigningIn(anonymous=TILL)) as served:
        expected = set()
        for name, method in METHODS.items():
            if method.client_streaming or method.server_streaming:
                continue
            if method.GetOptions().idempotency_level != MethodOptions.NO_SIDE_EFFECTS:
                expected.add(name.rpartition("/")[2])
            with suppress(grpc.aio.AioRpcError):
                await served.call(name.rpartition("/")[2], fill(method.input_type))
        found = await told(served)
    acts = {record.act for record in found if record.by == "till-7"}
    assert expected <= acts
    assert acts - expected <= {"saw_secrets", "refused"}
    assert {(one.tenant, one.sign_in) for one in found if one.by} == {("shop", "api_key")}


async def test_a_redemption_is_told_before_its_answer(served: Served) -> None:
    """Who redeemed what is durable when the answer comes, and holds no card number."""
    transaction = await served.redeem()
    rows = await served.app.journal.audit(after=("", 0), limit=10)
    (record,) = [record_of(row) for row in rows if record_of(row).act == "Redeem"]
    assert (record.transaction_id, record.machine) == (transaction.transaction_id, "127.0.0.1")
    assert not [row for row in rows if PAN.encode() in row.document]


async def test_refusals_are_counted() -> None:
    """A caller without the scope is recorded once with a count, however often it asks."""
    weak = msgspec.structs.replace(TILL, scopes=READS)
    async with serve(signing_in=SigningIn(anonymous=weak)) as served:
        for _ in range(5):
            assert (await served.refused("Redeem", served.redemption())).reason == "SCOPE_MISSING"
        refused = [one for one in await told(served) if one.act == "refused"]
    assert [(one.by, one.about, one.reason, one.count) for one in refused] == [
        ("till-7", "Redeem", "SCOPE_MISSING", 5)
    ]


async def test_a_flood_of_kinds_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals of more kinds than are told apart become one record that says how many."""
    monkeypatch.setattr("giftcard_gateway.audit.trail._KINDS", 3)
    for number in range(10):
        served.app.trail.refused(
            AuditRecord(at=served.clock.now(), act="refused", machine=f"10.0.0.{number}")
        )
    refused = [one for one in await told(served) if one.act == "refused"]
    assert sorted(one.count for one in refused) == [1, 1, 1, 7]


async def test_the_audit_goes_out_as_logs(served: Served) -> None:
    """Each durable record goes out once, with an export's fields, at its own time and without a card."""
    kept = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK has no type for it
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    served.app.telemetry.audit_logs = AuditLogs(provider)
    before = len(await served.app.journal.audit(after=("", 0), limit=1000))
    await served.redeem()
    noted = AuditRecord(at=served.clock.now(), act="noted", heads={"other": Head(number=7, mac="0a")})
    await served.app.trail.told(served.app.trail.tell(noted))
    rows = (await served.app.journal.audit(after=("", 0), limit=1000))[before:]
    sent = kept.get_finished_logs()
    assert [one.log_record.body for one in sent] == [exported(row) for row in rows]
    assert [one.log_record.timestamp for one in sent] == [to_us(row.at) * 1000 for row in rows]
    assert {one.log_record.event_name for one in sent} == {"giftcard.audit"}
    # What a collector gets has every field too, whatever is nested in it.
    wire = encode_logs(sent).SerializeToString()
    assert all(row.mac.hex().encode() in wire for row in rows)
    assert b"0a" in wire
    assert PAN.encode() not in wire


async def test_the_trail_holds(served: Served) -> None:
    """What a gateway wrote checks out under its own key."""
    await served.redeem()
    await told(served)

    async def rows() -> AsyncIterator[AuditRow]:
        for row in await served.app.journal.audit(after=("", 0), limit=100):
            yield row

    checked = await verify(rows, served.app.seal)
    assert not checked.faults
    assert checked.records >= 3
