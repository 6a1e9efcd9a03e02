"""Drills of a journal that is lost: a copy is restored, or a standby takes the primary's place."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import cast

from giftcard import CallError, Client, NotFound, Unavailable, is_approved, new_transaction_id
from tests.conftest import has_postgres
from tests.drills.catalogue import drill
from tests.drills.hosts import PROVIDER, Host, Hosts, hosts
from tests.drills.keys import sold_at
from tests.drills.providers import PAN, comes_to, is_sold, sold
from tests.drills.stage import CannotDrill, DrillFailed, Stage
from tests.e2e.sandboxes import ELECTRUM, answers_in
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer, as_server_user, program, server_user, serving

RESTORED = "The journal is restored from a backup"
PROMOTED = "The database's primary is lost"
SOONER = ("30", "1")


@dataclass
class Sales:
    """What was sold around a backup, by what a restored journal makes of it."""

    ended: str
    """Confirmed before the copy: both sides know it."""
    undecided: str
    """Approved before the copy, confirmed after it: only the provider knows of the confirmation."""
    lost: str = ""
    """Sold and confirmed after the copy: only the provider knows it."""


def confirmed(host: Host, transaction_id: str) -> str:
    """Confirm a sale at a host."""
    with host.till() as client:
        client.confirm_redeem(transaction_id=transaction_id)
        if not comes_to(client, transaction_id, "CONFIRMED"):
            raise DrillFailed("a confirmation is not taken on a fair day")
    return transaction_id


def settlement(together: Hosts, file: Path) -> None:
    """Write what the provider settles, which is what was confirmed there, as Reconcile takes it."""
    now = datetime.now(UTC)
    scope = {
        "provider": PROVIDER,
        "start_time": (now - timedelta(hours=1)).isoformat(),
        "end_time": (now + timedelta(hours=1)).isoformat(),
    }
    rows = [
        {
            "row_id": str(one["transaction"]),
            "transaction_id": str(one["transaction"]),
            "amount": {"currency_code": "ZAR", "units": 1},
        }
        for one in together.scene.sandbox.get(ELECTRUM, "effects")
        if one["kind"] == "confirm"
    ]
    lines = [{"scope": scope}, *({"row": row} for row in rows)]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def differences(stage: Stage, together: Hosts) -> dict[str, str]:
    """Compare the provider's settlement as the entry says; return each difference's kind by transaction."""
    settlement(together, stage.folder / "settlement.json")
    (host,) = together.hosts
    told = stage.typed(RESTORED, 2, {}, GATEWAY=host.address)
    found = answers_in(told)[0].get("differences", [])
    return {
        one["row_id"]: one["kind"].removeprefix("DIFFERENCE_KIND_")
        for one in cast("list[dict[str, str]]", found)
    }


def is_forgotten(client: Client, transaction_id: str) -> bool:
    """Tell whether a gateway knows nothing of a transaction."""
    try:
        client.get_transaction(transaction_id=transaction_id)
    except NotFound:
        return True
    return False


def play_loss(
    stage: Stage,
    together: Hosts,
    copy: Callable[[], None],
    lose: Callable[[], None],
    restore: Callable[[], None],
) -> None:
    """Sell around a copy, lose the journal, restore the copy, and compare it with the settlement."""
    (host,) = together.hosts
    sales = Sales(ended=confirmed(host, sold_at(host)), undecided=sold_at(host))
    copy()
    confirmed(host, sales.undecided)
    sales.lost = confirmed(host, sold_at(host))
    host.kill()
    lose()
    together.scene.rings("GiftcardSilent")
    restore()
    host.start()
    stage.say("mended: the gateway serves on what was restored")
    together.scene.is_silent("GiftcardSilent")
    compare(stage, together, sales)
    together.scene.booked(ELECTRUM, *["redeem", "confirm"] * 3)


def compare(stage: Stage, together: Hosts, sales: Sales) -> None:
    """Hold what was restored against the provider's settlement, until nothing differs."""
    (host,) = together.hosts
    address = {"GIFTCARD_GATEWAY_ADDRESS": host.address}
    with host.till() as client:
        if not comes_to(client, sales.undecided, "APPROVED") or not is_forgotten(client, sales.lost):
            raise DrillFailed("nothing was lost, so nothing is proved")
        found = differences(stage, together)
        if found != {sales.undecided: "DIFFERS", sales.lost: "MISSING_HERE"}:
            raise DrillFailed(f"the comparison names {found}")
        stage.say("DIFFERS: confirmed there, APPROVED here; MISSING_HERE: forgotten here")
        stage.typed(RESTORED, 3, address, TRANSACTION_ID=sales.undecided)
        stage.until(partial(comes_to, client, sales.undecided, "CONFIRMED"), "it is CONFIRMED")
        if set(differences(stage, together)) != {sales.lost}:
            raise DrillFailed("what was confirmed still differs")
        client.redeem(transaction_id=sales.lost, card=PAN, amount="1.00", currency="ZAR")
        stage.until(partial(comes_to, client, sales.lost, "UNRESOLVED"), "it is a person's")
        stage.say("its caller repeats the forgotten sale, and it is UNRESOLVED: the provider knows its id")
        stage.typed(RESTORED, 4, address, TRANSACTION_ID=sales.lost)
        if differences(stage, together):
            raise DrillFailed("something differs still")
    stage.say("ended: nothing differs")


