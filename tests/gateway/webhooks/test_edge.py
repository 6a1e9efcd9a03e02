"""What the webhook edge takes, what it refuses, and that a 2xx means the event is on disk."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from giftcard_adapters.codec import pack
from giftcard_adapters.values.reads import ProviderEvent
from giftcard_gateway.http import bodies, webhooks
from giftcard_gateway.rpc.server import PortTaken
from giftcard_simulators.sandbox import SimRequest
from tests.gateway.webhooks.edge import E_CARD, KEY, NEW_SECRET, OLD_SECRET, Edge, open_edge
from tests.patience import PATIENCE_S
from tests.world.app import HOST, edge_of

SIGNED = ("gr4vy", "jeudimerci", "gatepay")
CREDENTIAL = {
    "gr4vy": "x-gr4vy-webhook-signatures",
    "jeudimerci": "x-api-key",
    "gatepay": "x-gatepay-signature",
}
REPLIES = {"gr4vy": {}, "jeudimerci": {}, "gatepay": {"returnCode": "SUCCESS", "returnMessage": ""}}


def told(event_id: str = "e1", body: bytes = b"") -> SimRequest:
    """Return an authentic event of the made-up provider."""
    content = body or pack(ProviderEvent(event_id=event_id, name="something.happened"))
    return SimRequest(method="POST", path="/", headers={"x-key": KEY}, body=content)


async def raw(edge: Edge, request: bytes, *, is_ended: bool = False) -> bytes:
    """Send bytes as they are and return all that comes back; `is_ended` closes our side at once."""
    reader, writer = await asyncio.open_connection(HOST, edge_of(edge.app).port)
    writer.write(request)
    await writer.drain()
    if is_ended:
        writer.close()
        await writer.wait_closed()
        return b""
    answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    return answer


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """Give an edge that listens."""
    async with open_edge() as listening:
        yield listening


@pytest.mark.parametrize("provider", SIGNED)
async def test_authentic_event_is_kept_once(edge: Edge, provider: str) -> None:
    """An event signed as its provider signs is answered in its words and kept, once however often."""
    event = edge.event_of(provider)
    for _ in range(3):
        answer = await edge.post(provider, event)
        assert answer.status_code == HTTPStatus.OK
        assert answer.json() == REPLIES[provider]
    (row,) = await edge.kept()
    assert (row.provider, row.applied) == (provider, False)
    assert edge.app.pipeline.events.open(row).event_id == row.event_id


async def test_either_secret_is_good_while_one_is_replaced(edge: Edge) -> None:
    """While secrets are rotated an event under the old or the new one is taken, under a third it is not."""
    statuses = [
        (await edge.post("gr4vy", edge.gr4vy(secret, event_id=secret))).status_code
        for secret in (OLD_SECRET, NEW_SECRET, "a third")
    ]
    assert statuses == [200, 200, 401]
    assert edge.heard.webhooks == [("gr4vy", "kept"), ("gr4vy", "kept"), ("gr4vy", "refused")]
    assert {row.event_id for row in await edge.kept()} == {OLD_SECRET, NEW_SECRET}


@pytest.mark.parametrize("provider", SIGNED)
@pytest.mark.parametrize("forged", ["", "0" * 64, "é", "\udcff\udcfe"])
async def test_unsigned_event_is_refused(edge: Edge, provider: str, forged: str) -> None:
    """Without the right credential an event gets a bare 401, whatever stands in its place, and is lost."""
    event = edge.event_of(provider)
    kept = {name: value for name, value in event.headers.items() if name != CREDENTIAL[provider]}
    head = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
    line = f"POST /webhooks/{provider} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    credential = f"{CREDENTIAL[provider]}: {forged}\r\n" if forged else ""
    request = f"{line}{head}{credential}content-length: {len(event.body)}\r\n\r\n"
    answer = await raw(edge, request.encode("utf-8", "surrogateescape") + event.body)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"\r\n\r\n")
    assert not await edge.kept()


@pytest.mark.parametrize("provider", ["gr4vy", "gatepay"])
async def test_changed_body_is_refused(edge: Edge, provider: str) -> None:
    """A body that is not byte for byte the signed one is refused."""
    event = edge.event_of(provider)
    changed = msgspec.structs.replace(event, body=event.body + b" ")
    assert (await edge.post(provider, changed)).status_code == HTTPStatus.UNAUTHORIZED
    assert not await edge.kept()


async def test_other_providers_event_is_refused(edge: Edge) -> None:
    """An authentic event brought to another provider's address is refused there."""
    assert (await edge.post("gatepay", edge.gr4vy())).status_code == HTTPStatus.UNAUTHORIZED
    assert (await edge.post("gr4vy", edge.jeudimerci())).status_code == HTTPStatus.UNAUTHORIZED
    assert not await edge.kept()


