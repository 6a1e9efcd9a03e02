"""Answers one request: the sandbox's own paths, or the simulator with the fault that the script holds.

Both ways to a simulator, a real port and an in-process transport, come through here, so a fault
means the same on both. Nothing here knows sockets or httpx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from http import HTTPStatus

import msgspec

from giftcard_simulators import acts
from giftcard_simulators.faults import Fault, FaultKind, Script, ScriptError, read_faults
from giftcard_simulators.sandbox import SimAnswer, SimRequest, Simulator, json_answer

SANDBOX_PATH = "/_sandbox/"
"""Where the sandbox's own paths begin; no provider has such a path."""

_PAGE_502 = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"
)


Post = Callable[[SimRequest, str], Awaitable[int]]
"""Posts an event to an address, the provider's own when it is empty, and returns the status of the answer."""


class Cut(Enum):
    """The ways an exchange ends without an answer."""

    REFUSED = "refused"
    """The connection was never made."""
    UNACTED = "unacted"
    """The request arrived, nothing was done, the connection was cut."""
    UNANSWERED = "unanswered"
    """The request was acted on, the connection was cut before the answer."""


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What goes back to the caller: an answer, once or twice, or a cut connection."""

    answer: SimAnswer = SimAnswer(status=HTTPStatus.OK)
    copies: int = 1
    cut: Cut | None = None


class Stage:
    """A simulator and the script of its faults."""

    def __init__(
        self, simulator: Simulator, script: Script, *, can_refuse: bool, post: Post | None = None
    ) -> None:
        """Keep them; `can_refuse` tells whether a connection can still be refused, `post` sends events."""
        self._post = post
        self.simulator = simulator
        self.script = script
        self._can_refuse = can_refuse

    async def play(self, request: SimRequest) -> Performance:
        """Answer one request, with the fault the script has for it."""
        if request.path.startswith(SANDBOX_PATH):
            if (request.method, request.path) == ("POST", f"{SANDBOX_PATH}act"):
                return Performance(answer=await self._act(request.body))
            return Performance(answer=self._administer(request))
        fault = self.script.take(request)
        if fault is None:
            return Performance(answer=self.simulator.answer(request))
        if not fault.acts_first():
            return await self._fail_before(fault, request)
        return await self._fail_after(fault, self.simulator.answer(request), request)

    async def _fail_before(self, fault: Fault, request: SimRequest) -> Performance:
        if fault.fault is FaultKind.REFUSE_CONNECTION:
            return Performance(cut=Cut.REFUSED)
        if fault.fault is FaultKind.DROP_REQUEST:
            return Performance(cut=Cut.UNACTED)
        if fault.fault is FaultKind.DELAY:
            await asyncio.sleep(fault.delay_s or 0.0)
            return Performance(answer=self.simulator.answer(request))
        return Performance(answer=self._error(fault, request))

    async def _fail_after(self, fault: Fault, answer: SimAnswer, request: SimRequest) -> Performance:
        match fault.fault:
            case FaultKind.DROP_ANSWER:
                return Performance(cut=Cut.UNANSWERED)
            case FaultKind.DELAY:
                await asyncio.sleep(fault.delay_s or 0.0)
                return Performance(answer=answer)
            case FaultKind.ANSWER_TWICE:
                return Performance(answer=answer, copies=2)
            case FaultKind.TRUNCATED_JSON:
                return Performance(answer=_truncated(answer))
            case FaultKind.WRONG_AMOUNT:
                return Performance(answer=self.simulator.tamper(answer))
            case _:
                return Performance(answer=self._error(fault, request))

    def _error(self, fault: Fault, request: SimRequest) -> SimAnswer:
        if fault.fault is FaultKind.HTML_502:
            return SimAnswer(
                status=HTTPStatus.BAD_GATEWAY, headers={"content-type": "text/html"}, body=_PAGE_502
            )
        return self.simulator.failure(fault.status or HTTPStatus.INTERNAL_SERVER_ERROR, request)

    async def _act(self, body: bytes) -> SimAnswer:
        """Do what others than the caller do, and send the event if the verb makes one."""
        try:
            asked = acts.read(body)
            event = acts.play(self.simulator, asked)
        except acts.ActError as why:
            return json_answer(HTTPStatus.BAD_REQUEST, {"error": str(why)})
        if event is None:
            return json_answer(HTTPStatus.OK, {"done": asked.verb})
        if self._post is None:
            return json_answer(
                HTTPStatus.BAD_REQUEST, {"error": "a simulator inside a process sends no events"}
            )
        try:
            return json_answer(
                HTTPStatus.OK, {"sent": asked.verb, "answer": await self._post(event, asked.url)}
            )
        except OSError as fault:
            return json_answer(HTTPStatus.BAD_GATEWAY, {"error": f"nobody took the event: {fault}"})

    def _administer(self, request: SimRequest) -> SimAnswer:
        match (request.method, request.path.removeprefix(SANDBOX_PATH)):
            case ("GET", name) if name in (tables := self._tables()):
                return json_answer(HTTPStatus.OK, tables[name]())
            case ("POST", "faults"):
                return self._rewrite(request.body)
            case ("POST", "reset"):
                self.script.replace(())
                self.simulator.reset()
                return json_answer(HTTPStatus.OK, {"reset": self.simulator.name})
        return json_answer(
            HTTPStatus.NOT_FOUND,
            {"error": "the sandbox has GET cards and effects, GET and POST faults and act, and POST reset"},
        )

    def _tables(self) -> dict[str, Callable[[], object]]:
        return {
            "cards": lambda: {"cards": self.simulator.cards()},
            "effects": lambda: {"effects": self.simulator.effects()},
            "faults": lambda: {"faults": self.script.left()},
            "act": lambda: {"verbs": acts.listed(self.simulator.acts)},
        }

    def _rewrite(self, body: bytes) -> SimAnswer:
        try:
            self.script.replace(self._playable(read_faults(body)))
        except ScriptError as why:
            return json_answer(HTTPStatus.BAD_REQUEST, {"error": str(why), "faults": why.faults})
        return json_answer(HTTPStatus.OK, {"faults": self.script.left()})

    def _playable(self, faults: list[Fault]) -> list[Fault]:
        if not self._can_refuse and any(fault.fault is FaultKind.REFUSE_CONNECTION for fault in faults):
            raise ScriptError(["refuse_connection is for simulators inside a process, not on a port"])
        return faults


def _truncated(answer: SimAnswer) -> SimAnswer:
    return msgspec.structs.replace(answer, body=answer.body[: len(answer.body) // 2])
