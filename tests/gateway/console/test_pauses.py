"""Pausing a provider from the page: who may, what is shown, and what callers and the audit then see."""

from __future__ import annotations

from typing import Any

import pytest

from giftcard import CallError
from tests.gateway.console.test_pages import told
from tests.gateway.console.visitors import OPERATE, READ, open_place

SAID: dict[str, Any] = {"provider": "spar-za", "reason": "ticket 77", "sure": "yes"}


async def test_a_provider_is_paused_and_resumed() -> None:
    """The page says who paused it and why; a till is refused until it is resumed; the audit has both."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE, name="ana") as visitor:
        assert "None: new transactions" in (await visitor.get("/providers")).text
        assert (await visitor.post("/providers", action="pause", **SAID)).status_code == 303
        seen = (await visitor.get("/providers")).text
        for words in ("spar-za is paused", "by ana: ticket 77", "Resume a provider"):
            assert words in seen
        assert "Pause a provider" not in seen
        with pytest.raises(CallError) as refused:
            await place.sold(till)
        assert refused.value.reason == "PROVIDER_PAUSED"
        assert not refused.value.is_outcome_open
        await visitor.post("/providers", action="resume", **SAID | {"reason": "works again"})
        assert "takes new transactions" in (await visitor.get("/providers")).text
        await place.sold(till)
        acts = [(one.act, one.by, one.about, one.why) for one in await told(place) if one.about == "spar-za"]
        assert acts == [
            ("provider_paused", "ana", "spar-za", "ticket 77"),
            ("provider_resumed", "ana", "spar-za", "works again"),
        ]


async def test_what_is_lacking_is_asked_for() -> None:
    """Without provider, reason or the box checked nothing is paused."""
    async with open_place() as place, place.signed_in(*OPERATE) as visitor:
        await visitor.get("/providers")
        for lacking in SAID:
            answer = await visitor.post("/providers", action="pause", **SAID | {lacking: ""})
            assert answer.status_code == 400
        assert (
            await visitor.post("/providers", action="pause", **SAID | {"provider": "x"})
        ).status_code == 404
        assert place.app.connections.get("spar-za").pause is None


async def test_who_may_read_may_not_pause() -> None:
    """A reader sees no form, and one sent all the same is refused."""
    async with open_place() as place, place.signed_in(*READ) as visitor:
        assert "Pause a provider" not in (await visitor.get("/providers")).text
        assert (await visitor.post("/providers", action="pause", **SAID)).status_code == 403
        assert place.app.connections.get("spar-za").pause is None


async def test_a_note_holds_no_cards_number() -> None:
    """A card's number in a reason is masked on the page, in the journal and in the audit."""
    number = "6045120000000007"
    async with open_place() as place, place.signed_in(*OPERATE) as visitor:
        await visitor.get("/providers")
        for action in ("pause", "resume"):
            await visitor.post("/providers", action=action, **SAID | {"reason": f"card {number} lost"})
            assert number not in (await visitor.get("/providers")).text
        rows = await place.app.journal.pauses()
        assert [number.encode() in one.document for one in rows] == [False]
        told_of = [one.why for one in await told(place) if one.about == "spar-za"]
        assert len(told_of) == 2
        assert not any(number in why for why in told_of)


async def test_what_was_noted_is_no_markup() -> None:
    """A reason is shown as it was typed, and a browser takes none of it for its own."""
    async with open_place() as place, place.signed_in(*OPERATE) as visitor:
        await visitor.get("/providers")
        await visitor.post("/providers", action="pause", **SAID | {"reason": "<script>1</script>"})
        seen = (await visitor.get("/providers")).text
        assert "&lt;script&gt;1&lt;/script&gt;" in seen
        assert "<script>1" not in seen
