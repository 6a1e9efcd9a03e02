"""What the pages show, and what people do on them: each act is a call of the services, and audited."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from typing import Any

import pytest

from giftcard import v1
from giftcard_gateway.audit.records import AuditRecord, record_of
from giftcard_gateway.config.access import Scope
from giftcard_gateway.pipeline.recovery import Recovery
from giftcard_gateway.telemetry.durations import SECONDS
from giftcard_gateway.telemetry.pace import Pace
from tests.gateway.console.visitors import OPERATE, PAN, PATIENT_S, READ, Place, open_place

State = v1.TransactionState
ENDED: dict[str, Any] = {"action": "reversed", "reason": "Ana at the provider, ticket 17", "sure": "yes"}


async def forever(_: Recovery) -> None:
    """Do nothing, as a sweep that stands still."""
    await asyncio.Event().wait()


async def told(place: Place) -> list[AuditRecord]:
    """Return what the audit has of acts, once all of it is written."""
    place.app.trail.tell_refusals()
    await place.app.trail.close()
    return [record_of(row) for row in await place.app.journal.audit(after=("", 0), limit=500)]


async def test_the_inbox_has_what_needs_a_person() -> None:
    """UNRESOLVED at once, what is owed once it is overdue, and nothing that goes well."""
    async with open_place(overdue_s=60.0) as place, place.till() as till, place.signed_in(*READ) as visitor:
        assert "Nothing needs a person" in (await visitor.get("/")).text
        stuck, owed = await place.stuck(till), await place.owed(till)
        seen = (await visitor.get("/")).text
        assert stuck[:8] in seen
        assert owed not in seen
        place.clock.turn(61)
        seen = (await visitor.get("/?sort=age")).text
        assert seen.index(f"/transactions/{stuck}") < seen.index(f"/transactions/{owed}")
        for words in ("UNRESOLVED", "CONFIRMING", "100.00 ZAR", "spar-za", "604512******0007", "2 here"):
            assert words in seen
        assert PAN not in seen


async def test_what_nobody_decided_in_time_is_in_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """An approval past its `confirm_by` that no gateway ends needs a person, once it is overdue."""
    monkeypatch.setattr(Recovery, "run", forever)
    async with open_place(overdue_s=60.0) as place, place.till() as till:
        late = await place.sold(till)
        for turned_s, is_late in ((PATIENT_S + 30, False), (31, True)):
            place.clock.turn(turned_s)
            async with place.signed_in(*READ, name=f"alex-{is_late}") as visitor:
                seen = (await visitor.get("/")).text
            assert (f"/transactions/{late}" in seen, "not decided in time" in seen) == (is_late, is_late)


async def test_an_approval_is_decided_by_who_may() -> None:
    """Whoever may move money confirms or reverses, with a reason; who only operates is offered neither."""
    async with open_place() as place, place.till() as till:
        for action, ending in (("confirm", "CONFIRMED"), ("reverse", "REVERSED")):
            sold = await place.sold(till)
            page = f"/transactions/{sold}"
            said: dict[str, Any] = {"action": action, "reason": "shop 7 called", "sure": "yes"}
            async with place.signed_in(*OPERATE, name=f"sam-{action}") as visitor:
                assert "Decide it" not in (await visitor.get(page)).text
                assert (await visitor.post(f"{page}/decide", **said)).status_code == 403
            async with place.signed_in(*OPERATE, Scope.MONEY, name=f"alex-{action}") as visitor:
                assert "Decide it" in (await visitor.get(page)).text
                for lacking in ("reason", "sure", "action"):
                    assert (await visitor.post(f"{page}/decide", **(said | {lacking: ""}))).status_code == 400
                assert (await visitor.post(f"{page}/decide", **said)).headers["location"] == page
                assert f"it is {ending} now" in (await visitor.get(page)).text
        (act,) = [one for one in await told(place) if one.act == "ReverseRedeem" and one.by == "alex-reverse"]
        assert (act.why, act.transaction_id) == ("shop 7 called", sold)


async def test_many_are_decided_at_once() -> None:
    """What is APPROVED is taken, and all else is told and left alone."""
    async with open_place() as place, place.till() as till:
        approved, stuck = [await place.sold(till) for _ in range(2)], await place.stuck(till)
        picks = [f"{one}@default" for one in (*approved, stuck)]
        async with place.signed_in(*OPERATE, Scope.MONEY) as visitor:
            await visitor.get("/")
            assert "Confirm now: 2 of 3" in (await visitor.post("/bulk", action="confirm", pick=picks)).text
            said: dict[str, Any] = {
                "action": "confirm",
                "pick": picks,
                "reason": "shop 7 called",
                "sure": "yes",
            }
            assert "Done with 2; 1 refused" in await visitor.run(**said)
        assert (await till.get_transaction(approved[1])).state == State.TRANSACTION_STATE_CONFIRMED


async def test_who_may_only_read_is_offered_nothing_else() -> None:
    """Without giftcard.operate there is no form that acts, and one sent all the same is refused."""
    async with open_place() as place, place.till() as till, place.signed_in(*READ) as visitor:
        stuck = await place.stuck(till)
        page = await visitor.get(f"/transactions/{stuck}")
        assert "End it by hand" not in page.text
        assert 'name="pick"' not in (await visitor.get("/")).text
        refused = await visitor.post(f"/transactions/{stuck}/resolve", **ENDED)
        assert refused.status_code == 403
        assert "giftcard.operate" in refused.text
        assert (await till.get_transaction(stuck)).state == State.TRANSACTION_STATE_UNRESOLVED


async def test_one_transaction_is_one_line_of_time() -> None:
    """Changes and attempts stand in the order in which they happened, with what was heard, and the next."""
    url = "https://traces.example/{trace_id}"
    async with open_place(trace_url=url) as place, place.till() as till, place.signed_in(*READ) as visitor:
        page = (await visitor.get(f"/transactions/{await place.owed(till)}")).text
        line = page[page.index('class="timeline"') :]
        places = [line.index(words) for words in ("PENDING", "Request", "APPROVED", "CONFIRMING", "HTTP 503")]
        assert places == sorted(places)
        assert "Next try" in page
        times = re.findall(r'<time datetime="([^"]+)">[^<]+\.\d{3}</time>', line)
        assert len(times) >= 5
        assert times == sorted(times)


async def test_a_transaction_that_is_not_there_is_said_so() -> None:
    """An id that nobody has, or that is none, is answered with a sentence and its status."""
    async with open_place() as place, place.signed_in(*READ) as visitor:
        missing = await visitor.get("/transactions/0e2f8a52-6a0c-4b43-8f55-0c6f0f2c7e11")
        assert missing.status_code == 404
        assert (await visitor.get("/transactions/x")).status_code == 400


async def test_an_end_by_hand_has_a_name_and_a_reason() -> None:
    """Ending needs a reason and a word that one is sure; the change and the audit say who and why."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck = await place.stuck(till)
        page = f"/transactions/{stuck}"
        assert "End it by hand" in (await visitor.get(page)).text
        for lacking in ("reason", "sure", "action"):
            assert (await visitor.post(f"{page}/resolve", **(ENDED | {lacking: ""}))).status_code == 400
        assert (await visitor.post(f"{page}/resolve", **ENDED)).headers["location"] == page
        shown = (await visitor.get(page)).text
        assert "it is REVERSED now" in shown
        assert ENDED["reason"] in shown
        assert "it is REVERSED now" not in (await visitor.get(page)).text
        (act,) = [one for one in await told(place) if one.act == "ResolveTransaction"]
        assert (act.by, act.why, act.transaction_id) == ("alex", ENDED["reason"], stuck)


