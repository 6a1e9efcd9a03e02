"""Gr4vy's error answers: its own shape, and FastAPI's list of bad parameters."""

from __future__ import annotations

from collections.abc import Sequence

from giftcard_simulators.sandbox import SimAnswer, json_answer

_MESSAGES = {
    400: ("bad_request", "Request failed validation"),
    401: ("unauthorized", "No valid API authentication found"),
    403: ("forbidden", "Invalid credentials"),
    404: ("not_found", "The resource could not be found"),
    405: ("method_not_allowed", "This method is not allowed here"),
    409: ("concurrent_request", "A request with this idempotency key is under way"),
    425: ("too_early", "Too early"),
    429: ("too_many_requests", "Too many requests"),
    500: ("server_error", "Request could not be processed"),
    502: ("bad_gateway", "Request could not be processed"),
    504: ("gateway_timeout", "Request could not be processed"),
}
"""The code and a sentence for each status; a 409 can be duplicate_record too."""


class Problem(Exception):
    """A request that is refused, with a detail for each pointer; `kind` is the type of all."""

    def __init__(
        self,
        status: int,
        *,
        message: str = "",
        code: str = "",
        pointer: str = "",
        pointers: Sequence[str] = (),
        kind: str = "value_error",
        resource_id: str = "",
    ) -> None:
        """Fill what is not said with what Gr4vy says for the status."""
        known_code, known_message = _MESSAGES.get(status, ("server_error", "Generic error"))
        super().__init__(code or known_code)
        self.status = status
        self.code = code or known_code
        self.message = message or known_message
        self.pointers = tuple(pointers) or ((pointer,) if pointer else ())
        self.kind = kind
        self.resource_id = resource_id

    def answer(self) -> SimAnswer:
        """Return the error body."""
        details = [
            {"location": "body", "pointer": pointer, "message": self.message, "type": self.kind}
            for pointer in self.pointers
        ]
        body: dict[str, object] = {
            "type": "error",
            "code": self.code,
            "status": self.status,
            "message": self.message,
            "details": details,
        }
        if self.resource_id:
            body["resource_id"] = self.resource_id
        return json_answer(self.status, body)


class Unprocessable(Exception):
    """A parameter of path or query that cannot be read: answered 422, as FastAPI does by itself."""

    def __init__(self, place: Sequence[str], kind: str) -> None:
        """Say where it stands and what is wrong with it."""
        super().__init__(kind)
        self.place = tuple(place)
        self.kind = kind

    def answer(self) -> SimAnswer:
        """Return the 422 list."""
        detail = {"loc": self.place, "msg": "Input is not valid", "type": self.kind}
        return json_answer(422, {"detail": [detail]})
