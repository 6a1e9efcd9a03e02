"""Who may come to the console, for how long, and what a browser is told of it."""

from __future__ import annotations

import pytest

from giftcard_gateway.access.api_keys import keys_of, revoked, row_of
from giftcard_gateway.audit.records import REFUSED, record_of
from giftcard_gateway.config.access import Scope
from tests.gateway.console.visitors import OPERATE, READ, Place, open_place

PROVIDERS = "/providers"


async def test_nobody_is_shown_anything_before_they_sign_in() -> None:
    """Every page leads to the form, which goes back to it; a form that does something is refused."""
    async with open_place() as place, place.visitor() as visitor:
        led = await visitor.get(PROVIDERS)
        assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fproviders")
        assert (await visitor.post("/sign-out")).status_code == 401
        done = await visitor.sign_in(await place.key("alex", *READ), PROVIDERS)
        assert (done.status_code, done.headers["location"]) == (303, PROVIDERS)
        seen = await visitor.get(PROVIDERS)
        assert seen.status_code == 200
        assert "spar-za" in seen.text
        assert "alex" in seen.text


async def test_a_credential_is_shown_once_and_never_again() -> None:
    """The key stands in no page, address or cookie; the cookie is opaque, and of this site and no script."""
    async with open_place() as place, place.visitor() as visitor:
        key = await place.key("alex", *READ)
        done = await visitor.sign_in(key)
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert key not in str(done.headers) + (await visitor.get(PROVIDERS)).text
        assert len(visitor.http.cookies["giftcard-console"]) == 43


@pytest.mark.parametrize("credential", ["", "two words", "gck_nobody_knows", "ü"])
async def test_a_wrong_credential_opens_nothing(credential: str) -> None:
    """What is no key, or an unknown one, is answered with the form and a sentence that does not repeat it."""
    async with open_place() as place, place.visitor() as visitor:
        said = await visitor.sign_in(credential)
        assert said.status_code in {400, 401}
        assert 'role="alert"' in said.text
        assert not credential or credential not in said.text
        assert (await visitor.get(PROVIDERS)).status_code == 303


async def test_a_key_that_may_not_read_opens_nothing() -> None:
    """Signing in needs giftcard.read; the refusal stands in the audit under the key's name."""
    async with open_place() as place, place.visitor() as visitor:
        said = await visitor.sign_in(await place.key("till-7", Scope.MONEY))
        assert said.status_code == 403
        assert "giftcard.read" in said.text
        place.app.trail.tell_refusals()
        await place.app.trail.close()
        rows = await place.app.journal.audit(after=("", 0), limit=100)
        told = [record_of(row) for row in rows]
        assert [(one.by, one.about) for one in told if one.act == REFUSED] == [("till-7", "ListProviders")]


async def test_a_session_ends_by_itself() -> None:
    """Doing nothing for long ends it, whatever a page reads by itself; so does its age, whatever is done."""
    async with open_place(idle_s=60.0, session_s=120.0) as place:
        async with place.signed_in(*READ) as visitor:
            place.clock.turn(50)
            assert (await visitor.get(PROVIDERS, **{"Console-Live": "1"})).status_code == 200
            place.clock.turn(20)
            assert (await visitor.get(PROVIDERS, **{"Console-Live": "1"})).status_code == 303
        async with place.signed_in(*READ, name="kim") as visitor:
            for _ in range(2):
                place.clock.turn(50)
                assert (await visitor.get(PROVIDERS)).status_code == 200
            place.clock.turn(50)
            assert (await visitor.get(PROVIDERS)).status_code == 303


async def test_signing_out_ends_the_session_everywhere() -> None:
    """A cookie that was copied before is worth nothing after."""
    async with open_place() as place, place.signed_in(*READ) as visitor, place.visitor() as thief:
        await visitor.get(PROVIDERS)
        thief.http.cookies.update(visitor.http.cookies)
        assert (await thief.get(PROVIDERS)).status_code == 200
        assert (await visitor.post("/sign-out")).headers["location"] == "/sign-in"
        assert (await thief.get(PROVIDERS)).status_code == 303