async def test_a_reason_with_the_card_in_it_ends_nothing() -> None:
    """The number is refused as in every text, and neither the page nor the audit repeats it."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck = await place.stuck(till)
        page = f"/transactions/{stuck}"
        await visitor.get(page)
        refused = await visitor.post(f"{page}/resolve", **(ENDED | {"reason": f"card {PAN}"}))
        assert refused.status_code == 400
        assert PAN not in refused.text
        assert (await till.get_transaction(stuck)).state == State.TRANSACTION_STATE_UNRESOLVED
        assert PAN not in repr(await told(place))


async def test_what_is_owed_is_tried_at_once() -> None:
    """The advice goes out now, the page says what came of it, and the audit has the reason."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        owed = await place.owed(till)
        page = f"/transactions/{owed}"
        assert 'id="redeliver"' in (await visitor.get(page)).text
        place.provider.script.reactions.clear()
        assert (await visitor.post(f"{page}/redeliver", reason="")).status_code == 400
        assert (await visitor.post(f"{page}/redeliver", reason="asked by shop 7")).headers["location"] == page
        assert "it is CONFIRMED now" in (await visitor.get(page)).text
        (act,) = [one for one in await told(place) if one.act == "RedeliverAdvice"]
        assert (act.by, act.why, act.transaction_id) == ("alex", "asked by shop 7", owed)


