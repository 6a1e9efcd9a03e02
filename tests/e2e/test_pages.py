"""What the pages say is so: settings and defaults, demo cards and credentials, tables, commands that work."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from giftcard_gateway.clock import SystemClock
from giftcard_simulators.catalogue import SANDBOXES, Sandbox
from giftcard_simulators.sandbox import Plain, seeded_ids
from tests.conftest import ROOT
from tests.e2e.processes import run
from tests.e2e.sandboxes import Sandbox as Running
from tests.e2e.sandboxes import answers_in, sandbox, shell
from tests.house.settings_tables import TABLES, written
from tests.house.tables import package_of


def page(name: str) -> str:
    """Return a page of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def page_of(one: Sandbox) -> str:
    """Return a provider's page."""
    return page(f"docs/providers/{package_of(one)}.md")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    assert f"\n{heading}\n" in text, heading
    return re.split(r"\n#+ ", text.split(f"\n{heading}\n")[1])[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in a text, without heads and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for place, row in enumerate(found) if place > 1 and not set("".join(row)) <= {"-"}]


def test_every_setting_is_on_its_page() -> None:
    """docs/running.md lists every table and key there is, and no other, each with its default.

    A table with the keys of an earlier one says so instead.
    """
    text = page("docs/running.md")
    assert re.findall(r"^### `(.+)`$", text, re.MULTILINE) == list(TABLES)
    first: dict[object, str] = {}
    for heading, kind in TABLES.items():
        if first.setdefault(kind, heading) != heading:
            assert f"It has what `{first[kind]}` has" in section(text, f"### `{heading}`")
            continue
        told = {row[0].strip("`"): row[1] for row in rows(section(text, f"### `{heading}`"))}
        assert told == {field.name: written(field) for field in msgspec.structs.fields(kind)}, heading


def books(one: Sandbox) -> dict[str, tuple[str, str]]:
    """Return a simulator's demo cards: number to PIN and balance, as the page writes them."""
    simulator = one.make(now=SystemClock().now, ids=seeded_ids(1))
    return {str(card["number"]): _told(card) for card in simulator.cards() if _is_card(card)}


def _is_card(card: Plain) -> bool:
    """Tell a card from the accounts money comes from, which no path leads to."""
    return not str(card["number"]).startswith(("WALLET", "ACCOUNT"))


def _told(card: Plain) -> tuple[str, str]:
    minor_units = 1_000_000 if card["currency"] == "USDT" else 100
    amount = int(str(card["book_minor"])) / minor_units
    return str(card["pin"]) or "–", f"{card['currency']} {amount:,.2f}"


@pytest.mark.parametrize("one", SANDBOXES, ids=lambda one: one.provider_id)
def test_every_demo_card_is_on_its_page(one: Sandbox) -> None:
    """A provider's page lists every card the books open with and no other, with its PIN and what it holds."""
    told = rows(section(page_of(one), "### Demo cards"))
    assert {row[0].strip("`"): (row[1], row[2]) for row in told} == books(one)
    assert len(told) == len(books(one))


@pytest.mark.parametrize("one", SANDBOXES, ids=lambda one: one.provider_id)
def test_credentials_are_on_their_page(one: Sandbox) -> None:
    """A provider's page tells every credential of its sandbox as it is."""
    for key, value in rows(section(page_of(one), "### Credentials")):
        real = one.settings()[key.strip("`")]
        assert value.strip("`") == (real[0] if isinstance(real, list) else real)


def test_the_commands_on_the_page_work(tmp_path: Path) -> None:
    """The curl and grpcurl lines of docs/sandbox.md, run as they stand, do what the page says."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
    found = re.findall(r"^```sh\n(.*?)^```", page("docs/sandbox.md"), re.DOTALL | re.MULTILINE)
    look, act, spoil, redeem = (
        block for block in found if ":500" in block and "giftcard-gateway" not in block
    )
    with sandbox(tmp_path) as running:
        looked, acted, spoilt, redeemed = (
            shell(moved(block, running)) for block in (look, act, spoil, redeem)
        )
    cards, effects, faults, reset = answers_in(looked.stdout)
    assert "6045000000000061" in str(cards["cards"])
    assert (effects, faults, reset) == ({"effects": []}, {"faults": []}, {"reset": "electrum"})
    verbs, done, sent = answers_in(acted.stdout)
    assert "redeem" in str(verbs["verbs"])
    assert (done, sent) == ({"done": "redeem"}, {"sent": "webhook", "answer": 200})
    assert "drop_answer" in spoilt.stdout
    assert "TRANSACTION_STATE_REVERSED" in redeemed.stdout, redeemed.stderr


def moved(block: str, running: Running) -> str:
    """Return a block with the sandbox's ports in place of the documented ones."""
    return re.sub(r":(50\d\d\d)\b", lambda found: f":{running.port + int(found[1]) - 50051}", block)


def test_the_capability_table_is_the_programs_own(tmp_path: Path) -> None:
    """The README's table is what `providers --sandbox --markdown` prints."""
    done = run("providers", "--sandbox", "--markdown", folder=tmp_path)
    _, _, after = page("README.md").partition("<!-- capabilities:")
    table = after.partition("-->")[2].partition("<!-- end of capabilities -->")[0]
    assert table.strip().splitlines() == done.stdout.strip().splitlines()


def lists_of_options(help_text: str) -> Iterator[str]:
    """Give the lines of a help text that name a command."""
    yield from re.findall(r"^  [a-z-]+  +(.+)$", help_text.partition("Commands:")[2], re.MULTILINE)


@pytest.mark.parametrize("command", [[], ["transactions"]])
def test_help_is_not_cut(tmp_path: Path, command: list[str]) -> None:
    """`--help` says of each command what it does in a whole sentence, on a line of 80 columns."""
    said = list(lists_of_options(run(*command, "--help", folder=tmp_path).stdout))
    assert len(said) > 3
    assert [one for one in said if not one.endswith(".") or one.endswith("...")] == []
