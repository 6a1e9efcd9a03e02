"""The demo tells the whole story, on a sandbox of its own or on one that runs, and ends as it should."""

from __future__ import annotations

from pathlib import Path

from giftcard import new_transaction_id
from tests.e2e.processes import free_port, run
from tests.e2e.sandboxes import ELECTRUM, Sandbox

STORY = """
A card's whole life  electrum-sandbox
  activate a card with 200.00                          APPROVED   ZAR 200.00
  confirm                                              CONFIRMED  ZAR 200.00
  load 100.00: not to be spent before it is confirmed  APPROVED   ZAR 200.00
  confirm                                              CONFIRMED  ZAR 300.00
  redeem 50.00                                         APPROVED   ZAR 250.00
  confirm 40.00 of it: the sale became cheaper         CONFIRMED  ZAR 260.00
  transfer 60.00 to another card                       APPROVED   ZAR 200.00
  confirm; the other card has                          CONFIRMED  ZAR 60.00
  replace the card, confirm; the new card has          CONFIRMED  ZAR 200.00
  void the new card                                    APPROVED
  confirm                                              CONFIRMED

What goes wrong, and how it ends  electrum-sandbox
  a card to begin with                                                                        ZAR 500.00
  redeem 100.00 with 1.00 on the card: a decline is an answer  DECLINED (FUNDS_INSUFFICIENT)  ZAR 1.00
  redeem 30.00, the answer is lost: reversed, not guessed      REVERSED                       ZAR 500.00
  redeem 25.00                                                 APPROVED                       ZAR 475.00
  the same again, under the same id: replayed, nothing moves   APPROVED                       ZAR 475.00
  reverse it: the customer walked away                         REVERSED                       ZAR 500.00
  reverse a request that never arrived                         REVERSED                       ZAR 500.00

Cards in a vault  gr4vy-sandbox
  store a card for a buyer                                kept as 604510******0001
  two balances in one call                                USD 500.00, USD 500.00
  redeem 120.00 from the stored card, for the same buyer  APPROVED                  USD 380.00
  reverse it: a refund of the redemption                  REVERSED                  USD 500.00
  issue a virtual card: 1 link, no number                 APPROVED
  confirm: inside the gateway                             CONFIRMED
  take the card out of the vault                          gone

E-cards from a wallet  jeudimerci-sandbox
  bring the offers up to date             2 offers
  buy 2 e-cards of 15.50                  APPROVED
  look one up                             ACTIVE
  reverse: both are deleted               REVERSED
  count tickets                           4 issued, 1 consumed
  extract accounts and download the file  3 accounts, 65559 bytes

Cards by template  gatepay-sandbox
  list the templates                                           3 templates
  issue a card of 9.99: asked after until it is really issued  APPROVED
  confirm: inside the gateway                                  CONFIRMED
"""


def played(text: str) -> list[list[str]]:
    """Return the chapters of a story at the providers told of here, without blanks at the ends of lines."""
    chapters = [[line.rstrip() for line in part.splitlines()] for part in text.strip().split("\n\n")]
    known = {part.splitlines()[0].rpartition(" ")[2] for part in STORY.strip().split("\n\n")}
    return [chapter for chapter in chapters if chapter[0].rpartition(" ")[2] in known]


def test_the_demo_starts_a_sandbox_of_its_own(tmp_path: Path) -> None:
    """Where nothing runs, the demo starts a sandbox, tells every chapter, and leaves nothing running."""
    address = f"127.0.0.1:{free_port()}"
    told = run("demo", "--address", address, folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert played(told.stdout) == played(STORY)
    assert told.stderr.strip() == "starting a sandbox for the story…"
    assert list(tmp_path.iterdir()) == []


def test_the_demo_plays_on_a_running_sandbox(shared: Sandbox, tmp_path: Path) -> None:
    """On a sandbox that runs the story is the same, as often as it is told."""
    for _ in range(2):
        told = run("demo", "--address", shared.address, folder=tmp_path)
        assert (told.returncode, told.stderr) == (0, "")
        assert played(told.stdout) == played(STORY)


def test_the_demo_needs_the_whole_sandbox(shared: Sandbox, tmp_path: Path) -> None:
    """Where something else answers than a gateway, the story ends with one sentence and exit code 2."""
    told = run("demo", "--address", f"127.0.0.1:{shared.port + ELECTRUM}", folder=tmp_path)
    assert told.returncode == 2
    assert told.stderr.startswith("error: the story ended early: ")
    assert told.stderr.count("\n") == 1


def test_transactions_are_listed_shown_and_never_cut(shared: Sandbox, tmp_path: Path) -> None:
    """`transactions list` and `show` have the whole id, the states and the reason, in a pipe of any width."""
    with shared.client() as client:
        done = client.redeem(
            transaction_id=new_transaction_id(), card="6045000000000087", amount="100.00", currency="ZAR"
        )
    words = ("transactions", "--address", shared.address)
    listed = run(*words, "list", "--limit", "1", folder=tmp_path, environ={"COLUMNS": "40"})
    columns = listed.stdout.splitlines()[1].split()
    assert columns[:6] == [done.transaction_id, "redeem", "DECLINED", "electrum-sandbox", "ZAR", "100.00"]
    shown = run(*words, "show", done.transaction_id, folder=tmp_path).stdout
    assert "decline      FUNDS_INSUFFICIENT" in shown
    assert "604500******0087" in shown
    unknown = run(*words, "show", new_transaction_id(), folder=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert ": NOT_FOUND - TRANSACTION_NOT_FOUND - " in unknown.stderr
