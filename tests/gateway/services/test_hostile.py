"""Hostile values in every field of every request, sent to a running gateway on each journal.

A value is refused with INVALID_ARGUMENT that names its field, or taken; then it is journalled and read back.
No call ends as our fault, and both journals say the same.
"""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc.aio
import msgspec
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from giftcard import v1
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.microseconds import EARLIEST, LATEST
from giftcard_gateway.wire.validation import validator
from tests.gateway.services.served import RAND, Served, refusal_of, serve
from tests.gateway.wire.filled import METHODS, SERVICES, UUID, fill, variants
from tests.gateway.wire.hostile import strip, tried, with_values
from tests.journal.conftest import server_place
from tests.journal.places import file
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer
from tests.world.observer import Heard

OUR_FAULT = {"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS", "CANCELLED", "RESOURCE_EXHAUSTED", "ABORTED"}
SOLD = {"Redeem", "Load", "Issue", "Void"}
"""What the provider here sells: a request for it goes all the way through."""
TOGETHER = 20
"""Values that are refused in one request: more would be more than a request may have in bytes."""
ALONE = {"provider", "providers", "page_token", "cursor", "transaction_id"}
"""Fields that decide how far a request goes."""
FIRST_OF_SPAN = {"created_from", "from_day", "start_time"}
Put = tuple[str, str]
"""The path of a field, and the name of what is put there."""
SHORT_S = 0.3
"""How long an endless stream is heard, when nothing says that it is refused."""


