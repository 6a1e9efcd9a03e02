"""Acts on many: what their page tells while they go on, when it is loaded again, and once all are through."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from google.protobuf.message import Message

from giftcard import v1
from giftcard_gateway.rpc.local import Caller, LocalCalls
from tests.gateway.console.test_pages import ENDED, told
from tests.gateway.console.test_sign_in import revoke_all
from tests.gateway.console.visitors import OPERATE, READ, open_place
from tests.world.app import until

KEY = "0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11"
MANY = 11
"""More than are worked on at once."""


class Gate:
    """Lets acts of the page begin one by one."""

    def __init__(self) -> None:
        """Be shut."""
        self.waiting = 0
        self._passes = asyncio.Semaphore(0)

    def let(self, count: int) -> None:
        """Let so many pass."""
        for _ in range(count):
            self._passes.release()

    async def passed(self) -> None:
        """Wait to be let through."""
        self.waiting += 1
        await self._passes.acquire()
        self.waiting -= 1


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Stand before each end by hand that the page asks for."""
    gate, call = Gate(), LocalCalls.call

    async def gated(self: LocalCalls, name: str, request: Message, caller: Caller) -> Any:  # noqa: ANN401 - as it is
        if name == "ResolveTransaction":
            await gate.passed()
        return await call(self, name, request, caller)

    monkeypatch.setattr(LocalCalls, "call", gated)
    return gate


async def test_progress_is_told_and_outlives_a_reload(gate: Gate) -> None:
    """The page counts what is through, also when it is loaded again, and ends with sum and results."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck = [await place.stuck(till) for _ in range(MANY)]
        picks = [f"{one}@default" for one in stuck]
        await visitor.get("/")
        begun = await visitor.post("/bulk/run", key=KEY, pick=[*picks, picks[0]], **ENDED)
        assert (begun.status_code, begun.headers["location"]) == (303, f"/bulk/{KEY}")
        for _ in range(2):
            page = (await visitor.get(f"/bulk/{KEY}")).text
            assert f"0 of {MANY}" in page
            assert page.count("Waits") == MANY
            assert '<noscript><meta http-equiv="refresh"' in page
        await until(lambda: gate.waiting == 8)
        gate.let(3)
        await until(lambda: gate.waiting == 8)
        page = (await visitor.get(f"/bulk/{KEY}")).text
        assert f"3 of {MANY}" in page
        assert f'max="{MANY}" value="3"' in page
        assert page.count(">REVERSED<") == 3
        assert f"3 of {MANY}" in (await visitor.get("/")).text
        gate.let(MANY)
        await until(lambda: gate.waiting == 0)
        page = await visitor.ended(KEY)
        assert f"Done with {MANY}; 0 refused" in page
        assert page.count(">REVERSED<") == MANY
        assert "http-equiv" not in page
        assert f"done with {MANY}" in (await visitor.get("/")).text
        acts = [one for one in await told(place) if one.act == "ResolveTransaction"]
        assert sorted(one.transaction_id for one in acts) == sorted(stuck)
        assert {(one.by, one.why) for one in acts} == {("alex", ENDED["reason"])}


async def test_a_form_that_comes_twice_is_done_once(gate: Gate) -> None:
    """A second click leads to the same page, and nothing is asked for again."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        picks = [f"{await place.stuck(till)}@default"]
        await visitor.get("/")
        plan = (await visitor.post("/bulk", action="reversed", pick=picks)).text
        (key,) = re.findall(r'name="key" value="([0-9a-f-]{36})"', plan)
        said = ENDED | {"key": key, "pick": picks}
        answers = [await visitor.post("/bulk/run", **said) for _ in range(2)]
        assert [one.headers["location"] for one in answers] == [f"/bulk/{key}"] * 2
        await until(lambda: gate.waiting == 1)
        gate.let(1)
        assert "Done with 1; 0 refused" in await visitor.ended(key)
        assert (await visitor.post("/bulk/run", **said)).headers["location"] == f"/bulk/{key}"
        assert len([one for one in await told(place) if one.act == "ResolveTransaction"]) == 1


async def test_refused_ones_stand_first() -> None:
    """What was not done is at the head, with why, and the sum counts it."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck, owed = await place.stuck(till), await place.owed(till)
        await visitor.get("/")
        page = await visitor.run(pick=[f"{stuck}@default", f"{owed}@default"], **ENDED)
        assert "Done with 1; 1 refused" in page
        assert page.index(owed) < page.index(stuck)
        assert "Refused: " in page


async def test_whoever_signs_out_begins_nothing_more(gate: Gate) -> None:
    """What is in hand goes on to its end, and the rest stays as it is."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck = [await place.stuck(till) for _ in range(MANY)]
        await visitor.get("/")
        await visitor.post("/bulk/run", key=KEY, pick=[f"{one}@default" for one in stuck], **ENDED)
        await until(lambda: gate.waiting == 8)
        await visitor.post("/sign-out")
        gate.let(MANY)
        await until(lambda: gate.waiting == 0)
        assert place.app.console is not None
        await place.app.console.stop()
        states = [(await till.get_transaction(one)).state for one in stuck]
        assert states.count(v1.TransactionState.TRANSACTION_STATE_REVERSED) == 8
        assert states.count(v1.TransactionState.TRANSACTION_STATE_UNRESOLVED) == MANY - 8


async def test_a_stop_begins_nothing_more(gate: Gate) -> None:
    """A gateway that stops waits for what is in hand, and leaves the rest as it is."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck = [await place.stuck(till) for _ in range(MANY)]
        await visitor.get("/")
        await visitor.post("/bulk/run", key=KEY, pick=[f"{one}@default" for one in stuck], **ENDED)
        await until(lambda: gate.waiting == 8)
        await visitor.http.aclose()
        assert place.app.console is not None
        stopping = asyncio.create_task(place.app.console.stop())
        await until(lambda: place.app.console is not None and place.app.console.port == 0)
        assert not stopping.done()
        gate.let(MANY)
        await stopping
        states = [(await till.get_transaction(one)).state for one in stuck]
        assert states.count(v1.TransactionState.TRANSACTION_STATE_REVERSED) == 8


async def test_another_person_sees_nothing_of_it() -> None:
    """It is of the session that began it; an address that is nobody's leads to the inbox."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        picks = [f"{await place.stuck(till)}@default"]
        await visitor.get("/")
        await visitor.run(key=KEY, pick=picks, **ENDED)
        async with place.signed_in(*READ, name="kim") as other:
            answer = await other.get(f"/bulk/{KEY}")
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert "not known here any more" in (await other.get("/")).text


async def test_whose_key_is_gone_sees_no_more_of_it(gate: Gate) -> None:
    """A revoked key ends the session on this page as on every other, and what was not begun is refused."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck = await place.stuck(till)
        await visitor.get("/")
        await visitor.post("/bulk/run", key=KEY, pick=[f"{stuck}@default"], **ENDED)
        await until(lambda: gate.waiting == 1)
        await revoke_all(place)
        answer = await visitor.get(f"/bulk/{KEY}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        gate.let(1)
        await until(lambda: gate.waiting == 0)
        assert place.app.console is not None
        await place.app.console.stop()
        async with place.operator("sam") as sam:
            state = (await sam.get_transaction(stuck)).state
        assert state == v1.TransactionState.TRANSACTION_STATE_UNRESOLVED
