"""Traces: one trace from a caller through us to a provider and on, and nothing secret in it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from giftcard_adapters.calls import Call, Moment
from giftcard_adapters.errors import NoAnswer
from giftcard_adapters.exchange import Exchange
from giftcard_adapters.values.operations import Operation
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.ledger.entry import Entry, State
from giftcard_gateway.pipeline.tasks import Tasks
from giftcard_gateway.telemetry import catalogue, open_telemetry
from giftcard_gateway.telemetry.spans import current, parse
from tests.world.seen import Seen

CARD, PIN, KEY = "6045001122334455", "739182", "key-abcdef"
METHOD = "giftcard.v1.GiftCardService/Redeem"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("authorization", KEY)]
T0 = datetime(2026, 11, 5, tzinfo=UTC)


def facts(span: ReadableSpan) -> dict[str, object]:
    """Return a span's attributes."""
    return dict(span.attributes or {})


def exchange(seen: Seen, answer: httpx.MockTransport) -> Exchange:
    """Make an exchange with a provider that is watched."""
    return Exchange(
        base_url="https://provider.example/api",
        transport=seen.telemetry.traced(answer, "spar-za"),
        moment=lambda: Moment(now_s=1.0, nonce="0" * 32),
        timeout_s=5,
    )


async def redeem(seen: Seen, answer: httpx.MockTransport) -> None:
    """Redeem a card whose number and PIN are in every place they can be."""
    call = Call(
        method="POST",
        path=f"/cards/{CARD}/redeem?pin={PIN}",
        body=f'{{"card": "{CARD}", "pin": "{PIN}"}}'.encode(),
        headers=(("X-Card", CARD),),
    )
    await exchange(seen, answer).send(call, sign=lambda *_: {"Authorization": KEY}, name="redeem")


def ok(request: httpx.Request) -> httpx.Response:
    """Approve, and repeat the card in the answer."""
    assert request.headers["traceparent"].startswith(f"00-{TRACE}-")
    return httpx.Response(200, headers={"X-Card": CARD}, json={"card": CARD, "pin": PIN})


async def test_one_trace(seen: Seen) -> None:
    """The caller's trace goes through the call to the exchange and on to the provider."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["traceparent"])
        return ok(request)

    with seen.telemetry.call(METHOD, CALLER):
        await redeem(seen, httpx.MockTransport(answer))
    client, server = seen.spans()
    assert (server.kind, client.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert server.context is not None
    assert client.context is not None
    assert f"{server.context.trace_id:032x}" == f"{client.context.trace_id:032x}" == TRACE
    assert server.parent is not None
    assert f"{server.parent.span_id:016x}" == PARENT
    assert client.parent == server.context
    assert sent == [f"00-{TRACE}-{client.context.span_id:016x}-01"]


async def test_call_conventions(seen: Seen) -> None:
    """A call's span is named and described as the RPC conventions say."""
    with seen.telemetry.call(METHOD, []) as call:
        call.note("giftcard.transaction_id", "t-1")
        call.answered("OK")
    (span,) = seen.spans()
    assert span.name == METHOD
    assert facts(span) == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
        "giftcard.transaction_id": "t-1",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.resource.attributes["service.name"] == "giftcard-gateway"


@pytest.mark.parametrize(
    ("code", "is_fault"),
    [("INVALID_ARGUMENT", False), ("NOT_FOUND", False), ("INTERNAL", True), ("UNAVAILABLE", True)],
)
async def test_failed_call(seen: Seen, code: str, is_fault: bool) -> None:
    """A code that is the server's failure makes the span one; a caller's mistake does not."""
    with seen.telemetry.call(METHOD, []) as call:
        call.answered(code)
    (span,) = seen.spans()
    assert facts(span)["rpc.response.status_code"] == code
    assert facts(span).get("error.type") == (code if is_fault else None)
    assert (span.status.status_code is StatusCode.ERROR) is is_fault
    ((attributes, count),) = seen.points("rpc.server.call.duration")
    assert (attributes["rpc.response.status_code"], count) == (code, 1)


