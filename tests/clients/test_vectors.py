"""What every language's client must agree about: the vectors of clients/vectors, played with this one."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, cast

import grpc
import pytest
from google.protobuf import json_format, text_format
from google.protobuf.message import Message
from google.type.money_pb2 import Money
from grpc import aio

import giftcard
from clients.vectors import encode
from giftcard import CallError, RepeatPolicy, minor_to_money, read_error, to_decimal, to_money, v1
from giftcard.operations import Ask, Decision
from giftcard.scripts import Pause, Plan, Play, Send, send
from tests.clients.scripted import Refusal

_Case = dict[str, Any]
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_CHANGES = {"StoreCard": lambda stubs: stubs.stored_cards.StoreCard}


def cases(name: str) -> pytest.MarkDecorator:
    """Run a test with every case of one file."""
    found = encode.read(name)
    return pytest.mark.parametrize("case", found, ids=[str(case["name"]) for case in found])


@pytest.mark.parametrize("name", ["errors", "messages"])
def test_what_is_binary_is_what_is_written(name: str) -> None:
    """The committed bytes are those of the JSON beside them; run clients/vectors/encode.py."""
    assert (encode.VECTORS / f"{name}.json").read_text(encoding="utf-8") == encode.encoded(name)


@cases("money")
def test_money(case: _Case) -> None:
    """Every amount is made exactly, written exactly, or refused."""
    currency = case["currency"]
    if case.get("bad"):
        with pytest.raises(ValueError, match=r"amount|range|units"):
            to_money(case["amount"], currency)
        return
    exact = Money(units=int(case["units"]), nanos=case["nanos"], currency_code=currency)
    if case["from"] == "text":
        assert to_money(case["amount"], currency) == exact
    elif case["from"] == "minor":
        assert minor_to_money(int(case["amount"]), currency) == exact
    else:
        assert f"{to_decimal(exact):f}" == case["text"]


@cases("states")
def test_states(case: _Case) -> None:
    """Every state, and numbers that none has, answers all questions."""
    transaction = v1.Transaction(state=case["state"])
    asked = [name for name in case if name.startswith(("is_", "needs_"))]
    assert len(asked) == 7
    assert {name: getattr(giftcard, name)(transaction) for name in asked} == {
        name: case[name] for name in asked
    }


@cases("errors")
def test_errors(case: _Case) -> None:
    """Every failed call tells its kind, its facts and what to do next, and no card number."""
    details = base64.b64decode(case["details"])
    trailing = aio.Metadata(("grpc-status-details-bin", details)) if details else aio.Metadata()
    failed = aio.AioRpcError(_CODES[case["code"]], aio.Metadata(), trailing, case["message"])
    error = read_error(failed, request_of(case["call"], case["transaction_id"]))
    after_s = error.retry_after_s
    assert {
        "kind": type(error).__name__,
        "code": error.code.name,
        "reason": error.reason,
        "metadata": error.metadata,
        "violations": [{"field": each.field, "description": each.description} for each in error.violations],
        "retry_after_ms": None if after_s is None else round(after_s * 1000),
        "request_id": error.request_id,
        "is_outcome_open": error.is_outcome_open,
        "next_step": error.next_step,
    } == case["expect"]
    assert (error.call, error.transaction_id) == (case["call"], case["transaction_id"])
    assert not [secret for secret in case["never_printed"] if secret in f"{error} {error!r}"]


@cases("decisions")
def test_decisions(case: _Case) -> None:
    """After a failure the call is repeated, looked up or raised, as its kind and what was open before say."""
    attempts = 1 if case["is_last"] else 9
    policy = RepeatPolicy(attempts=attempts + case["was_open"], clock_s=lambda: 0.0)
    play = Play(plan_of(case["call"])(policy))
    if case["was_open"]:
        play.go_on(Refusal(grpc.StatusCode.UNAVAILABLE).as_rpc_error())
        assert isinstance(play.step, Pause)
        play.go_on(None)
    assert what_follows(play, Refusal(_CODES[case["code"]], reason=case["reason"])) == case["do"]


@cases("messages")
def test_messages(case: _Case) -> None:
    """Every message is read as it was meant, known or not, and printed without secrets."""
    message = kind_of(case["type"])()
    message.ParseFromString(base64.b64decode(case["bytes"]))
    meant = json_format.ParseDict(case["json"], kind_of(case["type"])())
    again = kind_of(case["type"])()
    again.MergeFrom(message)
    again.DiscardUnknownFields()
    assert again == meant
    if unknown := case.get("unknown"):
        *path, last = unknown["path"]
        inner = message
        for name in path:
            inner = getattr(inner, name)
        assert getattr(inner, last) == unknown["number"]
    shown = giftcard.redacted(message)
    assert not [secret for secret in case["secrets"] if secret in shown]
    assert all(text in shown for text in case["shown"])
    # The case can fail: the secrets are in the message.
    assert all(secret in text_format.MessageToString(message) for secret in case["secrets"])


def kind_of(type_name: str) -> type[Message]:
    """Return the class of a message of the contract."""
    return cast("type[Message]", getattr(v1, type_name.rpartition(".")[2]))


def request_of(call: str, transaction_id: str) -> Message:
    """Make the request of a call that names a transaction, or none."""
    request = kind_of(f"{call}Request")()
    if transaction_id and "transaction_id" in request.DESCRIPTOR.fields_by_name:
        request = kind_of(f"{call}Request")(transaction_id=transaction_id)
    return request


def plan_of(call: str) -> Plan[object]:
    """Return what the client does for a call of that name."""
    if call in _CHANGES:
        return lambda _: send(_CHANGES[call], kind_of(f"{call}Request")())
    return (Decision if call.startswith(("Confirm", "Reverse")) else Ask).of(call, {})


def what_follows(play: Play[object], refusal: Refusal) -> str:
    """Let the step fail, and tell what the script does next."""
    try:
        play.go_on(refusal.as_rpc_error())
    except (CallError, giftcard.ConfirmationFailed):
        return "raise"
    if isinstance(play.step, Pause):
        return "repeat"
    assert isinstance(play.step, Send)
    return "look_up" if play.step.about.call == "GetTransaction" else "another call"


def test_the_files_are_all_played() -> None:
    """No file of vectors is without a test here, in test_streams.py or in tests/e2e/test_scenarios.py."""
    files: Sequence[str] = sorted(path.stem for path in encode.VECTORS.glob("*.json"))
    assert files == ["decisions", "errors", "messages", "money", "scenarios", "states", "streams"]
    assert all(json.loads((encode.VECTORS / f"{name}.json").read_text())["cases"] for name in files)
