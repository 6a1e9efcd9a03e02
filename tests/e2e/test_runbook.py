"""A stranger who has read only the runbook ends what is stuck: in a real Chromium, and by commands.

What they click, write and type is read off the runbook's own words, so that no word of it can go stale.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from giftcard import Client, Unavailable, new_transaction_id, v1
from tests.conftest import ROOT
from tests.e2e.browsers import Tab, browser, chromium_program
from tests.e2e.processes import run
from tests.e2e.sandboxes import ELECTRUM, Sandbox, sandbox
from tests.e2e.test_console import console_of, stuck

RUNBOOK = ROOT / "deploy" / "runbook.md"
PAN = "6045000000000061"
MINUTE_S = 60.0
"""What the runbook promises; a machine that is not busy takes one or two seconds of it."""
LATER = {
    "GIFTCARD_GATEWAY__CONSOLE__OVERDUE_S": "1",
    "GIFTCARD_GATEWAY__PROVIDERS__ELECTRUM_SANDBOX__TERMS__RETRY_BASE_S": "3000",
    "GIFTCARD_GATEWAY__PROVIDERS__ELECTRUM_SANDBOX__TERMS__RETRY_CAP_S": "3600",
}
"""What is owed stands in the inbox soon, and is not tried again by itself before a person comes."""


@dataclass(frozen=True)
class Entry:
    """How the runbook says that one kind of stuck transaction is ended."""

    page: str
    commands: list[str]


def entry(heading: str) -> Entry:
    """Read an entry's two ways: the words after "On the page", the commands after "On the command line"."""
    text = RUNBOOK.read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    _, page, line = re.split(r"^On the page:|^On the command line:", section, flags=re.MULTILINE)
    commands = line.split("```sh\n")[1].split("```")[0]
    return Entry(page=page, commands=commands.splitlines())


def lost(path: str) -> dict[str, object]:
    """Return a provider's fault: it does not take what goes to such a path."""
    return {"fault": "status", "status": 503, "match": {"path": path}, "times": 99}


def sold(client: Client) -> v1.Transaction:
    """Redeem one rand."""
    return client.redeem(transaction_id=new_transaction_id(), card=PAN, amount_minor=100, currency="ZAR")


def unconfirmed(place: Sandbox, client: Client) -> str:
    """Confirm a sale while the provider takes no confirmations; it does again when a person comes."""
    done = sold(client)
    place.spoil(ELECTRUM, lost("confirmations"))
    client.confirm_redeem(transaction_id=done.transaction_id)
    place.spoil(ELECTRUM)
    return done.transaction_id


def unreversed(place: Sandbox, client: Client) -> str:
    """Reverse a sale while the provider takes no reversals; it does again when a person comes."""
    done = sold(client)
    place.spoil(ELECTRUM, lost("reversals"))
    client.reverse_redeem(
        transaction_id=done.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
    )
    place.spoil(ELECTRUM)
    return done.transaction_id


Stuck = Callable[[Sandbox, Client], str]
KINDS: list[tuple[str, Stuck, str, int]] = [
    ("A confirmation is not delivered", unconfirmed, "CONFIRMED", 100),
    ("A transaction is UNRESOLVED", stuck, "REVERSED", 0),
    ("A reversal is stuck at a provider", unreversed, "REVERSED", 0),
]
"""Each kind: its entry, how it comes about, how it ends, and what the card then lacks at the provider."""

UNDECIDED = "An approval is not decided"
PAUSED = "A provider is paused"


@pytest.fixture(scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("runbook"), environ=LATER) as running:
        yield running


@pytest.fixture
def place(_place: Sandbox) -> Sandbox:
    """Give a sandbox whose provider has its books as on the first day."""
    _place.reset(ELECTRUM)
    return _place


@pytest.fixture
async def tab(place: Sandbox, tmp_path: Path) -> AsyncIterator[Tab]:
    """Give a tab that looks at the console."""
    chromium_program()
    async with browser(tmp_path / "profile") as tab:
        await tab.open(console_of(place))
        yield tab