@pytest.mark.parametrize(
    ("fault", "code"), [(RuntimeError(CARD), "UNKNOWN"), (asyncio.CancelledError(), "CANCELLED")]
)
async def test_call_left_by_exception(seen: Seen, fault: BaseException, code: str) -> None:
    """An exception that nobody turned into an answer is seen as its code, and not its text."""
    with pytest.raises(type(fault)), seen.telemetry.call(METHOD, []):
        raise fault
    assert facts(seen.spans()[0])["rpc.response.status_code"] == code
    assert CARD not in seen.everything()
    assert current() is None


async def test_exchange_conventions(seen: Seen) -> None:
    """An exchange's span tells host, operation and status, and never an address."""
    with seen.telemetry.call(METHOD, CALLER):
        await redeem(seen, httpx.MockTransport(ok))
    span = seen.spans()[0]
    assert span.name == "POST redeem"
    assert facts(span) == {
        "http.request.method": "POST",
        "server.address": "provider.example",
        "server.port": 443,
        "giftcard.provider": "spar-za",
        "giftcard.operation": "redeem",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    ((attributes, count),) = seen.points("http.client.request.duration")
    assert attributes == {
        "giftcard.provider": "spar-za",
        "giftcard.operation": "redeem",
        "http.request.method": "POST",
        "server.address": "provider.example",
        "server.port": 443,
        "http.response.status_code": 200,
    }
    assert count == 1


async def test_path_template(seen: Seen) -> None:
    """Where an adapter says what its paths look like, the span is named so, and has no id."""
    made = exchange(seen, httpx.MockTransport(lambda _: httpx.Response(200)))
    made.templates = {"find": "/cards/{card}/moves"}
    await made.send(Call(method="GET", path=f"/cards/{CARD}/moves?x=1"), sign=lambda *_: {}, name="find")
    (span,) = seen.spans()
    assert span.name == "GET /cards/{card}/moves"
    assert facts(span)["url.template"] == "/cards/{card}/moves"
    assert CARD not in seen.everything()


async def test_nothing_secret(seen: Seen) -> None:
    """Card number, PIN and key are in no span and no metric, whether the exchange goes well or breaks."""

    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"{CARD} {PIN} {KEY}")

    with seen.telemetry.call(METHOD, CALLER):
        await redeem(seen, httpx.MockTransport(ok))
        with pytest.raises(NoAnswer):
            await redeem(seen, httpx.MockTransport(broken))
    exported = seen.everything()
    assert "spar-za" in exported
    for secret in (CARD, PIN, KEY):
        assert secret not in exported


