"""People in a real Chromium find what is stuck on a sandbox's console, and end it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from giftcard import Client, new_transaction_id, v1
from giftcard_simulators.catalogue import CONSOLE_PORT, PORT
from tests.e2e.browsers import PALE, Tab, browser, chromium_program
from tests.e2e.sandboxes import ELECTRUM, Sandbox

PAN = "6045000000000061"
State = v1.TransactionState


@pytest.fixture
async def tab(shared: Sandbox, tmp_path: Path) -> AsyncIterator[Tab]:
    """Give a tab on the inbox."""
    chromium_program()
    async with browser(tmp_path / "profile") as tab:
        await tab.open(console_of(shared))
        yield tab


def console_of(sandbox: Sandbox) -> str:
    """Return where the console of a sandbox is."""
    return f"http://127.0.0.1:{sandbox.port + CONSOLE_PORT - PORT}/"


def sold(client: Client, external_reference: str = "") -> v1.Transaction:
    """Redeem one rand."""
    return client.redeem(
        transaction_id=new_transaction_id(),
        card=PAN,
        amount_minor=100,
        currency="ZAR",
        external_reference=external_reference,
    )


def stuck(sandbox: Sandbox, client: Client) -> str:
    """Redeem, have the provider forget it, and confirm: UNRESOLVED. Return the transaction's id."""
    done = sold(client)
    sandbox.reset(ELECTRUM)
    client.confirm_redeem(transaction_id=done.transaction_id)
    return done.transaction_id


async def fill(tab: Tab, field: str, text: str) -> None:
    """Type into a field of this name."""
    await tab.run(f"document.getElementById({json.dumps(field)}).focus()")
    await tab.send("Input.insertText", text=text)


