"""The one table from errors to statuses is whole, and what it tells is what the contract promises."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest

from giftcard import v1
from giftcard_adapters.values.declines import Decline, DeclineReason
from giftcard_gateway import errors
from giftcard_gateway.errors import GatewayError, InvalidRequest, ReadRefused
from giftcard_gateway.rpc.status import CODES, code_of, status_of, trailer_of
from tests.gateway.services.served import is_a, read_status, unpack

PROTO = Path(__file__).resolve().parents[3] / "protos" / "giftcard" / "v1" / "error_reason.proto"
LATER = {"CREDENTIALS_INVALID", "SCOPE_MISSING"}
"""Reasons that wait for callers to sign in."""
NEVER = {"NOT_IMPLEMENTED"}
"""A reason that clients of the first contract know: a gateway without one of its calls does not start."""


def kinds() -> list[type[GatewayError]]:
    """Return every error the gateway refuses with."""
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, GatewayError) and kind is not GatewayError
    ]


def promised() -> dict[str, str]:
    """Return the code each reason's comment promises."""
    pattern = r"// ([A-Z_]+): [^\n]*\n(?:  //[^\n]*\n)*  ERROR_REASON_([A-Z_]+) ="
    return {reason: code for code, reason in re.findall(pattern, PROTO.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_row(kind: type[GatewayError]) -> None:
    """Each error has one code, and it is the one its reason's comment promises."""
    assert CODES[kind].name == promised()[kind.reason]


def test_every_reason_is_told_by_somebody() -> None:
    """No reason stands in the contract that nothing ever says."""
    names = {name.removeprefix("ERROR_REASON_") for name in v1.ErrorReason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118 - an enum wrapper is no dict
    assert {kind.reason for kind in kinds()} | {"INTERNAL"} | LATER | NEVER == names


def test_retry_info_where_nothing_was_sent() -> None:
    """Whatever is worth asking again says when: every UNAVAILABLE and RESOURCE_EXHAUSTED has RetryInfo."""
    for kind, code in CODES.items():
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}:
            assert read_status(status_of(kind())).retry_after_s, kind


def test_our_faults_tell_nothing() -> None:
    """An exception that is not a refusal becomes INTERNAL without a word of its text (rule 16)."""
    status = status_of(ValueError("card 6045120000000007"))
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert read_status(status).reason == "INTERNAL"
    assert b"6045" not in status.SerializeToString()


def test_all_violations_are_told() -> None:
    """BadRequest holds every violation in order; the message shows the first few."""
    faults = [(f"field_{n}", "must be set") for n in range(10)]
    told = read_status(status_of(InvalidRequest(faults)))
    assert told.violations == tuple(field for field, _ in faults)
    assert told.message.endswith("and 7 more")


def test_more_violations_than_metadata_holds() -> None:
    """Violations without end are cut to what clients take, and the cut is told."""
    status = status_of(InvalidRequest([(f"requests[{n}].card", "must be set") for n in range(5000)]))
    assert len(trailer_of(status)[1]) < 8 * 1024
    (bad,) = (unpack(detail, BadRequest) for detail in status.details if is_a(detail, BadRequest))
    told = len(bad.field_violations) - 1
    assert bad.field_violations[-1].description == f"{5000 - told} more, left out for want of room"


def test_a_refused_read_tells_why() -> None:
    """PROVIDER_REFUSED carries our reason and the provider's code and text."""
    decline = Decline(reason=DeclineReason.CARD_BLOCKED, provider_code="62", provider_text="blocked")
    metadata = read_status(status_of(ReadRefused(decline))).info.metadata
    assert dict(metadata) == {
        "decline_reason": "CARD_BLOCKED",
        "provider_code": "62",
        "provider_text": "blocked",
    }


def test_a_kind_of_error_has_its_parents_code() -> None:
    """An error derived from one in the table is answered like it."""

    class Narrower(errors.NoRoute):
        """Narrower."""

    assert code_of(Narrower()) is grpc.StatusCode.INVALID_ARGUMENT
