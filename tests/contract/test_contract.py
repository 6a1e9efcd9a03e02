"""The contract says what it promises: every call, every field's duty, no provider, no repeated money."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from google.api import field_behavior_pb2, field_info_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from giftcard.v1 import transaction_pb2
from giftcard_adapters.values.names import names_of
from giftcard_adapters.values.operations import Operation
from tests.contract.described import all_files, all_methods

PROTOS = Path(__file__).resolve().parents[2] / "protos"
OPERATIONS = tuple(names_of(operation).rpc for operation in Operation)
MONEY_CALLS = tuple(f"{step}{operation}" for operation in OPERATIONS for step in ("", "Confirm", "Reverse"))
READS = {
    "GiftCardService": ("Lookup", "Balance", "BatchBalance"),
    "TransactionService": ("GetTransaction", "ListTransactions", "WatchTransactions"),
    "StoredCardService": ("GetStoredCard", "ListStoredCards"),
    "CatalogService": ("ListTemplates", "ListOffers"),
    "ReportService": ("DownloadExport", "GetTicketStatistics"),
    "EventService": ("StreamEvents",),
    "ProviderService": ("ListProviders", "GetProvider"),
}
CHANGES = {
    "GiftCardService": MONEY_CALLS,
    "TransactionService": ("ResolveTransaction", "ReviewResolution", "RedeliverAdvice"),
    "StoredCardService": ("StoreCard", "DeleteStoredCard"),
    "CatalogService": ("SyncOffers",),
    "ReportService": ("ExtractAccounts", "Reconcile"),
    "ProviderService": ("PauseProvider", "ResumeProvider"),
}
STREAMS = {
    "WatchTransactions": (False, True),
    "DownloadExport": (False, True),
    "StreamEvents": (False, True),
    "Reconcile": (True, False),
}


def request_messages() -> list[Descriptor]:
    """Return every message of ours that a request holds, however deep."""
    found: dict[str, Descriptor] = {}
    waiting = [method.input_type for method in all_methods().values()]
    while waiting:
        message = waiting.pop()
        if message.full_name in found or message.file.package != "giftcard.v1":
            continue
        if not message.GetOptions().map_entry:
            found[message.full_name] = message
        waiting += [field.message_type for field in message.fields if field.message_type]
    return list(found.values())


def request_fields() -> Iterator[FieldDescriptor]:
    """Yield every field a caller can fill in."""
    for message in request_messages():
        yield from message.fields


def mark(field: FieldDescriptor, name: str) -> object:
    """Return what one of Google's field options says of a field, or None where it is not set."""
    options = {option.full_name: value for option, value in field.GetOptions().ListFields()}
    return options.get(f"google.api.{name}")


def duty(field: FieldDescriptor) -> list[int]:
    """Return what a field is marked as."""
    marked = mark(field, "field_behavior")
    return list(marked) if isinstance(marked, Iterable) else []


def service_config() -> dict[str, dict[str, object]]:
    """Return the client configuration by the full name of the call."""
    configuration = json.loads((PROTOS / "grpc_service_config.json").read_text(encoding="utf-8"))
    return {
        f"{name['service']}.{name['method']}": entry
        for entry in configuration["methodConfig"]
        for name in entry["name"]
    }


def named(calls: dict[str, tuple[str, ...]]) -> set[str]:
    """Return the full names of a table of calls."""
    return {f"giftcard.v1.{service}.{call}" for service, names in calls.items() for call in names}


def test_every_call_exists_and_no_other() -> None:
    """The contract has exactly the calls the design lists, 21 of them for money."""
    assert set(all_methods()) == named(READS) | named(CHANGES)
    assert len(MONEY_CALLS) == 21


def test_every_call_streams_as_designed() -> None:
    """Watching, events and downloads stream answers, reconciliation streams rows, nothing else streams."""
    for method in all_methods().values():
        expected = STREAMS.get(method.name, (False, False))
        assert (method.client_streaming, method.server_streaming) == expected, method.full_name


@pytest.mark.parametrize("call", MONEY_CALLS)
def test_money_calls_answer_with_the_transaction(call: str) -> None:
    """Every money call answers with a Transaction and nothing else, under field 1."""
    answer = all_methods()[f"giftcard.v1.GiftCardService.{call}"].output_type
    assert [(field.name, field.number) for field in answer.fields] == [("transaction", 1)]
    assert answer.fields[0].message_type is transaction_pb2.Transaction.DESCRIPTOR


