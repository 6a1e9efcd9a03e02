"""The checks of every request to GatePay (headers, signature), and the envelope of every answer.

Business errors, a wrong signature among them, are HTTP 200 with status FAIL.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from giftcard_simulators.gatepay import books
from giftcard_simulators.sandbox import SimAnswer, SimRequest, json_answer

PARAMETERS, SIGNATURE, TIMESTAMP, CONTENT_TYPE, NONCE = "400001", "400002", "400003", "400007", "400020"
SYSTEM = "300000"
NO_SUCH_CARD = "400202"
"""Documented as an unknown order of other products; what an unknown card is called is not public."""
BALANCE_SHORT = "400299"
"""Invented: what an empty account is called is not public."""

_DRIFT_MS = 10_000
_NONCE = re.compile(r"[A-Za-z0-9]{1,32}")


class FailError(Exception):
    """A request refused with a code, inside HTTP 200."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both; the message is for a person."""
        super().__init__(code)
        self.code = code
        self.message = message

    def answer(self) -> SimAnswer:
        """Return the failure in its envelope."""
        return fail(HTTPStatus.OK, self.code, self.message)


def success(data: object) -> SimAnswer:
    """Return data in the envelope of a success."""
    return json_answer(
        HTTPStatus.OK, {"status": "SUCCESS", "code": "000000", "label": "", "errorMessage": "", "data": data}
    )


def fail(status: int, code: str, message: str) -> SimAnswer:
    """Return the envelope of a failure; `data` is left out."""
    return json_answer(status, {"status": "FAIL", "code": code, "label": "", "errorMessage": message})


def sign(timestamp: str, nonce: str, body: bytes) -> str:
    """Return the lower-case hex HMAC-SHA512 of timestamp, nonce and exact body, a newline after each."""
    payload = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return hmac.new(books.SECRET.encode(), payload, hashlib.sha512).hexdigest()


def admit(request: SimRequest, now: datetime) -> None:
    """Check what every request must carry; raise FailError with the documented code."""
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise FailError(CONTENT_TYPE, "unsupported Content-Type")
    nonce = headers.get("x-gatepay-nonce", "")
    if not _NONCE.fullmatch(nonce):
        raise FailError(NONCE, "invalid nonce")
    timestamp = headers.get("x-gatepay-timestamp", "")
    if not timestamp.isdecimal() or abs(now.timestamp() * 1000 - int(timestamp)) > _DRIFT_MS:
        raise FailError(TIMESTAMP, "timestamp expired")
    given = headers.get("x-gatepay-signature", "")
    is_known = headers.get("x-gatepay-certificate-clientid", "") == books.CLIENT_ID
    expected = sign(timestamp, nonce, request.body)
    if not (is_known and hmac.compare_digest(given.encode(), expected.encode())):
        raise FailError(SIGNATURE, "signature verification failed")


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; unknown fields are ignored, because the SDKs send some."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FailError(PARAMETERS, "the body is not a JSON object") from None
