"""Bytes that no browser sends are refused: whoever reaches the port rings no alert, and holds no memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from giftcard import new_transaction_id
from tests.gateway.console.visitors import OPERATE, READ, Place, open_place
from tests.patience import PATIENCE_S
from tests.world.app import HOST

_FORM = b"Content-Type: application/x-www-form-urlencoded"
_HOST = b"Host: 127.0.0.1"
_POST = b"POST /sign-in HTTP/1.1"
LINES: Mapping[str, tuple[tuple[bytes, ...], bytes]] = {
    "host": ((b"GET / HTTP/1.1", b"Host: ["), b""),
    "host and port": ((b"GET / HTTP/1.1", b"Host: [::1"), b""),
    "origin": ((_POST, _HOST, b"Origin: http://[", _FORM), b"a=b"),
    "origin without a scheme": ((_POST, _HOST, b"Origin: \xff", _FORM), b"a=b"),
    "charset": ((_POST, _HOST, _FORM + b"; charset=nowhere"), b"a=b"),
    "charset that is no text": ((_POST, _HOST, _FORM + b"; charset=base64"), b"a=b"),
    "form": ((_POST, _HOST, _FORM), b"a=\xff\xfe"),
    "escaped form": ((_POST, _HOST, _FORM), b"a=%ff&b=%ED%A0%80&stamp=%ff"),
    "many fields": ((_POST, _HOST, _FORM), b"a=&" * 20_000),
    "packed form": ((_POST, _HOST, _FORM, b"Content-Encoding: gzip"), b"a=b"),
    "cookies": (
        (b"GET / HTTP/1.1", _HOST, b"Cookie: giftcard-console=\xff; giftcard-console-visitor=\xff"),
        b"",
    ),
    "visitor": ((b"GET /sign-in HTTP/1.1", _HOST, b"Cookie: giftcard-console-visitor=\xff"), b""),
    "visitor's form": ((_POST, _HOST, _FORM, b"Cookie: giftcard-console-visitor=\xff"), b"stamp=%C3%BC"),
    "forwarded": ((b"GET / HTTP/1.1", _HOST, b"X-Forwarded-For: \xff, [, 1"), b""),
    "where to go on": ((b"GET /sign-in?next=/%ff%00%ED%A0%80 HTTP/1.1", _HOST), b""),
    "path": ((b"GET /transactions/%ff%00?tenant=%ED%A0%80 HTTP/1.1", _HOST), b""),
    "file": ((b"GET /static/%ff%2f..%2f HTTP/1.1", _HOST), b""),
}


async def send(place: Place, lines: tuple[bytes, ...], body: bytes, *, promised: int | None = None) -> bytes:
    """Send a request as it is, and return what comes back; hang up early on one that promises more."""
    assert place.app.console is not None
    reader, writer = await asyncio.open_connection(HOST, place.app.console.port)
    size = b"Content-Length: %d" % (len(body) if promised is None else promised)
    writer.write(b"\r\n".join((*lines, size, b"Connection: close", b"", body)))
    await writer.drain()
    if promised is not None:
        writer.write_eof()
    heard = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
    writer.close()
    return heard


@pytest.mark.parametrize("is_open", [False, True])
async def test_nothing_of_a_stranger_is_a_fault_of_ours(is_open: bool) -> None:
    """Odd hosts, origins, forms and cookies are answered, and none counts as what should not happen."""
    async with open_place(is_open=is_open) as place:
        for name, (lines, body) in LINES.items():
            status = int((await send(place, lines, body)).split()[1])
            assert status < 500, name
        assert place.heard.faults == []


async def test_who_hangs_up_rings_nothing() -> None:
    """A form that breaks off, and parts that do not fit together, are their sender's fault."""
    async with open_place() as place:
        await send(place, (_POST, _HOST, _FORM), b"a=b", promised=100)
        chunked = (_POST, _HOST, _FORM, b"Transfer-Encoding: chunked", b"", b"zz\r\n")
        assert place.app.console is not None
        reader, writer = await asyncio.open_connection(HOST, place.app.console.port)
        writer.write(b"\r\n".join(chunked))
        writer.write_eof()
        await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        writer.close()
        async with place.visitor() as visitor:
            assert (await visitor.get("/sign-in")).status_code == 200
        assert place.heard.faults == []


async def test_a_search_keeps_little() -> None:
    """What is too long to be found is refused and not kept: a reader fills no memory with searches."""
    async with open_place() as place, place.signed_in(*READ) as visitor:
        await visitor.get("/search")
        for field in ("external_reference", "terminal_id", "merchant_id", "provider", "card"):
            refused = await visitor.post("/search", None, **{field: "x" * 100_000})
            assert refused.status_code == 400, field
            assert "x" * 100 not in refused.text
        assert (await visitor.post("/search", external_reference="x" * 100)).status_code == 303


async def test_signing_in_often_signs_nobody_else_out() -> None:
    """An identity has so many sessions; its own oldest make room, and no other's."""
    async with open_place() as place, place.signed_in(*READ, name="kim") as other:
        key = await place.key("alex", *READ)
        async with place.visitor() as first, place.visitor() as again:
            await first.sign_in(key)
            for _ in range(20):
                assert (await again.sign_in(key)).status_code == 303
            assert (await first.get("/providers")).status_code == 303
            assert (await again.get("/providers")).status_code == 200
        assert (await other.get("/providers")).status_code == 200


async def test_marks_that_turn_a_line_around_are_shown() -> None:
    """What a caller says neither turns its line on the page around nor hides in it."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        said = "paid\u202edlos\u200b\x1b[31m"
        stuck = await place.stuck(
            till, transaction_id=new_transaction_id(), external_reference=said, labels={"shop": said}
        )
        page = (await visitor.get(f"/transactions/{stuck}")).text
        assert page.count(r"paid\u202edlos\u200b\x1b[31m") == 2
        assert not any(char in page for char in "\u202e\u200b\x1b")
