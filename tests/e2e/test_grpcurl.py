"""The real grpcurl on a real gateway: what the README says works, and everything describes itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import EnumDescriptor
from grpc_reflection.v1alpha import reflection_pb2

from giftcard import v1
from tests.conftest import ROOT
from tests.e2e.sandboxes import ELECTRUM, Plain, Sandbox, answer_of, answers_in, grpcurl, sandbox, shell
from tests.patience import PATIENCE_S

README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVICES = {
    f"giftcard.v1.{name}Service"
    for name in ("GiftCard", "Transaction", "StoredCard", "Catalog", "Report", "Event", "Provider")
}
HEALTH = "grpc.health.v1.Health"
REFLECTIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
CHANNELZ = "grpc.channelz.v1.Channelz"
PAN = "6045000000000061"


def blocks(kind: str) -> list[str]:
    """Return the README's blocks of one kind that call the gateway."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [block for block in found if ":50051" in block]


def inside(answer: Plain, *path: str) -> object:
    """Return what lies at a path of an answer."""
    found: object = answer
    for key in path:
        found = cast("Plain", found)[key]
    return found


def described(port: int, reflection: str, symbol: str) -> reflection_pb2.ServerReflectionResponse:
    """Ask one version of reflection for the file of a symbol; the two speak the same bytes."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.stream_stream(
            f"/{reflection}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        wanted = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
        return next(ask(iter([wanted]), timeout=PATIENCE_S))


def methods(service: str) -> set[str]:
    """Return the names of a service's calls."""
    found = descriptor_pool.Default().FindServiceByName(service)
    return {method.name for method in found.methods}


def _symbols() -> Iterator[str]:
    """Yield every name that our files declare."""
    files = {descriptor_pool.Default().FindFileContainingSymbol(service) for service in SERVICES}
    while files:
        file = files.pop()
        files |= {one for one in file.dependencies if one.package == "giftcard.v1"}
        for service in file.services_by_name.values():
            yield service.full_name
            yield from (method.full_name for method in service.methods)
        yield from _enums(file.enum_types_by_name.values())
        messages = list(file.message_types_by_name.values())
        while messages:
            message = messages.pop()
            messages += message.nested_types
            yield message.full_name
            yield from (field.full_name for field in message.fields)
            yield from _enums(message.enum_types)


def _enums(enums: Iterable[EnumDescriptor]) -> Iterator[str]:
    for enum in enums:
        yield enum.full_name
        yield from (f"{enum.full_name}.{name}" for name in enum.values_by_name)


def test_the_readme_redeems_replays_and_confirms(tmp_path: Path) -> None:
    """The README's blocks, pasted as they stand, redeem once, replay, confirm and tell the balance."""
    redeem, decide = blocks("sh")
    with sandbox(tmp_path) as running:
        pasted = [block.replace("127.0.0.1:50051", running.address) for block in (redeem, redeem, decide)]
        done = [shell(block) for block in pasted]
        effects = running.get(ELECTRUM, "effects")
    assert [one.stderr for one in done] == ["", "", ""]
    (first,), (again,), (confirmed, balance) = (answers_in(one.stdout) for one in done)
    assert inside(first, "transaction", "state") == "TRANSACTION_STATE_APPROVED"
    assert again == first
    assert inside(confirmed, "transaction", "state") == "TRANSACTION_STATE_CONFIRMED"
    assert inside(balance, "card_balance", "balances", "available") == {
        "currency_code": "ZAR",
        "units": "400",
    }
    assert [effect["kind"] for effect in effects] == ["redeem", "confirm"]
    assert PAN not in "".join(one.stdout for one in done)


def test_the_welcome_can_be_pasted(tmp_path: Path) -> None:
    """What `serve --sandbox` prints redeems 100.00 when pasted into a shell."""
    with sandbox(tmp_path) as running:
        said = running.running.said
        done = shell(said[said.index("grpcurl") :].split("\n\n")[0])
    (answer,) = answers_in(done.stdout)
    assert inside(answer, "transaction", "state") == "TRANSACTION_STATE_APPROVED"


