"""The sign-in before gRPC's own services, and the contract that must name every scope."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from giftcard.v1 import scope_pb2
from giftcard_gateway.access.identities import EVERYTHING, LOCAL
from giftcard_gateway.access.signing_in import SigningIn
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.config.access import Access, Grant, Scope
from giftcard_gateway.config.settings import Limits, Server
from giftcard_gateway.rpc import guard
from giftcard_gateway.rpc.guard import STANDARD, scope_of
from tests.attacks.frames import DATA, END_HEADERS, HEADERS, SETTINGS, connect, frame, headers
from tests.gateway.services.served import refusal_of
from tests.gateway.services.test_reach import Disguise
from tests.gateway.wire.filled import METHODS
from tests.patience import PATIENCE_S
from tests.world.app import HOST, open_app, settings, until
from tests.world.journal import Unsteady

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
WATCH, CHECK = "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"
CHANNELZ = "/grpc.channelz.v1.Channelz/GetServers"
STRANGERS = SigningIn(
    anonymous=LOCAL, certificates={"till.example": Grant(name="till", scopes=(Scope.READ,))}
)


async def answered(signing_in: SigningIn, path: str, *, open_reflection: bool = False) -> str:
    """Call one of gRPC's own services without credentials; return the code, or OK."""
    table = settings(
        Server(listen=f"{HOST}:0", channelz=True), access=Access(open_reflection=open_reflection)
    )
    async with (
        open_app(table, SystemClock(), signing_in=signing_in, journal=Unsteady()) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):
        try:
            if path == REFLECTION:
                ask: Any = channel.stream_stream(path)
                await ask(iter([b"\x3a\x00"])).read()
            else:
                call: Any = channel.unary_unary(path)
                await call(b"")
        except grpc.aio.AioRpcError as error:
            return refusal_of(error).reason
        return "OK"


async def test_reflection_needs_signing_in_unless_it_is_open() -> None:
    """Reflection describes the services to who signed in, or to everybody where the operator said so."""
    assert await answered(STRANGERS, REFLECTION) == "CREDENTIALS_INVALID"
    assert await answered(STRANGERS, REFLECTION, open_reflection=True) == "OK"
    assert await answered(SigningIn(anonymous=LOCAL), REFLECTION) == "OK"
    weak = Disguise()
    weak.wear(scopes=frozenset())
    assert await answered(weak, REFLECTION) == "OK"


async def test_channelz_needs_its_scope() -> None:
    """Connections and calls are shown to who operates the gateway, whatever reflection is."""
    assert await answered(STRANGERS, CHANNELZ, open_reflection=True) == "CREDENTIALS_INVALID"
    weak = Disguise()
    weak.wear(scopes=EVERYTHING - {Scope.OPERATE})
    assert await answered(weak, CHANNELZ) == "SCOPE_MISSING"
    assert await answered(SigningIn(anonymous=LOCAL), CHANNELZ) == "OK"


async def _first(call: Any) -> Any:  # noqa: ANN401 - the refusal's own type
    """Return why a stream was refused; None if it goes on."""
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        return refusal_of(error)
    return None


@pytest.mark.parametrize(("path", "places"), [(REFLECTION, 3), (WATCH, 3), (WATCH, guard.STREAMS)])
async def test_endless_streams_of_grpcs_own_have_places(path: str, places: int) -> None:
    """A machine, and all machines together, hold so many; the next is refused by name, and calls pass."""
    limits = Limits(streams=3 if places == 3 else 2 * guard.STREAMS)
    table = msgspec.structs.replace(settings(), limits=limits)
    async with (
        open_app(table, SystemClock(), signing_in=SigningIn(anonymous=LOCAL), journal=Unsteady()) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):

        def begin() -> Any:  # noqa: ANN401 - gRPC's own
            way: Any = channel
            if path == WATCH:
                return way.unary_stream(path)(b"", timeout=PATIENCE_S)
            call = way.stream_stream(path)(timeout=PATIENCE_S)
            asking.append(asyncio.ensure_future(call.write(b"\x3a\x00")))
            return call

        asking: list[asyncio.Future[None]] = []
        held = [begin() for _ in range(places)]
        assert [await _first(call) for call in held] == [None] * places
        refused = await _first(begin())
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refused.retry_after_s
        listing: Any = channel.unary_unary("/giftcard.v1.ProviderService/ListProviders")
        await listing(b"", timeout=PATIENCE_S)
        check: Any = channel.unary_unary(CHECK)
        await check(b"", timeout=PATIENCE_S)
        for call in held:
            call.cancel()


