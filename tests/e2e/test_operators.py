"""What an operator does from the command line: end what nobody could, hurry an advice, purge, migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from giftcard import Client, new_transaction_id, v1
from tests.e2e.processes import run
from tests.e2e.sandboxes import Sandbox


@pytest.fixture
def words(shared: Sandbox) -> tuple[str, ...]:
    """Give the words every command about transactions of the shared sandbox begins with."""
    return ("transactions", "--address", shared.address)


def redeemed(client: Client, **more: Any) -> v1.Transaction:  # noqa: ANN401 - any field of the request
    """Redeem one rand."""
    return client.redeem(
        transaction_id=new_transaction_id(), card="6045000000000111", amount="1.00", currency="ZAR", **more
    )


def test_only_the_unresolved_is_resolved(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """Resolving what is not UNRESOLVED changes nothing, says the state, and ends with 2."""
    with shared.client() as client:
        done = redeemed(client)
        told = run(
            *words, "resolve", done.transaction_id, "--as", "reversed", "--note", "no", folder=tmp_path
        )
        assert told.returncode == 2
        assert "STATE_CONFLICT" in told.stderr
        assert "APPROVED" in told.stderr
        assert client.get_transaction(done.transaction_id).state == done.state


def test_a_list_is_narrowed_by_every_condition(
    shared: Sandbox, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Merchant, terminal, reference, label, operation and time each find a transaction, or leave it out."""
    with shared.client() as client:
        till = v1.PointOfSale(merchant=v1.Merchant(merchant_id="M77000000000000"), terminal_id="T7700000")
        done = redeemed(client, point_of_sale=till, external_reference="order-77", labels={"shop": "77"})

    def listed(*options: str) -> bool:
        told = run(*words, "list", "--limit", "5", *options, folder=tmp_path)
        assert told.returncode == 0, told.stderr
        return done.transaction_id in told.stdout

    found = [
        ("--merchant", "M77000000000000"),
        ("--terminal", "T7700000"),
        ("--reference", "order-77"),
        ("--label", "shop=77"),
        ("--operation", "redeem"),
        ("--since", "2020-01-01"),
    ]
    missed = [("--merchant", "M78000000000000"), ("--label", "shop=78"), ("--until", "2020-01-01")]
    assert [listed(*options) for options in found] == [True] * len(found)
    assert [listed(*options) for options in missed] == [False] * len(missed)
    wrong = run(*words, "list", "--label", "shop", folder=tmp_path)
    assert (wrong.returncode, "KEY=VALUE" in wrong.stderr) == (2, True)


def test_nothing_owed_is_nothing_to_redeliver(
    shared: Sandbox, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Redelivering where no advice waits ends with 2 and one sentence."""
    with shared.client() as client:
        done = client.confirm_redeem(transaction_id=redeemed(client).transaction_id)
    told = run(*words, "redeliver", done.transaction_id, folder=tmp_path)
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert "CONFIRMED" in told.stderr


def test_purge_keeps_to_the_retention(tmp_path: Path) -> None:
    """Purging younger rows than the retention is refused by name; older ones are counted as they go."""
    journal = ("--sandbox", "--data", str(tmp_path / "data"))
    refused = run("transactions", "purge", *journal, "--older-than", "399", folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == "error: --older-than 399 is less than journal.retention_days, which is 400\n"
    done = run("transactions", "purge", *journal, "--older-than", "400", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "deleted 0 transactions finished more than 400 days ago\n"


def test_migrate_tells_and_does(tmp_path: Path) -> None:
    """`migrate --check` ends with 1 while there is something to do, `--print` shows it, `migrate` does it."""
    journal = ("--sandbox", "--data", str(tmp_path / "data"))
    assert run("migrate", *journal, "--check", folder=tmp_path).returncode == 1
    printed = run("migrate", *journal, "--print", folder=tmp_path)
    assert (printed.returncode, printed.stdout.count("CREATE TABLE transactions")) == (0, 1)
    moved = run("migrate", *journal, folder=tmp_path)
    assert (moved.returncode, moved.stdout) == (0, "the journal went from schema none to 0006\n")
    assert run("migrate", *journal, "--check", folder=tmp_path).returncode == 0
    assert "nothing to run" in run("migrate", *journal, "--print", folder=tmp_path).stdout


def test_no_route_ends_with_one(tmp_path: Path) -> None:
    """`route` ends with 0 and says why where a rule matches, and with 1 where none does."""
    sandbox = ("--sandbox", "--data", str(tmp_path / "data"))
    found = run("route", *sandbox, "--card", "6045100000000001", "--operation", "redeem", folder=tmp_path)
    assert (found.returncode, found.stdout) == (
        0,
        "gr4vy-sandbox, because the rule for prefix 60451 matches\n",
    )
    environ = {"GIFTCARD_GATEWAY__ROUTING__DEFAULT": ""}
    lost = run("route", *sandbox, "--card", "9", folder=tmp_path, environ=environ)
    assert lost.returncode == 1
    assert lost.stderr.startswith("error: No rule routes this card")