def test_operations_name_their_fields_alike() -> None:
    """A field that several money requests share has one number and one type in all of them."""
    shapes: dict[str, set[tuple[int, int, str]]] = {}
    for operation in OPERATIONS:
        request = all_methods()[f"giftcard.v1.GiftCardService.{operation}"].input_type
        for field in request.fields:
            type_name = field.message_type.full_name if field.message_type else ""
            if not type_name.endswith("LabelsEntry"):
                shapes.setdefault(field.name, set()).add((field.number, field.type, type_name))
    assert {name: shape for name, shape in shapes.items() if len(shape) > 1} == {}


def test_every_request_field_has_one_duty() -> None:
    """Every field a caller can fill in is marked REQUIRED or OPTIONAL, and not both."""
    duties = ([field_behavior_pb2.REQUIRED], [field_behavior_pb2.OPTIONAL])
    assert [field.full_name for field in request_fields() if duty(field) not in duties] == []


def test_oneof_fields_are_marked_alike() -> None:
    """All fields of a oneof share one mark, so that it says whether the oneof may be left empty."""
    for message in request_messages():
        for oneof in message.oneofs:
            assert len({tuple(duty(field)) for field in oneof.fields}) == 1, oneof.full_name


def test_no_field_is_called_as_what_handles_a_oneof() -> None:
    """No field is called as generated code calls what empties, asks for or names the choice of a oneof."""
    for file in all_files():
        for message in file.message_types_by_name.values():
            taken = {
                name
                for oneof in message.oneofs
                for name in (f"clear_{oneof.name}", f"has_{oneof.name}", f"{oneof.name}_case")
            }
            assert taken.isdisjoint(message.fields_by_name), message.full_name


def test_transaction_ids_are_marked_as_uuids() -> None:
    """Every transaction id, in requests and answers, says that it is a version-4 UUID."""
    uuid4 = field_info_pb2.FieldInfo(format=field_info_pb2.FieldInfo.Format.UUID4)
    fields = [
        field
        for file in all_files()
        for message in file.message_types_by_name.values()
        for field in message.fields
        if field.name == "transaction_id"
    ]
    assert len(fields) > len(MONEY_CALLS)
    for field in fields:
        assert mark(field, "field_info") == uuid4, field.full_name


def test_enums_begin_with_unspecified() -> None:
    """The zero value of every enum is its UNSPECIFIED, so that a forgotten field is not a decision."""
    enums = [enum for file in all_files() for enum in file.enum_types_by_name.values()]
    assert len(enums) > 15
    for enum in enums:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()
        assert enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED"


def test_no_provider_is_named() -> None:
    """The contract names no provider and no company behind one."""
    names = re.compile("electrum|gr4vy|jeudi ?merci|kyzpay|jdm|gate ?pay|gate.com|qwikcilver", re.IGNORECASE)
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(PROTOS.rglob("*.proto"))}
    assert len(texts) > 10
    assert {name: names.findall(text) for name, text in texts.items() if names.search(text)} == {}


def test_reads_have_no_side_effects() -> None:
    """Exactly the reads are marked NO_SIDE_EFFECTS, so that proxies and stubs may repeat them."""
    marked = {
        name
        for name, method in all_methods().items()
        if method.GetOptions().idempotency_level == MethodOptions.IdempotencyLevel.NO_SIDE_EFFECTS
    }
    assert marked == named(READS)


def test_only_reads_are_repeated_by_stubs() -> None:
    """Every read has a retry policy for UNAVAILABLE alone, and no call that changes something has any."""
    configuration = service_config()
    assert set(configuration) == named(READS)
    for name, entry in configuration.items():
        policy = entry["retryPolicy"]
        assert isinstance(policy, dict), name
        assert policy["retryableStatusCodes"] == ["UNAVAILABLE"], name


def test_reads_have_timeouts_unless_they_stream() -> None:
    """Every read that answers once has a timeout, and no stream has one."""
    methods = all_methods()
    for name, entry in service_config().items():
        assert ("timeout" in entry) != methods[name].server_streaming, name