@pytest.mark.parametrize(("provider", "window_s"), [("gr4vy", 300), ("gatepay", 600)])
async def test_old_event_cannot_be_replayed(edge: Edge, provider: str, window_s: int) -> None:
    """A recorded event is refused once its provider's window is over, also one that was never seen."""
    event = edge.event_of(provider)
    edge.clock.skip(seconds=window_s - 60)
    assert (await edge.post(provider, event)).status_code == HTTPStatus.OK
    later = edge.event_of(provider)
    edge.clock.skip(seconds=window_s + 2)
    for old in (event, later):
        assert (await edge.post(provider, old)).status_code == HTTPStatus.UNAUTHORIZED
    assert len(await edge.kept()) == 1


@pytest.mark.parametrize(
    "body", [b'{"eventType": 7}', b"[]", b"", b"{", b'{"id": "\\ud800"}', b"[" * 100_000]
)
@pytest.mark.parametrize("provider", ["jeudimerci", "gr4vy"])
async def test_signed_nonsense_is_kept(edge: Edge, provider: str, body: bytes) -> None:
    """An authentic event that nobody can read is acknowledged, kept once as it came, and told of."""
    event = edge.signed(provider, body)
    for _ in range(2):
        assert (await edge.post(provider, event)).status_code == HTTPStatus.OK
    (row,) = await edge.kept()
    kept = edge.app.pipeline.events.open(row)
    assert (row.name, kept.transaction_id, kept.outcome) == ("unreadable", "", None)
    assert base64.b64decode(kept.secrets["body"].reveal()) == body
    assert [type(fault).__name__ for _, fault in edge.heard.faults] == ["WebhookUnreadable"]


async def test_credentials_come_once(edge: Edge) -> None:
    """A request with two of any header that could be signed is refused, whichever of them is right."""
    event = edge.gr4vy()
    for name in ("x-gr4vy-webhook-signatures", "x-gr4vy-webhook-timestamp", "x-api-key"):
        headers = [*event.headers.items(), (name, "a"), (name, event.headers.get(name, "a"))]
        answer = await edge.http.post(f"{edge.url}/gr4vy", headers=headers, content=event.body)
        assert (answer.status_code, answer.content) == (HTTPStatus.BAD_REQUEST, b"")
    assert not await edge.kept()


async def test_slow_senders_take_nobodys_place(edge: Edge) -> None:
    """300 senders that never finish, and the genuine event is taken at once."""
    slow = []
    for _ in range(300):
        _, writer = await asyncio.open_connection(HOST, edge_of(edge.app).port)
        writer.write(b"POST /webhooks/gr4vy HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{")
        slow.append(writer)
    assert (await edge.post("gr4vy", edge.gr4vy())).status_code == HTTPStatus.OK
    for writer in slow:
        writer.close()