def missing(place: Sandbox) -> int:
    """Return how much less a card has than on the first day, by the provider's own books, in cents."""
    (card,) = [one for one in place.get(ELECTRUM, "cards") if one["number"] == PAN]
    lacks = [int(str(card[f"opening_{kind}_minor"])) - int(str(card[f"{kind}_minor"])) for kind in KEPT]
    assert lacks[0] == lacks[1], "the provider's books are still open"
    return lacks[0]


KEPT = ("book", "available")
"""What a provider knows of a card: both are the same once nothing is reserved."""


async def follow(tab: Tab, page: str, transaction_id: str) -> None:
    """Do what an entry says of the page: click what is bold, and write what is quoted before its field."""
    written = ""
    for bold, quoted in re.findall(r"\*\*(.+?)\*\*|`(.+?)`", page, flags=re.DOTALL):
        if bold:
            await touch(tab, " ".join(bold.split()), written)
            written = ""
        elif quoted == "TRANSACTION_ID":
            link = f'a[href="/transactions/{transaction_id}"]'
            await tab.until(f"document.querySelector({json.dumps(link)}) !== null")
            await touch(tab, transaction_id)
        else:
            written = quoted


async def touch(tab: Tab, words: str, written: str = "") -> None:
    """Click the one link, button or field that people know by these words, and write into it."""
    await tab.until("document.readyState === 'complete'")
    found = await tab.run(f"({FIND})({json.dumps(words)})")
    assert found["count"] == 1, (words, found)
    for kind in ("mousePressed", "mouseReleased"):
        where = {"x": found["x"], "y": found["y"], "button": "left", "clickCount": 1}
        await tab.send("Input.dispatchMouseEvent", type=kind, **where)
    if written:
        await tab.send("Input.insertText", text=written)
    elif found["leads"]:
        await tab.until("!window.isOld && document.readyState === 'complete'")


FIND = """(words) => {
  const clean = (text) => text.replace(/\\s+/g, ' ').trim();
  const seen = (one) => one.checkVisibility();
  const leading = [...document.querySelectorAll('a, button')].filter(seen);
  let found = leading.filter((one) => clean(one.textContent) === words);
  const leads = found.length > 0;
  if (!leads) {
    found = [...document.querySelectorAll('label')].filter(seen)
      .filter((one) => clean(one.textContent) === words).map((one) => one.control);
  }
  if (found.length !== 1) return {count: found.length, page: clean(document.body.innerText)};
  if (leads) window.isOld = true;
  found[0].scrollIntoView({block: 'center', behavior: 'instant'});
  const at = found[0].getBoundingClientRect();
  return {count: 1, leads, x: at.x + at.width / 2, y: at.y + at.height / 2};
}"""
"""A script that finds what a person would by its words, and says where it is."""


def type_(said: Entry, transaction_id: str, ending: str, place: Sandbox, folder: Path) -> None:
    """Type the commands of an entry, and see each tell the end."""
    for command in said.commands:
        program, *words = shlex.split(command.replace("TRANSACTION_ID", transaction_id))
        assert program == "giftcard-gateway"
        done = run(*words, folder=folder, environ={"GIFTCARD_GATEWAY_ADDRESS": place.address})
        assert done.returncode == 0, done.stderr
        assert ending in done.stdout


@pytest.mark.parametrize(("heading", "bring", "ending", "lacks"), KINDS, ids=[one[0] for one in KINDS])
async def test_a_stranger_ends_it_on_the_page(
    place: Sandbox, tab: Tab, heading: str, bring: Stuck, ending: str, lacks: int
) -> None:
    """Clicking and writing what the entry says ends it, in the journal and in the provider's books."""
    with place.client() as client:
        transaction_id = bring(place, client)
        link = f'a[href="/transactions/{transaction_id}"]'
        await tab.until(f"document.querySelector({json.dumps(link)}) !== null")
        begun = time.monotonic()
        await follow(tab, entry(heading).page, transaction_id)
        await tab.until(f"document.querySelector('.badge').innerText === {json.dumps(ending)}")
        ended(place, client, transaction_id, (ending, lacks), time.monotonic() - begun)


