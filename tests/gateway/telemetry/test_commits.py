"""Commits of the journal in the traces of the calls that waited for them."""

from __future__ import annotations

from opentelemetry.trace import SpanKind

from tests.world.seen import Seen

METHOD = "giftcard.v1.GiftCardService/Redeem"


def test_one_in_the_trace_of_each_call(seen: Seen) -> None:
    """Each call whose row was in it has it once, however many rows of it there were, with their number."""
    with seen.telemetry.call(METHOD, []):
        first = seen.telemetry.caller()
    with seen.telemetry.call(METHOD, []):
        second = seen.telemetry.caller()
    seen.telemetry.committed("postgresql", 0.5, 0.25, [first, second, first, None])
    servers, commits = seen.spans()[:2], seen.spans()[2:]
    parents = [commit.parent.span_id for commit in commits if commit.parent]
    assert sorted(parents) == sorted(server.context.span_id for server in servers if server.context)
    for commit in commits:
        assert (commit.name, commit.kind) == ("COMMIT", SpanKind.CLIENT)
        assert dict(commit.attributes or {}) == {
            "db.system.name": "postgresql",
            "db.operation.name": "COMMIT",
            "db.operation.batch.size": 4,
        }
        assert commit.start_time is not None
        assert commit.end_time is not None
        assert commit.end_time - commit.start_time >= 250_000_000
    assert seen.points("db.client.operation.duration")[0][1] == 1


def test_one_row_by_itself(seen: Seen) -> None:
    """A size of one is not told, as the conventions ask."""
    with seen.telemetry.call(METHOD, []):
        caller = seen.telemetry.caller()
    seen.telemetry.committed("sqlite", 0.0, 0.001, [caller])
    assert "db.operation.batch.size" not in (seen.spans()[-1].attributes or {})


def test_none_where_nobody_looks(seen: Seen) -> None:
    """A call that is not sampled, and a write of no call, has none; it is measured all the same."""
    with seen.telemetry.call(METHOD, [("traceparent", f"00-{'a' * 32}-{'b' * 16}-00")]):
        caller = seen.telemetry.caller()
    seen.telemetry.committed("sqlite", 0.0, 0.001, [caller, None])
    assert seen.spans() == ()
    assert seen.points("db.client.operation.duration")[0][1] == 1