async def test_broken_exchange(seen: Seen) -> None:
    """A fault is told by its type: before an answer, and in its body."""

    class Breaking(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204 -- a generator of one raise
            yield b"{"
            raise httpx.RemoteProtocolError("broke off")

    def late(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Breaking())

    def early(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    for answer in (early, late):
        with pytest.raises(NoAnswer):
            await exchange(seen, httpx.MockTransport(answer)).send(
                Call(method="GET", path="/"), sign=lambda *_: {}, name="find"
            )
    assert [facts(span)["error.type"] for span in seen.spans()] == ["ReadTimeout", "RemoteProtocolError"]
    assert all(span.status.status_code is StatusCode.ERROR for span in seen.spans())
    assert all(span.status.description is None and not span.events for span in seen.spans())


async def test_refused_exchange(seen: Seen) -> None:
    """A client's span counts a status from 400 on as failed, by the conventions."""
    await exchange(seen, httpx.MockTransport(lambda _: httpx.Response(404))).send(
        Call(method="GET", path="/"), sign=lambda *_: {}, name="find"
    )
    assert facts(seen.spans()[0])["error.type"] == "404"


class TestSampling:
    """What is decided, is decided at the head and kept."""

    async def test_caller_decides(self, seen: Seen) -> None:
        """A trace the caller does not sample is passed on so, and costs no span."""
        sent: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            sent.append(request.headers["traceparent"])
            return httpx.Response(200)

        with seen.telemetry.call(METHOD, [("traceparent", f"00-{TRACE}-{PARENT}-00")]):
            await redeem(seen, httpx.MockTransport(answer))
        assert seen.spans() == ()
        assert sent[0].startswith(f"00-{TRACE}-")
        assert sent[0].endswith("-00")

    async def test_off(self) -> None:
        """Without an exporter a caller's trace is passed on as it came, and none is begun."""
        telemetry = open_telemetry({}, SystemClock())
        with telemetry.call(METHOD, CALLER):
            assert telemetry.observer.traceparent() == CALLER[0][1]
        with telemetry.call(METHOD, []):
            assert telemetry.observer.traceparent() == ""
        telemetry.close()

    async def test_tracestate(self, seen: Seen) -> None:
        """What other systems put into the trace goes on with it."""
        sent: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            sent.append(request.headers["tracestate"])
            return httpx.Response(200)

        with seen.telemetry.call(METHOD, [*CALLER, ("tracestate", "vendor=1")]):
            await redeem(seen, httpx.MockTransport(answer))
        assert sent == ["vendor=1"]

    @pytest.mark.parametrize("tracestate", ["my card is 6045120000000007", "a=1,,=x", "a=" + "1" * 600])
    async def test_wild_tracestate(
        self, seen: Seen, caplog: pytest.LogCaptureFixture, tracestate: str
    ) -> None:
        """A tracestate that is none, or too long, is dropped and not logged (rule 16)."""
        sent: list[httpx.Headers] = []

        def answer(request: httpx.Request) -> httpx.Response:
            sent.append(request.headers)
            return httpx.Response(200)

        with seen.telemetry.call(METHOD, [*CALLER, ("tracestate", tracestate)]):
            await redeem(seen, httpx.MockTransport(answer))
        assert [headers.get("tracestate") for headers in sent] == [None]
        assert tracestate not in caplog.text

    @pytest.mark.parametrize(
        "traceparent",
        [
            "",
            "x",
            f"00-{TRACE}-{PARENT}",
            f"ff-{TRACE}-{PARENT}-01",
            f"00-{TRACE.upper()}-{PARENT}-01",
            f"00-{'0' * 32}-{PARENT}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE}-{PARENT}-0g",
        ],
    )
    async def test_no_traceparent(self, seen: Seen, traceparent: str) -> None:
        """What is not a traceparent begins a new trace."""
        assert parse(traceparent) is None
        with seen.telemetry.call(METHOD, [("traceparent", traceparent)]):
            pass
        assert seen.spans()[0].parent is None


def entry(state: State, traceparent: str = "") -> Entry:
    """Return a transaction in some state."""
    return Entry(
        transaction_id="5f0c6f1e-7a63-4b6e-9f0a-111111111111",
        operation=Operation.REDEEM,
        state=state,
        created_at=T0,
        updated_at=T0,
        provider="spar-za",
        traceparent=traceparent,
    )


class TestObserver:
    """What the pipeline tells."""

    async def test_resumed_trace(self, seen: Seen) -> None:
        """Each go of recovery is a trace of its own, linked to the one in which the transaction began."""
        observer = seen.telemetry.observer
        with seen.telemetry.call(METHOD, CALLER):
            kept = observer.traceparent()
        with observer.resuming(entry(State.REVERSING, kept)):
            await exchange(seen, httpx.MockTransport(lambda _: httpx.Response(200))).send(
                Call(method="POST", path="/"), sign=lambda *_: {}, name="reverse"
            )
        server, client, resumed = seen.spans()
        assert resumed.parent is None
        assert server.context is not None
        assert resumed.context is not None
        assert resumed.context.trace_id != server.context.trace_id
        assert [link.context.span_id for link in resumed.links] == [server.context.span_id]
        assert client.parent == resumed.context
        assert resumed.name == "resume REDEEM"
        assert facts(resumed)["giftcard.transaction_id"] == "5f0c6f1e-7a63-4b6e-9f0a-111111111111"

    async def test_a_go_lasts_as_long_as_its_work(self, seen: Seen) -> None:
        """The span of a go of recovery ends when what it does has ended."""
        go_on = asyncio.Event()

        class Waiting(Tasks):
            async def advance(self, entry: Entry) -> Entry:
                await go_on.wait()
                return entry

        observer, one = seen.telemetry.observer, entry(State.REVERSING)
        task = Waiting(observer).drive(one, within=observer.resuming(one))
        for _ in range(3):
            await asyncio.sleep(0)
        assert seen.spans() == ()
        go_on.set()
        await task
        assert [span.name for span in seen.spans()] == ["resume REDEEM"]

    async def test_work_that_outlives_the_call(self, seen: Seen) -> None:
        """A task the call started goes on in its trace after the call was answered."""
        go_on = asyncio.Event()

        async def work() -> str:
            await go_on.wait()
            return seen.telemetry.observer.traceparent()

        with seen.telemetry.call(METHOD, CALLER):
            task = asyncio.create_task(work())
        go_on.set()
        assert TRACE in await task

    async def test_states_are_counted(self, seen: Seen) -> None:
        """Each state reached counts once; a write that changes no state does not."""
        observer = seen.telemetry.observer
        pending, approved = entry(State.PENDING), entry(State.APPROVED)
        with seen.telemetry.call(METHOD, []):
            observer.wrote(None, pending)
            observer.wrote(pending, approved)
            observer.wrote(approved, approved)
            observer.wrote(approved, entry(State.UNRESOLVED))
        counted = seen.points("giftcard.transaction.states")
        assert {str(attributes["giftcard.state"]): count for attributes, count in counted} == {
            "PENDING": 1,
            "APPROVED": 1,
            "UNRESOLVED": 1,
        }
        ((attributes, count),) = seen.points("giftcard.transaction.unresolved")
        assert (attributes, count) == ({"giftcard.operation": "REDEEM", "giftcard.provider": "spar-za"}, 1)
        assert facts(seen.spans()[0])["giftcard.state"] == "UNRESOLVED"

    async def test_other_trace(self, seen: Seen) -> None:
        """A confirmation called in another trace points at the one its transaction began in, once."""
        began = f"00-{'1' * 32}-{PARENT}-01"
        with seen.telemetry.call(METHOD, CALLER):
            own = seen.telemetry.observer.traceparent()
            for traceparent in (began, began, own, ""):
                seen.telemetry.observer.wrote(None, entry(State.CONFIRMING, traceparent))
        (link,) = seen.spans()[0].links
        assert f"{link.context.trace_id:032x}" == "1" * 32

    async def test_windows_and_faults(self, seen: Seen) -> None:
        """A late reversal, what should not have happened and what was left out are counted."""
        observer = seen.telemetry.observer
        observer.window_closing(entry(State.REVERSING), 0.5)
        observer.window_closing(entry(State.REVERSING), 0.95)
        observer.faulted("advance", ValueError(CARD))
        observer.left_out("spar-za", "slip.lines")
        assert [
            attributes["giftcard.severity"] for attributes, _ in seen.points("giftcard.reversal.window")
        ] == [
            "warning",
            "critical",
        ]
        assert seen.points("giftcard.fault") == [
            ({"giftcard.place": "advance", "giftcard.type": "ValueError"}, 1)
        ]

        assert seen.points("giftcard.answer.left_out") == [
            ({"giftcard.provider": "spar-za", "giftcard.place": "slip.lines"}, 1)
        ]

    async def test_gauges(self, seen: Seen) -> None:
        """The backlog is what was said last; circuits are asked at each export."""
        metrics = seen.telemetry.metrics
        metrics.set(catalogue.LAG, {("spar-za",): 5.0})
        metrics.set(catalogue.LAG, {("spar-za",): 3.0})
        states: dict[tuple[str, ...], float] = {("spar-za",): 0}
        metrics.watch(catalogue.CIRCUIT, lambda: states)
        states["spar-za",] = 2
        assert seen.points("giftcard.backlog.lag") == [({"giftcard.provider": "spar-za"}, 3)]
        assert seen.points("giftcard.circuit.state") == [({"giftcard.provider": "spar-za"}, 2)]