async def test_what_would_be_done_with_many_is_shown_first() -> None:
    """The plan changes nothing and says what cannot be done; then each is done, or refused, and told."""
    async with open_place() as place, place.till() as till, place.signed_in(*OPERATE) as visitor:
        stuck, owed = [await place.stuck(till) for _ in range(2)], await place.owed(till)
        picks = [f"{one}@default" for one in (*stuck, owed)]
        await visitor.get("/")
        assert (await visitor.post("/bulk", action="reversed")).status_code == 400
        plan = (await visitor.post("/bulk", action="reversed", pick=picks)).text
        assert "End as reversed: 2 of 3" in plan
        assert "Nothing: is CONFIRMING" in plan
        assert (await till.get_transaction(stuck[0])).state == State.TRANSACTION_STATE_UNRESOLVED
        assert (await visitor.post("/bulk/run", **(ENDED | {"sure": "", "pick": picks}))).status_code == 400
        done = await visitor.run(**(ENDED | {"pick": picks}))
        assert "Done with 2; 1 refused" in done
        assert (await till.get_transaction(stuck[1])).state == State.TRANSACTION_STATE_REVERSED
        assert (await till.get_transaction(owed)).state == State.TRANSACTION_STATE_CONFIRMING


async def test_a_search_finds_by_every_condition_and_shows_no_card() -> None:
    """Card, terminal, reference, state and time each find it; the number stands in no address and no page."""
    till_of = v1.PointOfSale(terminal_id="TERM0007")
    async with open_place() as place, place.till() as till, place.signed_in(*READ) as visitor:
        one = await place.stuck(till, external_reference="R-17", point_of_sale=till_of)
        other = await place.stuck(till, card="6045120000000015")
        await visitor.get("/search")
        for wanted in (
            {"card": "6045 1200 0000 0007"},
            {"terminal_id": "TERM0007"},
            {"external_reference": "R-17"},
            {"card": PAN, "state": ["UNRESOLVED", "PENDING"], "provider": "spar-za"},
            {"external_reference": "R-17", "since": "2020-01-01T00:00", "until": "2099-01-01T00:00"},
        ):
            led = await visitor.post("/search", **wanted)
            found = await visitor.get(led.headers["location"])
            assert found.status_code == 200
            assert f"/transactions/{one}" in found.text
            assert f"/transactions/{other}" not in found.text
            assert PAN not in found.text + led.headers["location"]
        led = await visitor.post("/search", transaction_id=one.upper())
        assert led.headers["location"] == f"/transactions/{one}"


async def test_what_is_found_has_pages() -> None:
    """More than fit are reached by a link, without any twice; a link of another search is refused."""
    async with open_place() as place, place.till() as till, place.signed_in(*READ) as visitor:
        made = {await place.sold(till) for _ in range(51)}
        await visitor.get("/search")
        first = await visitor.get((await visitor.post("/search", card=PAN)).headers["location"])
        found = re.findall(r'href="/transactions/([0-9a-f-]{36})"', first.text)
        (link,) = re.findall(r'href="(/search/[^"]+)" rel="next"', first.text)
        second = await visitor.get(link)
        found += re.findall(r'href="/transactions/([0-9a-f-]{36})"', second.text)
        assert len(found) == 51
        assert set(found) == made
        other = (await visitor.post("/search", state="APPROVED")).headers["location"]
        assert (await visitor.get(f"{other}?page={link.partition('=')[2]}")).status_code == 400


