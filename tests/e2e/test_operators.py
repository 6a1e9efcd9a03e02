"""What an operator does from the command line: end what nobody could, hurry an advice, purge, migrate."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from giftcard import Client, PermissionDenied, Unavailable, new_transaction_id, v1
from giftcard_gateway.access.metadata import TENANT
from giftcard_gateway.cli.person import person
from tests.e2e.processes import run
from tests.e2e.sandboxes import ELECTRUM, Sandbox

PAUSED = "electrum-sandbox"


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


def test_an_operator_acts_for_another_tenant(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """Each command acts for the tenant it names, lists tell tenants, and the audit has the system's user."""
    with shared.client() as client:
        own = redeemed(client)
    shop = Client(shared.address, plaintext=True, metadata=lambda: ((TENANT, "shop"),))
    with shop, pytest.raises(PermissionDenied):
        redeemed(shop)
    found = run(*words, "list", "--all-tenants", "--json", "--limit", "500", folder=tmp_path)
    listed = [json.loads(line) for line in found.stdout.splitlines()]
    assert (own.transaction_id, "default") in {(one["transaction_id"], one["tenant"]) for one in listed}
    assert run(*words, "list", "--tenant", "shop", folder=tmp_path).stderr == "none\n"
    shown = run(*words, "show", own.transaction_id, "--json", folder=tmp_path)
    assert json.loads(shown.stdout)["tenant"] == "default"
    for command in (["show"], ["redeliver"], ["resolve", "--as", "reversed", "--note", "no"]):
        name, *more = command
        told = run(*words, name, own.transaction_id, *more, "--tenant", "shop", folder=tmp_path)
        assert (told.returncode, "TRANSACTION_NOT_FOUND" in told.stderr) == (2, True)
    kept = run(
        "audit", "export", "--sandbox", "--data", str(shared.data), "--tenant", "shop", folder=tmp_path
    )
    records = [json.loads(line) for line in kept.stdout.splitlines()]
    acts = [(one["act"], one["person"]) for one in records if one["act"] != "refused"]
    assert acts == [("RedeliverAdvice", person()), ("ResolveTransaction", person())]