@drill(RESTORED)
def restored_backup(stage: Stage) -> None:
    """SQLite's file is lost and a copy restored; PostgreSQL's log is played to an earlier moment."""
    if not has_postgres():
        raise CannotDrill("PostgreSQL's programs are not on this machine")
    if shutil.which("sqlite3") is None:
        raise CannotDrill("sqlite3 is not on this machine")
    for folder in ("sqlite", "postgres"):
        (stage.folder / folder).mkdir()
    _sqlite(Stage(stage.folder / "sqlite", stage.show, stage.lines))
    _postgres(Stage(stage.folder / "postgres", stage.show, stage.lines))


def _sqlite(stage: Stage) -> None:
    file, kept = stage.folder / "journal.db", stage.folder / "copy.db"
    places = {"COPY_FILE": str(kept), "JOURNAL_FILE": str(file)}

    def copy() -> None:
        # As journal.md says: while the gateway serves.
        subprocess.run([program("sqlite3"), file, f".backup {kept}"], check=True, timeout=PATIENCE_S)
        stage.say("a copy of the SQLite journal is made while it serves, and sales go on")

    def lose() -> None:
        for one in stage.folder.glob("journal.db*"):
            one.unlink()
        stage.say("broken: the journal's disk is lost")

    def restore() -> None:
        stage.typed(RESTORED, 0, {}, **places)

    with hosts(stage, f"sqlite:///{file}", number=1) as together:
        play_loss(stage, together, copy, lose, restore)


def _postgres(stage: Stage) -> None:
    with shared_folder() as archive:
        settings = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
        with serving(settings) as server, hosts(stage, server.url(), number=1) as together:
            kept = archive / "base"
            places = {"DATA_DIRECTORY": str(server.data), "ARCHIVE": str(archive)}

            def copy() -> None:
                base_backup(server, kept)
                places["MOMENT"] = value_of(server, "SELECT clock_timestamp()")
                stage.say(
                    "a base backup of PostgreSQL is made while it serves, its log is kept, and sales go on"
                )

            def lose() -> None:
                # What was sold since is in the log, which is played no further than the moment.
                last = value_of(server, "SELECT pg_walfile_name(pg_switch_wal())")
                stage.until(lambda: value_of(server, ARCHIVED) >= last, "the log is kept")
                server.stop(signal.SIGKILL)
                shutil.rmtree(server.data)
                stage.say("broken: the database's disk is lost")

            def restore() -> None:
                subprocess.run([*as_server_user(), "cp", "-a", kept, server.data], check=True)
                stage.typed(RESTORED, 1, {}, **places)
                server.start()
                stage.until(
                    lambda: value_of(server, "SELECT pg_is_in_recovery()") == "f", "it may be written"
                )

            play_loss(stage, together, copy, lose, restore)


ARCHIVED = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Give a folder that the database's user may write, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="giftcard-archive-"))
    try:
        if (user := server_user()) is not None:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder)


def base_backup(server: PostgresServer, into: Path, *words: str, name: str = "backup") -> None:
    """Copy a server that serves."""
    source = f"host={server.folder} user=postgres application_name={name}"
    command: list[str | Path] = [program("pg_basebackup"), "-d", source, "-D", into, "-c", "fast", *words]
    subprocess.run([*as_server_user(), *command], check=True, capture_output=True, timeout=PATIENCE_S)


def value_of(server: PostgresServer, query: str) -> str:
    """Return the one value that a query gives, as psql writes it."""
    done = subprocess.run(
        [program("psql"), server.url(), "--no-align", "--tuples-only", "--no-psqlrc", "--command", query],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.stdout.strip()


@dataclass
class Crowd:
    """Callers that go on asking each host, and keep what they asked and what they were told."""

    asked: list[str] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)
    is_over: Event = field(default_factory=Event)

    def ask_on(self, host: Host) -> None:
        """Ask one host until it is over."""
        with host.till() as client:
            while not self.is_over.is_set():
                self.asked.append(new_transaction_id())
                self.ask(client, self.asked[-1])

    def ask(self, client: Client, transaction_id: str) -> None:
        """Redeem one rand, and keep the id if that was approved."""
        try:
            done = client.redeem(transaction_id=transaction_id, card=PAN, amount="1.00", currency="ZAR")
        except CallError:
            # Refused at once while the database is away: whoever asks again at once would only burn CPU.
            self.is_over.wait(0.1)
            return
        if is_approved(done):
            self.approved.append(transaction_id)


