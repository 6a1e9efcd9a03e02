"""Where the operator wants a second person, one asks for an end by hand and another approves or refuses."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from giftcard import AsyncClient, GiftcardError, v1
from giftcard_gateway.access.identities import Identity, SignIn
from giftcard_gateway.config import exposure
from giftcard_gateway.config.access import Access
from giftcard_gateway.errors import StateConflict
from giftcard_gateway.ledger.entry import State as Ended
from tests.e2e.processes import run
from tests.gateway.console.test_pages import ENDED, told
from tests.gateway.console.visitors import OPERATE, open_place
from tests.world.app import HOST, settings

State = v1.TransactionState
LONG_S = 86_400.0
SAID: dict[str, Any] = {"reason": "saw it in the settlement", "sure": "yes"}


async def test_another_approves_what_one_asked() -> None:
    """It stays UNRESOLVED, says who asks, refuses who asked, and ends by another's word; all is audited."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = await place.stuck(till)
        page = f"/transactions/{stuck}"
        async with place.signed_in(*OPERATE, name="ana") as visitor:
            await visitor.get(page)
            await visitor.post(f"{page}/resolve", **ENDED)
            seen = (await visitor.get(page)).text
            assert "waits for a second person" in seen
            assert "End it by hand" not in seen
            assert "ana asks to end it as REVERSED" in (await visitor.get("/")).text
            refused = await visitor.post(f"{page}/review", action="approve", **SAID)
            assert (refused.status_code, "asked for this end yourself" in refused.text) == (409, True)
            assert (await till.get_transaction(stuck)).state == State.TRANSACTION_STATE_UNRESOLVED
        async with place.signed_in(*OPERATE, name="ben") as visitor:
            assert "Approve the end" in (await visitor.get(page)).text
            for lacking in ("reason", "sure", "action"):
                wrong = {"action": "approve", **SAID, lacking: ""}
                assert (await visitor.post(f"{page}/review", **wrong)).status_code == 400
            await visitor.post(f"{page}/review", action="approve", **SAID)
        ended = await till.get_transaction(stuck)
        assert ended.state == State.TRANSACTION_STATE_REVERSED
        assert not ended.HasField("asked_resolution")
        for words in ("resolved by ana", ENDED["reason"], "approved", SAID["reason"]):
            assert words in ended.state_changes[-1].note
        assert ended.state_changes[-1].actor == "ben"
        acts = [(one.act, one.by) for one in await told(place) if one.transaction_id == stuck]
        assert ("ResolveTransaction", "ana") in acts
        assert ("ReviewResolution", "ben") in acts


async def test_another_refuses_and_a_new_end_is_asked() -> None:
    """Refused, nobody is waited for any more, and another end can be asked for; while one waits it cannot."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = await place.stuck(till)
        async with place.operator("ana") as ana, place.operator("ben") as ben:
            await ask(ana, stuck, "CONFIRMED")
            assert (await ask(ana, stuck, "CONFIRMED")).HasField("asked_resolution")
            assert await refusal(ask(ben, stuck, "REVERSED")) == "STATE_CONFLICT"
            assert await refusal(review(ben, stuck, "REVERSED", "APPROVED")) == "STATE_CONFLICT"
            after = await review(ben, stuck, "CONFIRMED", "REFUSED")
            assert after.state == State.TRANSACTION_STATE_UNRESOLVED
            assert not after.HasField("asked_resolution")
            assert await refusal(review(ben, stuck, "CONFIRMED", "APPROVED")) == "STATE_CONFLICT"
            assert (await ask(ben, stuck, "REVERSED")).asked_resolution.actor == "ben"
            assert (
                await review(ana, stuck, "REVERSED", "APPROVED")
            ).state == State.TRANSACTION_STATE_REVERSED
            again = await review(ana, stuck, "REVERSED", "APPROVED")
            assert again.state == State.TRANSACTION_STATE_REVERSED


async def test_who_has_a_key_and_a_token_is_one() -> None:
    """One name is one person within a tenant, however it signs in; of another tenant it may be another."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = await place.stuck(till)
        async with place.operator("ana") as ana:
            await ask(ana, stuck, "CONFIRMED")
        transactions = place.app.dependencies.transactions
        said: dict[str, Any] = {"state": Ended.CONFIRMED, "approves": True, "note": ""}
        for kind in SignIn:
            same = Identity(name="ana", sign_in=kind, scopes=frozenset(OPERATE))
            with pytest.raises(StateConflict, match="yourself"):
                await transactions.review(stuck, by=same, **said)
        other = Identity(name="ana", sign_in=SignIn.TOKEN, scopes=frozenset(OPERATE), home="shop")
        assert (await transactions.review(stuck, by=other, **said)).state is Ended.CONFIRMED