async def click(tab: Tab, what: str) -> None:
    """Click what a selector finds, as a person would with a mouse."""
    place = await tab.run(
        f"(() => {{ const one = document.querySelector({json.dumps(what)});"
        " one.scrollIntoView({block: 'center'}); const at = one.getBoundingClientRect();"
        " return [at.x + at.width / 2, at.y + at.height / 2]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        await tab.send("Input.dispatchMouseEvent", type=kind, **where)


async def leads(tab: Tab, what: str, to: str) -> None:
    """Click, and wait until the page that it leads to is there."""
    await tab.run("window.isOld = true")
    await click(tab, what)
    is_there = f"document.readyState === 'complete' && location.pathname.startsWith({json.dumps(to)})"
    await tab.until(f"!window.isOld && {is_there}")


async def test_a_stuck_transaction_is_found_and_ended(shared: Sandbox, tab: Tab) -> None:
    """It comes up in the inbox by itself; its page says why; ended with a reason, it is gone from there."""
    with shared.client() as client:
        transaction_id = stuck(shared, client)
        link = f'a[href="/transactions/{transaction_id}"]'
        await tab.until(f"document.querySelector({json.dumps(link)}) !== null")
        await leads(tab, link, "/transactions/")
        page = await tab.run("document.body.innerText")
        assert "does not know the transaction" in page
        assert PAN not in await tab.run("document.documentElement.outerHTML")
        await click(tab, "input[value=reversed]")
        await fill(tab, "resolve-reason", "Ana at the provider, ticket 17")
        await click(tab, "input[name=sure]")
        await leads(tab, "#resolve", "/transactions/")
        assert "it is REVERSED now" in await tab.run("document.body.innerText")
        ended = client.get_transaction(transaction_id)
        assert ended.state == State.TRANSACTION_STATE_REVERSED
        assert "Ana at the provider, ticket 17" in ended.state_changes[-1].note
        await tab.open(console_of(shared))
        assert await tab.run(f"document.querySelector({json.dumps(link)}) === null")


async def test_a_lost_confirmation_is_found_by_its_card_and_delivered(shared: Sandbox, tab: Tab) -> None:
    """The support desk types a card's number, which stands in no address or page, and has it tried again."""
    fault = {"fault": "status", "status": 503, "match": {"path": "confirmations"}, "times": 99}
    with shared.client() as client:
        done = sold(client)
        shared.spoil(ELECTRUM, fault)
        client.confirm_redeem(transaction_id=done.transaction_id)
        await tab.open(f"{console_of(shared)}search")
        await fill(tab, "card", PAN)
        await click(tab, "input[value=CONFIRMING]")
        await leads(tab, "#search", "/search/")
        assert PAN not in await tab.run("document.documentElement.outerHTML + location.href")
        await leads(tab, f'a[href="/transactions/{done.transaction_id}"]', "/transactions/")
        assert "HTTP 503" in await tab.run("document.body.innerText")
        shared.spoil(ELECTRUM)
        await fill(tab, "redeliver-reason", "asked by shop 7")
        await leads(tab, "#redeliver", "/transactions/")
        await tab.until("document.body.innerText.includes('CONFIRMED')")
        ended = client.get_transaction(done.transaction_id, wait_s=60)
        assert ended.state == State.TRANSACTION_STATE_CONFIRMED


async def test_many_are_decided_while_one_watches(shared: Sandbox, tab: Tab) -> None:
    """The page counts by itself while a slow provider is told of each, also when loaded again, to the sum."""
    reference, count = new_transaction_id(), 17
    slow = {"fault": "delay", "delay_s": 4, "match": {"path": "confirmations"}, "times": count}
    with shared.client() as client:
        ids = [sold(client, external_reference=reference).transaction_id for _ in range(count)]
        shared.spoil(ELECTRUM, slow)
        await tab.open(f"{console_of(shared)}search")
        await fill(tab, "external_reference", reference)
        await leads(tab, "#search", "/search/")
        await click(tab, "[data-checks=pick]")
        await click(tab, "input[value=confirm]")
        await leads(tab, ".bulk button", "/bulk")
        assert f"Confirm now: {count} of {count}" in await tab.run("document.body.innerText")
        await fill(tab, "reason", "shop 7 called")
        await click(tab, "input[name=sure]")
        await leads(tab, "#run", "/bulk/")
        assert await tab.run("document.getElementById('progress').max") == count
        await tab.open(await tab.run("location.href"))
        await tab.run("window.isOld = true")
        await tab.until("document.getElementById('summary').innerText !== ''")
        assert await tab.run("window.isOld === true")
        page = await tab.run("document.body.innerText")
        assert f"Done with {count}; 0 refused" in page
        assert all(one in page for one in ids)
        assert await tab.run("document.getElementById('progress') === null")
        shared.spoil(ELECTRUM)
        for one in ids:
            assert client.get_transaction(one, wait_s=60).state == State.TRANSACTION_STATE_CONFIRMED


async def test_pages_serve_keyboards_readers_and_phones(shared: Sandbox, tab: Tab) -> None:
    """Fields have labels, pages a language, one heading and a skip link, and 360 px are enough."""
    with shared.client() as client:
        transaction_id = stuck(shared, client)
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    await tab.send("Emulation.setDeviceMetricsOverride", **size)
    for path in ("", f"transactions/{transaction_id}", "search", "providers"):
        await tab.open(console_of(shared) + path)
        assert await tab.run("document.documentElement.scrollWidth") <= 360, path
        assert await tab.run("document.documentElement.lang") == "en"
        assert await tab.run("document.querySelectorAll('h1').length") == 1
        unlabelled = (
            "[...document.querySelectorAll('input:not([type=hidden]), textarea, select')]"
            ".filter((one) => !one.labels.length).map((one) => one.outerHTML)"
        )
        assert await tab.run(unlabelled) == []
        await tab.run("document.activeElement.blur()")
        for kind in ("keyDown", "keyUp"):
            await tab.send(
                "Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9
            )
        assert await tab.run("document.activeElement.className") == "skip"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_stand_out_from_what_is_behind_them(shared: Sandbox, tab: Tab, scheme: str) -> None:
    """Every text has the contrast that WCAG asks for at AA, 4.5 to 1, by day and by night."""
    with shared.client() as client:
        transaction_id = stuck(shared, client)
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    for path in ("", f"transactions/{transaction_id}", "search", "providers"):
        await tab.open(console_of(shared) + path)
        assert await tab.run(PALE) == []


async def test_the_policy_of_a_page_holds_in_a_browser(tab: Tab) -> None:
    """A script that got into a page does not run, and nothing of ours breaks the policy."""
    broken = (
        "window.broken = []; addEventListener('securitypolicyviolation', (e) => broken.push(e.blockedURI));"
    )
    await tab.run(broken)
    await tab.run(
        "{ const one = document.createElement('script'); one.textContent = 'window.ran = 1';"
        " document.body.append(one); }"
    )
    await tab.until("window.broken.length === 1")
    assert await tab.run("window.ran === undefined")
    assert await tab.run("getComputedStyle(document.querySelector('header')).display") == "flex"
    assert await tab.run("document.getElementById('pause').hidden") is False