@pytest.fixture
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[tuple[Served, Heard]]]:
    """Serve a gateway on SQLite and one on PostgreSQL."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    places = [file("sqlite", tmp_path), await server_place(server)]
    async with AsyncExitStack() as stack:
        gateways = []
        for place in places:
            heard = Heard(SystemClock())
            served = await stack.enter_async_context(serve(journal=place.journal(), heard=heard))
            gateways.append((served, heard))
        yield gateways


def base(method: MethodDescriptor, variant: int, transaction_id: str) -> Any:  # noqa: ANN401 - a request
    """Return a good request with every field set, for a provider that is there."""
    request: Any = fill(method.input_type, variant)
    for field in method.input_type.fields:
        if field.name == "provider":
            request.provider = "first"
        elif field.name == "providers":
            request.providers[:] = ["first"]
        elif field.name == "transaction_id":
            request.transaction_id = transaction_id
        elif field.name == "amount" and method.name in SOLD:
            request.amount.CopyFrom(RAND)
    return request


def cases(method: MethodDescriptor) -> Iterator[tuple[int, list[Put]]]:
    """Give variants of a request with hostile values: those that are taken together, some refused ones too.

    What is refused is looked at here, every value of every field: the fault names its field.
    """
    check, seen = validator(method.input_type), set[Put]()
    is_unsold = method.containing_service.name == "GiftCardService" and method.name not in SOLD
    for variant in range(1 if is_unsold else variants(method.input_type)):
        request = base(method, variant, UUID)
        assert not check(request)
        taken, refused = defaultdict[str, list[Put]](list), defaultdict[str, list[Put]](list)
        for path, name in tried(request):
            if (path, name) in seen:
                continue
            seen.add((path, name))
            faults = check(request)
            (refused if faults else taken)[name].append((path, name))
            assert not faults or any(_names(path, at) for at, _ in faults), (path, name, faults)
        for alike in taken.values():
            alone = [one for one in alike if one[0] in ALONE]
            together = [one for one in alike if one not in alone]
            yield from ((variant, [one]) for one in alone)
            if check(made(method, variant, together, UUID)):
                yield from ((variant, [one]) for one in together)
            elif together:
                yield variant, together
        if variant == 0:
            yield from ((variant, alike[:TOGETHER]) for alike in refused.values())


def stripped(method: MethodDescriptor, request: Message, put: list[Put]) -> Iterator[Message]:
    """Give the request with one value of them and nothing else that it need not have; of reads that end.

    What other fields decide, such as which index is read, must not hide a value.
    """
    if method.containing_service.name == "GiftCardService" or method.server_streaming:
        return
    for path, _ in put:
        bare = type(request)()
        bare.CopyFrom(request)
        strip(bare, path)
        if not validator(method.input_type)(bare):
            yield bare


def _names(path: str, at: str) -> bool:
    """Tell whether a fault at a place names the field: it, what it is in, or the other end of its span."""
    return at.startswith(path) or path.startswith(at) or path.rpartition(".")[2] in FIRST_OF_SPAN


def made(method: MethodDescriptor, variant: int, put: list[Put], transaction_id: str) -> Message:
    """Return a request with these values in it."""
    request: Message = base(method, variant, transaction_id)
    with_values(request, put)
    return request


async def said(
    served: Served, method: MethodDescriptor, request: Message, stream_s: float = SHORT_S
) -> tuple[str, ...]:
    """Make a call and return its code, its reason and the fields it names; a silent stream is OK."""
    try:
        if method.client_streaming:
            await served.send(method.name, [request])
        elif method.server_streaming:
            stream = served.stream(method.name, request)
            try:
                async with asyncio.timeout(stream_s):
                    await stream.read()
            except TimeoutError:
                stream.cancel()
        else:
            await served.call(method.name, request)
    except grpc.aio.AioRpcError as error:
        refusal = refusal_of(error)
        return (refusal.code.name, refusal.reason, *refusal.violations)
    return ("OK",)


async def said_by(
    both: list[tuple[Served, Heard]], method: MethodDescriptor, request: Message, stream_s: float
) -> list[tuple[str, ...]]:
    """Return what each of the gateways says to a request."""
    return await asyncio.gather(*(said(served, method, request, stream_s) for served, _ in both))


@pytest.mark.postgres
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_nothing_hostile_is_our_fault(
    both: list[tuple[Served, Heard]], service: ServiceDescriptor
) -> None:
    """Every field with everything hostile: refused by its name or taken, on both journals alike."""
    wrong: list[str] = []
    clock = SystemClock()
    for method in service.methods:
        operation = method.name.removeprefix("Confirm").removeprefix("Reverse")
        for variant, put in cases(method):
            transaction_id = clock.uuid4()
            request = made(method, variant, put, transaction_id)
            if operation in SOLD and method.name != operation:
                ask = base(METHODS[f"giftcard.v1.GiftCardService/{operation}"], 0, transaction_id)
                await asyncio.gather(*(served.call(operation, ask) for served, _ in both))
            for asked in (request, *stripped(method, request, put)):
                is_good = not validator(method.input_type)(asked)
                first, second = await said_by(both, method, asked, SHORT_S if is_good else PATIENCE_S)
                if first != second and method.server_streaming:
                    # A slow machine may not have refused a stream yet when it was given up.
                    first, second = await said_by(both, method, asked, PATIENCE_S)
                is_sold = method.name in SOLD and put[0][0] != "provider" and is_good
                if first != second or first[0] in OUR_FAULT or (is_sold and first != ("OK",)):
                    wrong.append(f"{method.name} {put[:3]}: {first} / {second}")
    assert wrong == []
    for served, heard in both:
        assert heard.faults == []
        assert await served.call("ListTransactions", v1.ListTransactionsRequest(page_size=500))


@pytest.mark.postgres
@pytest.mark.parametrize(
    "half", [b"\xed\xa0\x80", b"\xff\xfe\xfd", b"\xc0\x80x"], ids=["surrogate", "no text", "overlong NUL"]
)
async def test_bytes_that_are_no_text_are_refused(both: list[tuple[Served, Heard]], half: bytes) -> None:
    """Half a character, or any other bytes that are no UTF-8, in place of a text: refused, by every call."""
    for method in METHODS.values():
        if method.client_streaming:
            continue
        request = base(method, 0, UUID)
        encoded = request.SerializeToString()
        texts = [one for one in (b"abc1", UUID[:4].encode(), b"first") if one in encoded]
        if not texts:
            continue
        encoded = encoded.replace(texts[0], half + texts[0][3:], 1)
        for served, heard in both:
            assert await refused_raw(served, method, encoded) == "INVALID_ARGUMENT FIELD_INVALID", method.name
            assert heard.faults == []


async def refused_raw(served: Served, method: MethodDescriptor, encoded: bytes) -> str:
    """Send bytes as a request; return the code of the refusal, which has a reason."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    kind = served.channel.unary_stream if method.server_streaming else served.channel.unary_unary
    call: Any = kind(path, request_serializer=bytes, response_deserializer=bytes)(encoded, timeout=PATIENCE_S)
    try:
        await (call.read() if method.server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return f"{error.code().name} {refusal_of(error).reason}"
    return "OK"


FAR = (
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00",
    "0000-00-00T00:00:00Z",
)


@pytest.mark.postgres
async def test_a_made_up_page_token_is_refused_or_is_a_place(both: list[tuple[Served, Heard]]) -> None:
    """Tokens with ends of all times, other ids, huge numbers and other types; on both journals alike."""
    genuine = []
    for served, _ in both:
        for _ in range(3):
            await served.redeem()
        page = await served.call("ListTransactions", v1.ListTransactionsRequest(page_size=1))
        genuine.append(page.next_page_token)
    fingerprint = msgspec.msgpack.decode(base64.urlsafe_b64decode(genuine[0] + "=="))[1]
    places: list[Any] = [((at, UUID), fingerprint) for at in (*FAR, EARLIEST, LATEST)]
    places += [(at, fingerprint) for at in (-(2**63), 2**64 - 1, 0, None, "x", [], ["x", UUID], [None, None])]
    places += [((LATEST, "\0"), fingerprint), (LATEST, UUID, fingerprint), ()]
    texts = [base64.urlsafe_b64encode(msgspec.msgpack.encode(one)).decode().rstrip("=") for one in places]
    texts += ["\x00", "=", "====", "\u0661", "A" * 50, base64.urlsafe_b64encode(b"\x92" * 60).decode()]
    for text in texts:
        request = v1.ListTransactionsRequest(page_size=2, page_token=text)
        answers = [
            await said(served, METHODS["giftcard.v1.TransactionService/ListTransactions"], request)
            for served, _ in both
        ]
        assert answers[0] == answers[1], text
        assert answers[0] in {("OK",), ("INVALID_ARGUMENT", "FIELD_INVALID", "page_token")}, text
    assert all(heard.faults == [] for _, heard in both)


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["WatchTransactions", "StreamEvents"])
async def test_a_made_up_cursor_is_refused_or_is_a_place(both: list[tuple[Served, Heard]], name: str) -> None:
    """Cursors of another journal, with huge numbers, signs, other digits: refused by name, or read after."""
    kind = {"WatchTransactions": v1.WatchTransactionsRequest, "StreamEvents": v1.StreamEventsRequest}[name]
    (method,) = (one for one in METHODS.values() if one.name == name)
    for text in (
        "1",
        "1.1",
        "-1",
        "9" * 18,
        "9" * 19,
        "9" * 400,
        f"{'9' * 18}.{'9' * 18}",
        "1e3",
        "\u0661",
        " 1",
        "1.",
        "0x1",
    ):
        for served, heard in both:
            answer = await said(served, method, kind(cursor=text))
            assert answer in {("OK",), ("INVALID_ARGUMENT", "FIELD_INVALID", "cursor")}, text
            assert heard.faults == []