async def test_what_was_asked_expires() -> None:
    """Past its time nobody can approve it, and it can be asked for again."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = await place.stuck(till)
        async with place.operator("ana") as ana, place.operator("ben") as ben:
            await ask(ana, stuck, "CONFIRMED")
            place.clock.turn(LONG_S + 1)
            assert await refusal(review(ben, stuck, "CONFIRMED", "APPROVED")) == "STATE_CONFLICT"
            assert (await ask(ben, stuck, "REVERSED")).asked_resolution.actor == "ben"


async def test_what_is_tried_again_waits_for_nobody() -> None:
    """A try takes the ask back: what it finds out is not what was asked about."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = await place.refused(till)
        async with place.operator("ana") as ana:
            assert (await ask(ana, stuck, "CONFIRMED")).HasField("asked_resolution")
            after = (await ana.redeliver_advice(transaction_id=stuck, note="mended")).transaction
            assert not after.HasField("asked_resolution")


async def test_many_are_approved_at_once() -> None:
    """The plan takes what somebody asks for, and no other; then each ends."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = [await place.stuck(till) for _ in range(3)]
        async with place.operator("ana") as ana:
            for one in stuck[:2]:
                await ask(ana, one, "REVERSED")
        picks = [f"{one}@default" for one in stuck]
        async with place.signed_in(*OPERATE, name="ben") as visitor:
            await visitor.get("/")
            plan = (await visitor.post("/bulk", action="approve", pick=picks)).text
            assert "Approve: 2 of 3" in plan
            assert "nobody asks to end it" in plan
            done = await visitor.run(action="approve", pick=picks[:2], **SAID)
            assert "Done with 2; 0 refused" in done


async def ask(client: AsyncClient, transaction_id: str, ending: str) -> v1.Transaction:
    """Ask to end a transaction."""
    resolution = v1.Resolution.Value(f"RESOLUTION_{ending}")
    answer = await client.resolve_transaction(
        transaction_id=transaction_id, resolution=resolution, note="case 7"
    )
    return answer.transaction


async def review(client: AsyncClient, transaction_id: str, ending: str, word: str) -> v1.Transaction:
    """Approve or refuse the end of a transaction."""
    answer = await client.review_resolution(
        transaction_id=transaction_id,
        resolution=v1.Resolution.Value(f"RESOLUTION_{ending}"),
        review=v1.Review.Value(f"REVIEW_{word}"),
    )
    return answer.transaction


async def refusal(call: Any) -> str:  # noqa: ANN401 - an awaitable of any answer
    """Return the reason for which a call is refused."""
    try:
        await call
    except GiftcardError as fault:
        return str(getattr(fault, "reason", ""))
    raise AssertionError("it was not refused")


async def test_commands_ask_and_approve(tmp_path: Path) -> None:
    """`resolve` asks, `show` says who, `approve` of whoever asked changes nothing, and of another it ends."""
    async with open_place(reviews=True) as place, place.till() as till:
        stuck = await place.stuck(till)
        for name in ("ana", "ben"):
            (tmp_path / name).write_text(await place.key(name, *OPERATE))

        async def typed(name: str, *words: str) -> subprocess.CompletedProcess[str]:
            address = f"{HOST}:{place.app.server.port}"
            command = ("transactions", "--address", address, "--token-file", name, *words)
            return await asyncio.to_thread(run, *command, folder=tmp_path)

        asked = await typed("ana", "resolve", stuck, "--as", "reversed", "--note", "case 7")
        assert (asked.returncode, "UNRESOLVED" in asked.stdout) == (0, True)
        assert "by ana: case 7" in (await typed("ben", "show", stuck)).stdout.replace("\n", " ")
        own = await typed("ana", "approve", stuck)
        assert (own.returncode, "yourself" in own.stderr) == (2, True)
        nobodys = await typed("ben", "approve", await place.stuck(till))
        assert (nobodys.returncode, "Nobody asks" in nobodys.stderr) == (2, True)
        assert (await typed("ben", "refuse", stuck, "--note", "not so")).returncode == 0
        await typed("ben", "resolve", stuck, "--as", "confirmed", "--note", "case 7")
        ended = await typed("ana", "approve", "--state", "unresolved", "--yes", "--note", "seen")
        assert "1 CONFIRMED" in ended.stderr
        assert ended.returncode == 1, "one of the two waits for nobody"
        assert (await till.get_transaction(stuck)).state == State.TRANSACTION_STATE_CONFIRMED


def test_nobody_is_told_apart_where_nobody_signs_in() -> None:
    """The setting is refused by name where every caller is the same."""
    faults = list(exposure.faults(settings(access=Access(second_person=True))))
    assert any(one.startswith("access.second_person needs callers who sign in") for one in faults)