async def test_memory_for_bodies_is_bounded(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that holds its share of unread bytes is put off, and is taken again when they are gone."""
    monkeypatch.setattr(bodies, "_MOST_BYTES_EACH", 1000)
    _, writer = await asyncio.open_connection(HOST, edge_of(edge.app).port)
    writer.write(b"POST /webhooks/gr4vy HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n" + bytes(999))
    event = edge.gr4vy()

    async def status() -> int:
        return (await edge.post("gr4vy", event)).status_code

    async with asyncio.timeout(PATIENCE_S):
        while await status() != HTTPStatus.SERVICE_UNAVAILABLE:
            pass
        writer.close()
        while await status() != HTTPStatus.OK:
            pass


async def test_a_stranger_names_no_metric(edge: Edge) -> None:
    """A webhook for no provider of ours is counted without its name."""
    await edge.post("6045000000000061", edge.event_of("gr4vy"))
    assert edge.heard.webhooks == [("", "refused")]


async def test_wrong_addresses_and_methods_get_a_bare_no(edge: Edge) -> None:
    """Who is not a provider at its own address hears a status and no word, of us neither."""
    root = edge.url.removesuffix("/webhooks")
    asked = [
        ("POST", f"{edge.url}/nobody", 404),
        ("POST", f"{edge.url}/electrum", 404),
        ("POST", f"{edge.url}/..%2fgr4vy", 404),
        ("POST", f"{edge.url}/gr4vy/more", 404),
        ("POST", root, 404),
        ("GET", f"{edge.url}/gr4vy", 405),
        ("PUT", f"{edge.url}/gr4vy", 405),
        ("OPTIONS", f"{edge.url}/gr4vy", 405),
    ]
    for method, url, status in asked:
        answer = await edge.http.request(method, url, content=b"{}" if method != "GET" else None)
        assert (answer.status_code, answer.content) == (status, b""), (method, url)
        assert "server" not in answer.headers
    assert not await edge.kept()


@pytest.mark.parametrize("is_declared", [True, False])
async def test_oversize_body_is_refused(is_declared: bool) -> None:
    """A body over the limit is refused with 413, whether its length is declared or found out on the way."""

    async def pieces() -> object:
        for _ in range(100):
            yield b"x" * 100

    async with open_edge(max_body_bytes=1_000) as edge:
        url, headers = f"{edge.url}/herald", {"x-key": KEY}
        content = b"x" * 1_001 if is_declared else pieces()
        answer = await edge.http.post(url, headers=headers, content=content)  # type: ignore[arg-type]  # pieces are content too
        assert (answer.status_code, answer.content) == (413, b"")
        assert not edge.herald.heard
        whole = await edge.http.post(url, headers=headers, content=b"-".ljust(1))
        assert whole.status_code == HTTPStatus.OK


async def test_slow_body_is_refused() -> None:
    """A sender who does not hand over what it announced is told 408 and keeps nothing occupied."""
    async with open_edge(body_timeout_s=0.05) as edge:
        answer = await raw(edge, b"POST /webhooks/herald HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert not edge.herald.heard


async def test_sender_that_leaves_half_way_tells_nothing(edge: Edge) -> None:
    """Half a body is no event, and the edge goes on."""
    await raw(
        edge, b"POST /webhooks/herald HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc", is_ended=True
    )
    assert (await edge.post("herald", told())).status_code == HTTPStatus.OK
    assert len(edge.herald.heard) == 1
    assert not edge.heard.faults


@pytest.mark.parametrize(
    "head", [b"x: y\r\n" * 100, b"x: " + b"y" * 10_000 + b"\r\n", b"a b: c\r\n", b"content-length: -1\r\n"]
)
async def test_too_many_or_wrong_headers_are_refused(
    edge: Edge, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers beyond any a provider sends are refused before a body is read, and are not quoted in a log."""
    request = b"POST /webhooks/herald HTTP/1.1\r\nhost: x\r\nx-key: " + KEY.encode() + b"\r\n" + head
    answer = await raw(edge, request + b"\r\n")
    assert answer.partition(b" ")[2].startswith(b"400 ")
    assert answer.partition(b"\r\n\r\n")[2] == b""
    assert KEY.encode() not in answer
    assert not edge.herald.heard
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /webhooks/herald HTTP/1.1\r\nhost: x\r\nexpect: %s\r\ncontent-length: 0\r\n", 417),
        (b"POST /webhooks/herald HTTP/1.1\r\nhost: x\r\nexpect: \xff%s\r\ncontent-length: 0\r\n", 400),
        (b"GET /%s HTTP/1.1\r\nhost: x\r\n", 404),
        (b"GET /webhooks/herald HTTP/1.1\r\nhost: x\r\nx: %s\r\n", 405),
        (b"\x16\x03\x01%s", 400),
    ],
    ids=["expectation", "expectation that is no text", "path", "method", "TLS"],
)
async def test_a_refusal_says_nothing(edge: Edge, request_: bytes, status: int) -> None:
    """Whatever is refused, and wherever: a bare status, no word of the request, no name of a server."""
    answer = await raw(edge, request_ % KEY.encode() + b"connection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == str(status).encode()
    assert body == b""
    assert KEY.encode() not in answer
    assert b"\r\nserver:" not in answer.lower()


async def test_packed_body_is_taken_as_it_came(edge: Edge) -> None:
    """A body is verified byte for byte as it was sent; nothing is unpacked, so nothing can blow up."""
    packed = gzip.compress(b"0" * 10_000)
    event = told(body=packed)
    await edge.post("herald", event, **{"content-encoding": "gzip"})
    assert edge.herald.heard[0].body == packed


async def test_event_that_cannot_be_kept_is_not_acknowledged(edge: Edge) -> None:
    """While the journal is away an event is answered 503; the repeat is kept (rule 2)."""
    edge.journal.away = {"add_event"}
    event = edge.gatepay()
    answer = await edge.post("gatepay", event)
    assert (answer.status_code, answer.content) == (503, b"")
    assert answer.headers["retry-after"]
    edge.journal.away = set()
    assert (await edge.post("gatepay", event)).status_code == HTTPStatus.OK
    assert len(await edge.kept()) == 1


async def test_event_kept_without_acknowledgement_is_kept_once(edge: Edge) -> None:
    """An event whose write took effect and was not answered is repeated by its provider and kept once."""
    edge.journal.lost = ["add_event"]
    event = edge.gr4vy()
    assert (await edge.post("gr4vy", event)).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert (await edge.post("gr4vy", event)).status_code == HTTPStatus.OK
    assert len(await edge.kept()) == 1


async def test_acknowledgement_waits_for_the_disk(edge: Edge) -> None:
    """No answer is given before the journal has the event, and a sender who leaves does not undo it."""
    edge.door.opened.clear()
    call = asyncio.create_task(edge.post("herald", told()))
    await edge.door.reached.wait()
    done, _ = await asyncio.wait({call}, timeout=0.05)
    assert not done
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    edge.door.opened.set()
    await edge_of(edge.app).stop()
    assert len(await edge.kept()) == 1


async def test_stop_waits_for_the_event_in_hand(edge: Edge) -> None:
    """A process that stops answers the event it has begun to keep."""
    edge.door.opened.clear()
    call = asyncio.create_task(edge.post("herald", told()))
    await edge.door.reached.wait()
    stopping = asyncio.create_task(edge_of(edge.app).stop())
    await asyncio.sleep(0)
    edge.door.opened.set()
    assert (await call).status_code == HTTPStatus.OK
    await stopping
    assert edge_of(edge.app).port == 0


async def test_fault_of_ours_shows_nothing(edge: Edge) -> None:
    """When an adapter fails the sender hears a bare 500 and tries again; the operator hears of it."""
    edge.herald.fault = ZeroDivisionError(KEY)
    answer = await edge.post("herald", told())
    assert (answer.status_code, answer.content) == (500, b"")
    assert edge.heard.faults == [("webhook", edge.herald.fault)]
    assert not await edge.kept()


async def test_refusals_do_not_fill_the_log(edge: Edge) -> None:
    """Of a provider's refused events an operator hears once a minute, however many anybody sends."""
    for provider in ("herald", "herald", "gatepay", "herald"):
        await edge.post(provider, SimRequest(method="POST", path="/"))
    assert len(edge.heard.faults) == 2
    edge.clock.skip(seconds=61)
    await edge.post("herald", SimRequest(method="POST", path="/"))
    assert len(edge.heard.faults) == 3


async def test_event_without_news_is_acknowledged(edge: Edge) -> None:
    """An authentic webhook that tells of nothing is acknowledged: repeating it would tell no more."""
    assert (await edge.post("herald", told(body=b"-"))).status_code == HTTPStatus.OK
    assert not await edge.kept()


@pytest.mark.parametrize("event_id", ["e" * 513, "e\0"])
async def test_an_id_that_no_database_keeps(edge: Edge, event_id: str) -> None:
    """An event whose id no index can hold is kept as one that cannot be read, on every journal."""
    assert (await edge.post("herald", told(event_id))).status_code == HTTPStatus.OK
    assert (await edge.post("herald", told("e" * 512))).status_code == HTTPStatus.OK
    assert [row.name for row in await edge.kept()] == ["unreadable", "something.happened"]


async def test_more_at_once_than_memory_is_for_are_put_off(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond so many requests in hand a sender is asked to come again, instead of filling the memory."""
    monkeypatch.setattr(webhooks, "_MOST_AT_ONCE", 1)
    edge.door.opened.clear()
    first = asyncio.create_task(edge.post("herald", told("e1")))
    await edge.door.reached.wait()
    assert (await edge.post("herald", told("e2"))).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    edge.door.opened.set()
    assert (await first).status_code == HTTPStatus.OK
    assert (await edge.post("herald", told("e2"))).status_code == HTTPStatus.OK


async def test_secrets_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a taken nor a refused event leaves a code, a PIN or a key in a log or in a fault's text."""
    with caplog.at_level(logging.DEBUG):
        async with open_edge() as edge:
            event = edge.jeudimerci()
            await edge.post("jeudimerci", event)
            wrong = "a-key-somebody-mistyped"
            await edge.post("jeudimerci", event, **{"x-api-key": wrong})
            await edge.post("jeudimerci", msgspec.structs.replace(event, body=event.body[:-1]))
            heard = caplog.text + "".join(map(repr, edge.heard.faults))
            rows = await edge.kept()
            for secret in (E_CARD, event.headers["x-api-key"], wrong):
                assert secret not in heard
                assert not [row for row in rows if secret.encode() in row.document]
            assert E_CARD not in repr(rows)
            assert E_CARD not in repr([edge.app.pipeline.events.open(row) for row in rows])
            assert [row.name == "unreadable" for row in rows] == [False, True]
            assert len(edge.heard.faults) == 2


async def test_taken_port_is_one_sentence() -> None:
    """A port somebody else has is refused with a sentence; without an address nothing listens."""
    async with open_edge() as edge:
        with pytest.raises(PortTaken, match="the port is taken or not ours"):
            async with open_edge(listen=f"{HOST}:{edge_of(edge.app).port}"):
                pass
    async with open_edge(listen=None) as silent:
        assert silent.app.webhooks is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), signature=st.text(max_size=40), timestamp=st.text(max_size=12))
def test_no_request_makes_an_adapter_fail(body: bytes, signature: str, timestamp: str) -> None:
    """Whatever stands in the signed headers and the body, an adapter refuses it and never fails."""
    asyncio.run(_throw(body, signature, timestamp))


async def _throw(body: bytes, signature: str, timestamp: str) -> None:
    def field(text: str) -> bytes:
        return "".join(one for one in text if one.isprintable()).encode()

    async with open_edge() as edge:
        for provider, header in CREDENTIAL.items():
            head = b"".join(
                b"%s: %s\r\n" % (name, value)
                for name, value in (
                    (header.encode(), field(signature)),
                    (b"x-gr4vy-webhook-timestamp", field(timestamp)),
                    (b"x-gatepay-timestamp", field(timestamp)),
                )
            )
            line = b"POST /webhooks/%s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" % provider.encode()
            answer = await raw(edge, line + head + b"content-length: %d\r\n\r\n" % len(body) + body)
            assert answer.startswith(b"HTTP/1.1 401 "), answer[:40]