def test_the_readme_python_works(shared: Sandbox) -> None:
    """The README's Python block, run as it stands, leaves a confirmed redemption of 25.00."""
    (block,) = blocks("python")
    program = compile(block.replace("127.0.0.1:50051", shared.address), "README.md", "exec")
    exec(program, {})  # noqa: S102 - it is the README that is tested
    with shared.client() as client:
        newest = client.list_transactions(page_size=1).transactions[0]
    assert newest.state == v1.TransactionState.TRANSACTION_STATE_CONFIRMED
    assert newest.confirmed_amount.units == 25


def test_grpcurl_lists_and_describes_every_service(shared: Sandbox) -> None:
    """Grpcurl lists our seven services, health and both reflections, and can describe each of them."""
    listed = grpcurl(shared.address, "list").stdout.split()
    assert set(listed) == SERVICES | {HEALTH, *REFLECTIONS}
    for service in listed:
        shown = grpcurl(shared.address, "describe", service)
        assert f"{service} is a service" in shown.stdout, shown.stderr


@pytest.mark.parametrize("reflection", REFLECTIONS)
def test_both_reflections_describe_every_service(shared: Sandbox, reflection: str) -> None:
    """Reflection answers under its name of old and its name of today, for every service there is."""
    for service in SERVICES | {HEALTH, *REFLECTIONS}:
        answer = described(shared.port, reflection, service)
        assert answer.file_descriptor_response.file_descriptor_proto, answer.error_response


def test_every_symbol_is_found(shared: Sandbox) -> None:
    """Reflection finds each call, message, field, enum and value by its name, and nothing else."""
    ask = reflection_pb2.ServerReflectionRequest
    symbols = [*_symbols(), "giftcard.v1.GiftCardService.Spend", "giftcard.v1.CardState.Spend", "Spend"]
    with grpc.insecure_channel(shared.address) as channel:
        call = channel.stream_stream(
            f"/{REFLECTIONS[0]}/ServerReflectionInfo",
            request_serializer=ask.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        answers = list(
            call(iter([ask(file_containing_symbol=symbol) for symbol in symbols]), timeout=PATIENCE_S)
        )
    missing = [
        symbol
        for symbol, answer in zip(symbols, answers, strict=True)
        if not answer.file_descriptor_response.file_descriptor_proto
    ]
    assert missing == symbols[-3:]


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("giftcard.v1.GiftCardService.Redeem", "is a method"),
        ("giftcard.v1.RedeemRequest.amount", "is a field"),
        ("giftcard.v1.ERROR_REASON_NO_ROUTE", "is an enum value"),
    ],
)
def test_grpcurl_describes_parts(shared: Sandbox, symbol: str, kind: str) -> None:
    """Grpcurl describes a call, a field and a value of an enum, each by its full name."""
    assert kind in grpcurl(shared.address, "describe", symbol).stdout


def test_grpcurl_shows_what_is_wrong(shared: Sandbox) -> None:
    """An error's details are readable in grpcurl: the reason, and every bad field by its path."""
    refused = grpcurl("-d", '{"amount": {"units": -1}}', shared.address, "giftcard.v1.GiftCardService/Redeem")
    assert refused.returncode != 0
    for word in (
        "InvalidArgument",
        "FIELD_INVALID",
        "transaction_id",
        "amount.units",
        "currency_code",
        "card",
    ):
        assert word in refused.stderr
    assert "unknown" not in refused.stderr.lower()


def test_health_is_told_of_each_service(shared: Sandbox) -> None:
    """Health says SERVING of the whole and of each service, and NOT_FOUND of one that is not there."""
    for service in ("", *SERVICES):
        answer = answer_of(shared.address, f"{HEALTH}/Check", {"service": service})
        assert answer == {"status": "SERVING"}
    unknown = grpcurl("-d", '{"service": "giftcard.v1.Nothing"}', shared.address, f"{HEALTH}/Check")
    assert "NotFound" in unknown.stderr


def test_channelz_is_served_when_it_is_switched_on(shared: Sandbox, tmp_path: Path) -> None:
    """Channelz shows the server's sockets when the operator asked for it, and is not there otherwise."""
    with sandbox(tmp_path, environ={"GIFTCARD_GATEWAY__SERVER__CHANNELZ": "true"}) as running:
        assert answer_of(running.address, f"{CHANNELZ}/GetServers")["server"]
    absent = grpcurl(shared.address, f"{CHANNELZ}/GetServers")
    assert "Unimplemented" in absent.stderr