@contextmanager
def standby_of(primary: PostgresServer) -> Iterator[PostgresServer]:
    """Run a standby without which the primary acknowledges nothing, until the block ends."""
    value_of(primary, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    standby = PostgresServer()
    try:
        shutil.rmtree(standby.data)
        base_backup(primary, standby.data, "--write-recovery-conf", name="standby")
        with (standby.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"unix_socket_directories = '{standby.folder}'\n")
        standby.start()
        value_of(primary, "SELECT pg_reload_conf()")
        until = time.monotonic() + PATIENCE_S
        while value_of(primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1":
            if time.monotonic() > until:
                raise DrillFailed("the standby does not follow")
            time.sleep(0.1)
        yield standby
    finally:
        standby.remove()


@drill(PROMOTED)
def promoted_standby(stage: Stage) -> None:
    """The primary is killed while callers ask two gateways, and its synchronous standby is promoted."""
    if not has_postgres():
        raise CannotDrill("PostgreSQL's programs are not on this machine")
    with serving() as primary, standby_of(primary) as standby:
        url = f"postgresql://postgres@/postgres?host={primary.folder},{standby.folder}"
        with hosts(stage, url) as together, ThreadPoolExecutor() as hands:
            crowd = Crowd()
            asking = [hands.submit(crowd.ask_on, host) for host in together.hosts for _ in range(2)]
            try:
                _promote(stage, together, crowd, (primary, standby))
            finally:
                crowd.is_over.set()
            for one in asking:
                one.result()
            agreed(stage, together, crowd)


def _promote(
    stage: Stage, together: Hosts, crowd: Crowd, servers: tuple[PostgresServer, PostgresServer]
) -> None:
    primary, standby = servers
    stage.until(lambda: len(crowd.approved) >= 20, "callers are served")
    primary.stop(signal.SIGKILL)
    stage.say("broken: the primary is killed while callers ask two gateways")
    together.scene.rings("GiftcardJournalAway", sooner=SOONER)
    before = len(crowd.approved)
    for host in together.hosts:
        with host.till() as client:
            stage.until(partial(_is_refused, client), "calls are refused with JOURNAL_UNAVAILABLE")
    if len(crowd.approved) > before:
        raise DrillFailed("something is sold with a standby that may only be read")
    stage.say("the standby may only be read: nothing new is accepted")
    stage.typed(PROMOTED, 0, {}, STANDBY_URL=standby.url())
    stage.say("mended: the standby is promoted; the gateways are not touched")
    for host in together.hosts:
        with host.till() as client:
            stage.until(partial(is_sold, client), "a redemption is approved")
    together.scene.is_silent("GiftcardJournalAway", sooner=SOONER)


def _is_refused(client: Client) -> bool:
    try:
        sold(client)
    except Unavailable as refusal:
        return refusal.reason == "JOURNAL_UNAVAILABLE" and not refusal.is_outcome_open
    return False


def agreed(stage: Stage, together: Hosts, crowd: Crowd) -> None:
    """Hold what callers were told, what the gateways know and what the provider booked against each other."""
    effects: dict[str, list[str]] = {}

    def is_settled(client: Client, transaction_id: str) -> bool:
        return is_forgotten(client, transaction_id) or any(
            comes_to(client, transaction_id, state) for state in ("APPROVED", "REVERSED", "FAILED")
        )

    with together.hosts[0].till() as client:
        for one in crowd.asked:
            stage.until(partial(is_settled, client, one), "what was open is ended")
        standing = {one for one in crowd.asked if not is_forgotten(client, one)}
        standing = {one for one in standing if comes_to(client, one, "APPROVED")}
    for effect in together.scene.sandbox.get(ELECTRUM, "effects"):
        effects.setdefault(str(effect["transaction"]), []).append(str(effect["kind"]))
    if not set(crowd.approved) <= standing:
        raise DrillFailed("what was told as approved is not known as approved")
    moved = {one for one in crowd.asked if effects.get(one) == ["redeem"]}
    odd = [
        kinds for kinds in effects.values() if kinds not in (["redeem"], ["redeem", "reverse"], ["reverse"])
    ]
    if moved != standing or odd:
        raise DrillFailed(f"journal and provider differ in {len(moved ^ standing)} sales, {odd}")
    stage.say("ended: every sale that was told as approved is known, and the provider has booked each once")
    stage.say("the provider's books: a redeem for each sale that stands, and none for any other")