def test_a_stuck_reversal_shows_why(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """`show` tells what was tried for a transaction, with which HTTP status, and when it is tried next."""
    with shared.client() as client:
        done = redeemed(client)
        shared.spoil(
            ELECTRUM, {"fault": "status", "status": 500, "match": {"path": "reversals"}, "times": 99}
        )
        client.reverse_redeem(
            transaction_id=done.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
        )
        stuck = client.get_transaction(done.transaction_id).progress
        shown = run(*words, "show", done.transaction_id, folder=tmp_path, environ={"COLUMNS": "250"})
        shared.spoil(ELECTRUM)
        client.redeliver_advice(transaction_id=done.transaction_id)
        ended = client.get_transaction(done.transaction_id, wait_s=60)
    assert (stuck.attempts[0].http_status, stuck.attempts[1].http_status) == (201, 500)
    assert stuck.attempts[1].kind == v1.AttemptKind.ATTEMPT_KIND_REVERSAL
    assert stuck.HasField("next_attempt_time") or stuck.process
    assert shown.returncode == 0, shown.stderr
    for told in ("request", "reversal", "201", "500", "APPROVED", "AGAIN", "next try"):
        assert told in shown.stdout
    assert ended.state == v1.TransactionState.TRANSACTION_STATE_REVERSED
    assert ended.progress.attempts[-1].result == v1.AttemptResult.ATTEMPT_RESULT_DONE


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
    assert done.stdout == (
        "deleted 0 transactions and events, finished or carried over and older than 400 days\n"
    )
    shop = run("transactions", "purge", *journal, "--older-than", "400", "--tenant", "shop", folder=tmp_path)
    assert shop.returncode == 0, shop.stderr
    kept = run("audit", "export", *journal, folder=tmp_path)
    # Each command has a chain of its own, and chains that begin in one second are in no order.
    records = sorted(map(json.loads, kept.stdout.splitlines()), key=lambda one: str(one["at"]))
    told = [(one["act"], one["by"], one.get("for_tenant", "")) for one in records]
    assert told == [("transactions_purged", person(), ""), ("transactions_purged", person(), "shop")]


def test_card_numbers_are_erased_by_command(tmp_path: Path) -> None:
    """Where numbers are kept the setting is named; else what is due goes, and who did it is recorded."""
    (tmp_path / "gateway.toml").write_text(
        f'[journal]\nurl = "sqlite:///{tmp_path}/journal.db"\ncard_number_retention_days = 30\n'
        f'[seal]\nactive = "k"\nhash_key = "{"A" * 43}="\n[seal.keys]\nk = "{"B" * 43}="\n'
        '[providers.shop]\nadapter = "giftcard_adapters.gatepay:GatePay"\n'
        'settings = { base_url = "http://127.0.0.1:9", client_id = "shop", api_secret = "made-up" }\n'
    )
    journal = ("--config", str(tmp_path / "gateway.toml"))
    assert run("migrate", *journal, folder=tmp_path).returncode == 0
    sandbox = ("--sandbox", "--data", str(tmp_path / "data"))
    refused = run("transactions", "erase-numbers", *sandbox, folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: journal.card_number_retention_days is not set, so card numbers are kept\n"
    )
    done = run("transactions", "erase-numbers", *journal, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("erased the card numbers of 0 documents finished before ")
    kept = run("audit", "export", *journal, folder=tmp_path)
    told = [(one["act"], one["by"]) for one in map(json.loads, kept.stdout.splitlines())]
    assert told == [("card_numbers_erased", person())]


def test_an_export_of_the_audit_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Each record is exported once over several runs; a line that broke off and a young purge are refused."""
    journal = ("--sandbox", "--data", str(tmp_path / "data"))
    kept = tmp_path / "audit.jsonl"
    kept.touch()
    for name in ("ann", "bob"):
        assert run("migrate", *journal, folder=tmp_path).returncode == 0
        assert run("keys", "create", name, "--scope", "read", *journal, folder=tmp_path).returncode == 0
        more = run("audit", "export", *journal, "--after", str(kept), folder=tmp_path)
        assert more.returncode == 0, more.stderr
        assert more.stdout.count("\n") == 1
        kept.write_text(kept.read_text() + more.stdout)
    again = run("audit", "export", *journal, "--after", str(kept), folder=tmp_path)
    assert (again.returncode, again.stdout) == (0, "")
    assert run("audit", "export", *journal, folder=tmp_path).stdout == kept.read_text()
    purged = run("audit", "purge", *journal, "--older-than", "400", folder=tmp_path)
    assert (purged.returncode, purged.stdout.split(" ")[:2]) == (0, ["deleted", "0"])
    young = run("audit", "purge", *journal, "--older-than", "399", folder=tmp_path)
    assert (young.returncode, "audit_retention_days" in young.stderr) == (2, True)
    held = run("audit", "verify", *journal, "--against", str(kept), folder=tmp_path)
    assert held.stdout == "2 records in 2 chains are as they were written\n"
    kept.write_text(kept.read_text()[:-5])
    torn = run("audit", "export", *journal, "--after", str(kept), folder=tmp_path)
    assert (torn.returncode, "broke off" in torn.stderr) == (2, True)


def test_a_record_put_in_commands_no_terminal(tmp_path: Path) -> None:
    """Who puts a record in chooses what its chain is called: it is told, and obeyed by nobody's terminal."""
    journal = ("--sandbox", "--data", str(tmp_path / "data"))
    assert run("migrate", *journal, folder=tmp_path).returncode == 0
    assert run("keys", "create", "ann", "--scope", "read", *journal, folder=tmp_path).returncode == 0
    with closing(sqlite3.connect(tmp_path / "data" / "journal.db")) as file, file:
        file.execute(
            "INSERT INTO audit SELECT ? || chain, number, at_us, key_id, document, mac FROM audit",
            ("\x1b[2J\x9b1m[/]\u202e",),
        )
    told = run("audit", "verify", *journal, folder=tmp_path)
    assert told.returncode == 1
    assert r"chain \x1b[2J\x9b1m[/]\u202e" in told.stderr
    listed = run("audit", "export", *journal, folder=tmp_path)
    assert r'"chain":"\u001b[2J\u009b1m[/]\u202e' in listed.stdout
    for line in (*told.stderr.splitlines(), *listed.stdout.split("\n")):
        assert line.isprintable()


def test_migrate_tells_and_does(tmp_path: Path) -> None:
    """`migrate --check` ends with 1 while there is something to do, `--print` shows it, `migrate` does it."""
    journal = ("--sandbox", "--data", str(tmp_path / "data"))
    assert run("migrate", *journal, "--check", folder=tmp_path).returncode == 1
    printed = run("migrate", *journal, "--print", folder=tmp_path)
    assert (printed.returncode, printed.stdout.count("CREATE TABLE transactions")) == (0, 1)
    moved = run("migrate", *journal, folder=tmp_path)
    assert moved.returncode == 0
    assert moved.stdout.startswith("the journal went from schema none to 0")
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


def test_a_list_goes_on_beyond_a_page(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """`--limit 0` lists all there are, and a limit as many, each as one line of JSON."""
    with shared.client() as client:
        done = {redeemed(client, labels={"batch": "pages"}).transaction_id for _ in range(3)}
    narrow = ("list", "--label", "batch=pages", "--json", "--limit")
    everything = run(*words, *narrow, "0", folder=tmp_path)
    listed = [json.loads(line)["transaction_id"] for line in everything.stdout.splitlines()]
    assert (len(listed), set(listed)) == (3, done)
    assert run(*words, *narrow, "2", folder=tmp_path).stdout.count("\n") == 2


def test_many_are_ended_at_once(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """What options find is shown first, acted on with --yes, and counted; who did it stands in each."""
    with shared.client() as client:
        done = {redeemed(client, labels={"batch": "bulk"}).transaction_id for _ in range(3)}
    find = ("--label", "batch=bulk")
    dry = run(*words, "reverse", *find, "--dry-run", "--json", folder=tmp_path)
    assert dry.returncode == 0, dry.stderr
    found = [json.loads(line) for line in dry.stdout.splitlines()]
    assert {one["transaction_id"] for one in found} == done
    assert {one["state"] for one in found} == {"TRANSACTION_STATE_APPROVED"}
    unasked = run(*words, "reverse", *find, folder=tmp_path)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    ended = run(*words, "reverse", *find, "--yes", "--note", "closing time", "--json", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "reverse: 3 REVERSED\n"
    for line in ended.stdout.splitlines():
        (change,) = [one for one in json.loads(line)["state_changes"] if one.get("actor") == "local"][1:]
        assert change["note"] == "the caller reversed: closing time"
    again = run(*words, "reverse", *find, "--yes", folder=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")


def test_what_is_refused_does_not_stop_the_rest(
    shared: Sandbox, words: tuple[str, ...], tmp_path: Path
) -> None:
    """A refusal of one is told by its reason, the others are acted on, and the exit code is 1."""
    with shared.client() as client:
        one, other = redeemed(client), redeemed(client)
        client.reverse_redeem(
            transaction_id=one.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
        )
        told = run(*words, "confirm", one.transaction_id, other.transaction_id, folder=tmp_path)
        assert client.get_transaction(other.transaction_id).state == v1.TransactionState.Value(
            "TRANSACTION_STATE_CONFIRMED"
        )
    assert told.returncode == 1
    assert told.stderr.endswith("confirm: 1 CONFIRMED, 1 refused with TRANSACTION_REVERSED\n")
    both = run(*words, "confirm", one.transaction_id, "--provider", "x", folder=tmp_path)
    neither = run(*words, "confirm", "--yes", folder=tmp_path)
    assert (both.returncode, neither.returncode) == (2, 2)


def test_changes_are_followed(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """`watch` prints each change as it is written down, and goes on after the cursor it printed."""
    with shared.client() as client:
        begun = "2020-01-01"
        done = redeemed(client, labels={"batch": "watched"})
        client.confirm_redeem(transaction_id=done.transaction_id)
    watch = ("watch", "--label", "batch=watched")
    first = run(*words, *watch, "--from", begun, "--limit", "2", "--json", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    changes = [json.loads(line) for line in first.stdout.splitlines()]
    assert {one["transaction"]["transaction_id"] for one in changes} == {done.transaction_id}
    rest = run(*words, *watch, "--cursor", changes[-1]["cursor"], "--limit", "1", folder=tmp_path)
    assert (rest.returncode, done.transaction_id in rest.stdout) == (0, True)
    wrong = run(*words, *watch, "--cursor", "x", "--from", begun, folder=tmp_path)
    assert wrong.returncode == 2


def test_what_was_refused_is_tried_again(shared: Sandbox, words: tuple[str, ...], tmp_path: Path) -> None:
    """What ended UNRESOLVED is redelivered by filter once the provider is mended, and ends as promised."""
    with shared.client() as client:
        done = redeemed(client, labels={"batch": "again"})
        refusal = {"fault": "status", "status": 400, "match": {"path": "reversals"}, "times": 1}
        shared.spoil(ELECTRUM, refusal)
        client.reverse_redeem(
            transaction_id=done.transaction_id, reason=v1.ReversalReason.REVERSAL_REASON_CANCELLED
        )
        stuck = client.get_transaction(done.transaction_id, wait_s=60)
        shared.spoil(ELECTRUM)
        find = ("--state", "unresolved", "--label", "batch=again")
        told = run(*words, "redeliver", *find, "--yes", folder=tmp_path)
        ended = client.get_transaction(done.transaction_id, wait_s=60)
    assert stuck.state == v1.TransactionState.TRANSACTION_STATE_UNRESOLVED
    assert told.returncode == 0, told.stderr
    assert ended.state == v1.TransactionState.TRANSACTION_STATE_REVERSED


def test_a_provider_is_paused_from_the_command_line(shared: Sandbox, tmp_path: Path) -> None:
    """Pause, status and resume say how it stands; a till is refused meanwhile, what is open is confirmed."""
    address = ("--address", shared.address)
    with shared.client() as client:
        done = redeemed(client)
        told = run("pause", PAUSED, "--note", "they lose answers", *address, folder=tmp_path)
        assert told.returncode == 0, told.stderr
        assert f"{PAUSED} is paused since" in told.stdout
        try:
            with pytest.raises(Unavailable) as refused:
                redeemed(client)
            assert refused.value.reason == "PROVIDER_PAUSED"
            confirmed = client.confirm_redeem(transaction_id=done.transaction_id)
            assert confirmed.state == v1.TransactionState.TRANSACTION_STATE_CONFIRMED
            shown = run("status", *address, folder=tmp_path).stdout
            assert re.search(rf"{PAUSED} +paused", shown)
            assert "they lose answers" in shown
            listed = run("status", "--json", *address, folder=tmp_path).stdout.splitlines()
            assert [one["provider"] for one in map(json.loads, listed) if "pause" in one] == [PAUSED]
        finally:
            again = run("resume", PAUSED, "--note", "mended", *address, folder=tmp_path)
        assert (again.returncode, again.stdout) == (0, f"{PAUSED} takes new transactions.\n")
        redeemed(client)
    unknown = run("pause", "nobody", "--note", "x", *address, folder=tmp_path)
    assert (unknown.returncode, "PROVIDER_NOT_FOUND" in unknown.stderr) == (2, True)