async def test_a_form_without_its_stamp_does_nothing() -> None:
    """A form that another site made, or that carries another session's stamp, is refused."""
    async with open_place() as place, place.signed_in(*READ) as visitor, place.signed_in(*READ) as other:
        await visitor.get(PROVIDERS)
        await other.get(PROVIDERS)
        assert visitor.stamp != other.stamp
        for stamp in ("", "x", "ü", other.stamp):
            assert (await visitor.post("/sign-out", stamp=stamp)).status_code == 403
        for foreign in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://evil.example"},
        ):
            assert (await visitor.post("/sign-out", headers=foreign)).status_code == 403
        assert (await visitor.post("/sign-in", credential=await place.key("kim", *READ))).status_code == 403
        assert (await visitor.get(PROVIDERS)).status_code == 200
        mine = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        assert (await visitor.post("/sign-out", headers=mine)).status_code == 303


async def test_every_answer_protects_its_reader() -> None:
    """Pages, files and refusals: nothing inline or from elsewhere, no frame, no copy, no referrer."""
    async with open_place() as place, place.visitor() as visitor:
        for path in ("/sign-in", PROVIDERS, "/static/console.css", "/static/console.js", "/nowhere"):
            headers = (await visitor.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert "server" not in headers
        assert (await visitor.get("/nowhere")).status_code == 404
        assert (await visitor.get("/static/..%2fedge.py")).status_code == 404


async def test_where_nobody_signs_in_there_is_no_form() -> None:
    """On the loopback of a sandbox the pages are there at once, and the form leads to them."""
    async with open_place(is_open=True) as place, place.visitor() as visitor:
        assert (await visitor.get("/sign-in")).headers["location"] == "/"
        assert "local" in (await visitor.get("/")).text
        assert (await visitor.get(PROVIDERS)).status_code == 200


async def test_a_name_that_another_site_points_here_is_refused() -> None:
    """A page elsewhere whose name comes to mean this machine reads nothing."""
    async with open_place(is_open=True) as place, place.visitor() as visitor:
        assert (await visitor.get("/", Host="evil.example")).status_code == 421
        assert (await visitor.get("/", Host="localhost:1")).status_code == 200
    async with open_place(origin="https://console.example") as place, place.visitor() as visitor:
        assert (await visitor.get("/sign-in")).status_code == 421
        told = await visitor.get("/sign-in", Host="console.example")
        assert told.status_code == 200
        assert told.headers["set-cookie"].startswith("__Host-giftcard-console-visitor=")
        assert "Secure" in told.headers["set-cookie"]
        assert told.headers["strict-transport-security"]


async def test_a_link_from_elsewhere_keeps_who_is_signed_in() -> None:
    """A browser keeps the cookie back there; the answer sends it round once more, and plants nothing."""
    async with open_place(is_open=True) as place, place.visitor() as visitor:
        told = await visitor.get("/providers?x=1", **{"Sec-Fetch-Site": "cross-site"})
        assert 'content="0; url=/providers?x=1"' in told.text
        assert "set-cookie" not in told.headers


async def test_going_on_never_leads_elsewhere() -> None:
    """What to go on to after signing in is a path of ours, whatever the form says."""
    async with open_place() as place:
        key = await place.key("alex", *OPERATE)
        for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "", "/sign-in"):
            async with place.visitor() as visitor:
                assert (await visitor.sign_in(key, wanted)).headers["location"] == "/"


async def test_a_form_too_large_or_of_another_kind_is_refused() -> None:
    """A body is bounded, and is what a browser's form is."""
    async with open_place(is_open=True) as place, place.visitor() as visitor:
        await visitor.get("/")
        assert (await visitor.post("/sign-out", much="x" * 200_000)).status_code == 413
        kind = {"Content-Type": "text/plain"}
        assert (await visitor.post("/sign-out", headers=kind)).status_code == 415


async def test_a_revoked_key_ends_its_session() -> None:
    """The credential goes with every call, so what lets nobody in any more shows nothing any more."""
    async with open_place() as place, place.signed_in(*READ) as visitor:
        assert (await visitor.get(PROVIDERS)).status_code == 200
        await revoke_all(place)
        assert (await visitor.get(PROVIDERS)).headers["location"] == "/sign-in"


async def revoke_all(place: Place) -> None:
    """Revoke every key, and have the gateway know."""
    for key in keys_of(await place.app.journal.api_keys()):
        await place.app.journal.put_api_key(row_of(revoked(key, place.clock.now())))
    assert place.app.signing_in.keys is not None
    await place.app.signing_in.keys.read()