@pytest.mark.parametrize(("heading", "bring", "ending", "lacks"), KINDS, ids=[one[0] for one in KINDS])
def test_a_stranger_ends_it_by_a_command(
    place: Sandbox, tmp_path: Path, heading: str, bring: Stuck, ending: str, lacks: int
) -> None:
    """Typing what the entry says ends it, in the journal and in the provider's books."""
    with place.client() as client:
        transaction_id = bring(place, client)
        begun = time.monotonic()
        type_(entry(heading), transaction_id, ending, place, tmp_path)
        ended(place, client, transaction_id, (ending, lacks), time.monotonic() - begun)


def ended(
    place: Sandbox, client: Client, transaction_id: str, expected: tuple[str, int], took_s: float
) -> None:
    """Check how a transaction ended, with the provider's books, and tell how long it took."""
    after = client.get_transaction(transaction_id)
    state = v1.TransactionState.Name(after.state).removeprefix("TRANSACTION_STATE_")
    assert (state, missing(place)) == expected
    assert took_s < MINUTE_S
    sys.stdout.write(f"{state} after {took_s:.1f} s\n")


async def test_an_approval_is_decided_in_the_words_of_its_entry(
    place: Sandbox, tab: Tab, tmp_path: Path
) -> None:
    """Its buttons and its command confirm at once; it is late in no quiet sandbox, so its page is opened."""
    words = entry(UNDECIDED)
    with place.client() as client:
        transaction_id = sold(client).transaction_id
        await tab.open(f"{console_of(place)}transactions/{transaction_id}")
        begun = time.monotonic()
        await follow(tab, words.page.split("`TRANSACTION_ID`")[1], transaction_id)
        await tab.until("document.querySelector('.badge').innerText === 'CONFIRMED'")
        ended(place, client, transaction_id, ("CONFIRMED", 100), time.monotonic() - begun)
        type_(words, sold(client).transaction_id, "CONFIRMED", place, tmp_path)
        assert missing(place) == 200


async def test_a_provider_is_paused_and_resumed_in_the_words_of_its_entry(
    place: Sandbox, tab: Tab, tmp_path: Path
) -> None:
    """The page has what the entry names in bold, pauses and resumes there; so does the command it prints."""
    section = RUNBOOK.read_text(encoding="utf-8").split(f"\n## {PAUSED}\n")[1].split("\n## ")[0]
    pages, pause, resume, reason = re.findall(r"\*\*(.+?)\*\*", section.split("On the page:")[1])
    commands = [line for line in section.splitlines() if line.startswith("giftcard-gateway ")]
    with place.client() as client:
        for legend, word in ((pause, "paused"), (resume, "takes new transactions")):
            await tab.run(
                f"[...document.querySelectorAll('nav a')].find(one => one.text === {pages!r}).click()"
            )
            # The page that told of the pause is of the same path, and has a notice; the one to come has none.
            await tab.until(
                "location.pathname === '/providers' && document.readyState === 'complete'"
                " && document.querySelector('.notice') === null"
            )
            await tab.until("document.querySelectorAll('form').length > 1")
            form = f"[...document.querySelectorAll('form')].find(one => one.innerText.includes({legend!r}))"
            label = f"[...{form}.querySelectorAll('label')].find(one => one.innerText === {reason!r})"
            await tab.run(f"{form}.querySelector('select').value = 'electrum-sandbox'")
            await tab.run(
                f"{label}.control.value = 'case 4711'; {form}.querySelector('[type=checkbox]').click()"
            )
            await tab.run(f"{form}.querySelector('button').click()")
            await tab.until(f"(document.querySelector('.notice') || {{}}).innerText?.includes({word!r})")
            if legend == pause:
                with pytest.raises(Unavailable):
                    sold(client)
        for line in [one for one in commands if " pause " in one] + [
            one for one in commands if " resume " in one
        ]:
            typed = shlex.split(line.replace("PROVIDER", "electrum-sandbox"))[1:]
            done = run(*typed, "--address", place.address, folder=tmp_path)
            assert done.returncode == 0, done.stderr
        sold(client)


def test_every_way_of_the_runbook_is_walked() -> None:
    """An entry that says how to end something on the page has a test that does so."""
    sections = RUNBOOK.read_text(encoding="utf-8").split("\n## ")[1:]
    told = {one.split("\n")[0] for one in sections if "\nOn the page:" in one}
    assert told == {UNDECIDED, PAUSED, *(one[0] for one in KINDS)}