async def test_bad_searches_are_answered_with_the_form() -> None:
    """What is no id, no time, no card, or was forgotten is said in a sentence that repeats nothing secret."""
    async with open_place() as place, place.signed_in(*READ) as visitor:
        await visitor.get("/search")
        assert (await visitor.post("/search", transaction_id="17")).status_code == 400
        assert (await visitor.post("/search", since="yesterday")).status_code == 400
        assert (await visitor.get("/search/forgotten")).status_code == 400
        bad = await visitor.get((await visitor.post("/search", card="7" * 100)).headers["location"])
        assert bad.status_code == 400
        assert "7" * 100 not in bad.text


async def test_the_providers_page_tells_how_answers_came() -> None:
    """Nothing is told without exchanges; then how long answers took, and how many calls failed a minute."""
    async with open_place() as place, place.signed_in(*READ) as visitor:
        empty = '<td data-label="p50 / p99" class="number">–</td>'
        assert empty in (await visitor.get("/providers")).text
        now_s = place.clock.monotonic_s
        pace = place.app.telemetry.paces["spar-za"] = Pace(now_s)
        for duration_s, status, error in ((0.06, "200", ""), (2.0, "200", ""), (9.0, "", "ReadTimeout")):
            pace.add(now_s(), duration_s, bisect_left(SECONDS, duration_s), status, error)
        page = (await visitor.get("/providers")).text
        assert re.search(r'"p50 / p99" class="number">6[0-3] ms / 2\.[01] s<', page)
        assert '"Calls / failures a minute" class="number">3 / 1<' in page
        assert "what this process has seen" in page


async def test_what_is_found_is_acted_on_like_the_inbox() -> None:
    """Who operates chooses from what a search found; who reads has nothing to choose."""
    async with open_place() as place, place.till() as till:
        stuck = await place.stuck(till, external_reference="R-17")
        for scopes, name, is_offered in ((OPERATE, "alex", True), (READ, "kim", False)):
            async with place.signed_in(*scopes, name=name) as visitor:
                await visitor.get("/search")
                led = await visitor.post("/search", external_reference="R-17")
                page = (await visitor.get(led.headers["location"])).text
                assert (f'value="{stuck}@default"' in page, 'action="/bulk"' in page) == (is_offered,) * 2


async def test_another_tenant_is_acted_for_by_who_may() -> None:
    """With giftcard.tenants an operator sees and ends another tenant's; without it nothing is told."""
    async with open_place() as place, place.till() as till, place.signed_in(*READ) as visitor:
        stuck = await place.stuck(till)
        assert (await visitor.get("/")).text.count(stuck)
        other = await place.key("kim", *OPERATE, tenant="shop")
        async with place.visitor() as stranger:
            await stranger.sign_in(other)
            assert stuck not in (await stranger.get("/")).text
            assert 'data-label="Unresolved">1<' not in (await stranger.get("/providers")).text
            assert (await stranger.post("/tenant", tenant="default")).status_code == 403
            assert (await stranger.get(f"/transactions/{stuck}?tenant=default")).status_code == 403
        operator = await place.key("sam", *OPERATE, Scope.TENANTS, tenant="ops")
        async with place.visitor() as sam:
            await sam.sign_in(operator)
            await sam.get("/")
            assert (await sam.post("/tenant", tenant="*")).status_code == 303
            inbox = (await sam.get("/")).text
            assert f"/transactions/{stuck}?tenant=default" in inbox
            assert "1 here, 1 UNRESOLVED in all" in inbox
            assert 'data-label="Unresolved">1<' in (await sam.get("/providers")).text
            shown = (await sam.get(f"/transactions/{stuck}?tenant=default")).text
            assert f'action="/transactions/{stuck}/resolve?tenant=default"' in shown
            done = await sam.post(f"/transactions/{stuck}/resolve?tenant=default", **ENDED)
            assert done.headers["location"] == f"/transactions/{stuck}?tenant=default"


async def test_texts_of_others_are_escaped() -> None:
    """What a caller wrote is shown as it is written, and is never HTML."""
    words = "<script>alert(1)</script>"
    async with open_place() as place, place.till() as till, place.signed_in(*READ) as visitor:
        stuck = await place.stuck(till, external_reference=words, labels={"shop": '"><img src=x>'})
        shown = (await visitor.get(f"/transactions/{stuck}")).text
        assert words not in shown
        assert "&lt;script&gt;" in shown
        assert "<img" not in shown