async def test_a_drain_refuses_reflection_and_tells_health() -> None:
    """While the process drains who asks to have it described is sent away, and a load balancer is told so."""
    async with (
        open_app(settings(), SystemClock(), signing_in=SigningIn(anonymous=LOCAL), journal=Unsteady()) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):
        app.admission.close()
        await app.server.pause()
        way: Any = channel
        refused = await _first(way.stream_stream(REFLECTION)(iter([b"\x3a\x00"]), timeout=PATIENCE_S))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert refused.retry_after_s
        told = HealthCheckResponse.FromString(await way.unary_unary(CHECK)(b"", timeout=PATIENCE_S))
        assert told.status == HealthCheckResponse.NOT_SERVING


async def test_health_answers_everybody() -> None:
    """A load balancer has no credentials."""
    async with (
        open_app(settings(), SystemClock(), signing_in=STRANGERS, journal=Unsteady()) as app,
        grpc.aio.insecure_channel(f"{HOST}:{app.server.port}") as channel,
    ):
        check: Any = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        assert (await check(HealthCheckRequest())).status == HealthCheckResponse.SERVING


@pytest.mark.parametrize("name", METHODS)
def test_every_call_names_a_scope(name: str) -> None:
    """The contract says of each call which scope it needs, and it is one that can be granted."""
    assert scope_of(METHODS[name]) in Scope


@pytest.mark.parametrize("scope", ["", "giftcard.everything"])
def test_a_call_without_a_scope_does_not_start(scope: str) -> None:
    """A call whose contract names no scope, or one nobody can have, keeps the gateway from starting."""
    file = descriptor_pb2.FileDescriptorProto(name=f"made/{scope}.proto", package="made", syntax="proto3")
    file.dependency.append("giftcard/v1/scope.proto")
    file.message_type.add(name="Nothing")
    method = file.service.add(name="Made").method.add(
        name="Up", input_type=".made.Nothing", output_type=".made.Nothing"
    )
    if scope:
        method.options.Extensions[scope_pb2.scope] = scope
    pool = descriptor_pool.DescriptorPool()
    for known in (descriptor_pb2.DESCRIPTOR, scope_pb2.DESCRIPTOR):
        pool.AddSerializedFile(known.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    with pytest.raises(KeyError, match=r"made\.Made\.Up has no scope we know"):
        scope_of(pool.FindServiceByName("made.Made").methods_by_name["Up"])


def test_every_service_of_grpc_is_thought_of() -> None:
    """Each service that gRPC brings and we serve has its place in the one table, health apart."""
    assert set(STANDARD) == {
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "grpc.channelz.v1.Channelz",
    }


async def test_a_watch_that_is_not_read_stops_nothing() -> None:
    """Whoever watches health and reads nothing keeps no change of health, and no stop, from going on."""
    app = open_app(settings(), SystemClock(), signing_in=SigningIn(anonymous=LOCAL), journal=Unsteady())
    async with app as running:
        watcher = await connect(running.server.port)
        # A window of no bytes: what the server writes to this stream is never sent.
        await watcher.send(frame(SETTINGS, 0, 0, (4).to_bytes(2, "big") + (0).to_bytes(4, "big")))
        opened = headers("/grpc.health.v1.Health/Watch")
        await watcher.send(frame(HEADERS, END_HEADERS, 1, opened), frame(DATA, 1, 1, bytes(5)))
        await until(lambda: bool(getattr(running.server._health, "_server_watchers")))  # noqa: B009, SLF001 - nobody else can tell
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(3):
                await running.server.pause()
                await running.server.serve()
        await watcher.close()
