"""Drills of the journal: its database is gone, its disk full, a row altered, a newer version wrote it."""

from __future__ import annotations

import resource
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass

from giftcard import CallError, Client, Unavailable, is_approved
from tests.conftest import has_postgres
from tests.drills.catalogue import drill
from tests.drills.providers import is_sold, sold, till
from tests.drills.stage import CannotDrill, DrillFailed, Stage
from tests.e2e.processes import free_port, run
from tests.e2e.sandboxes import ELECTRUM
from tests.postgres import serving

SOONER = ("30", "1")


@dataclass
class Caller:
    """Somebody who goes on asking, and counts what was approved: that is what must stand in the books."""

    client: Client
    approved: int = 0

    def is_sold(self) -> bool:
        """Redeem one rand, and tell whether that was approved."""
        done = is_sold(self.client)
        self.approved += done
        return done

    def must_sell(self) -> None:
        """Redeem one rand on a fair day."""
        if not self.is_sold():
            raise DrillFailed("nothing is sold on a fair day")

    def is_refused(self) -> bool:
        """Tell whether what is new is refused for want of a journal, surely unsent."""
        try:
            self.approved += is_approved(sold(self.client))
        except Unavailable as refusal:
            return refusal.reason == "JOURNAL_UNAVAILABLE" and not refusal.is_outcome_open
        return False

    @property
    def books(self) -> list[str]:
        """What the provider must have booked."""
        return ["redeem"] * self.approved


@drill("The journal is away")
def journal_away(stage: Stage) -> None:
    """PostgreSQL is killed, and started again."""
    if not has_postgres():
        raise CannotDrill("PostgreSQL's programs are not on this machine")
    with serving() as server:
        environ = {"GIFTCARD_GATEWAY__JOURNAL__URL": server.url()}
        with stage.gateway(environ) as scene, till(scene) as client:
            caller = Caller(client)
            caller.must_sell()
            server.stop(signal.SIGKILL)
            stage.say("broken: the database is killed")
            stage.until(caller.is_refused, "calls are refused with JOURNAL_UNAVAILABLE")
            scene.rings("GiftcardJournalAway", sooner=SOONER)
            scene.booked(ELECTRUM, *caller.books)
            server.start()
            stage.say("mended: the database is started; the gateway is not touched")
            stage.until(caller.is_sold, "a redemption is approved")
            scene.is_silent("GiftcardJournalAway", sooner=SOONER)
            scene.booked(ELECTRUM, *caller.books)


@drill("The journal's disk is full")
def disk_full(stage: Stage) -> None:
    """SQLite's files may not grow any more, and then they may."""
    with stage.gateway() as scene, till(scene) as client:
        caller = Caller(client)
        caller.must_sell()
        pid = scene.sandbox.running.process.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, most))
        stage.say("broken: the gateway's files may not grow")
        stage.until(caller.is_refused, "calls are refused with JOURNAL_UNAVAILABLE")
        scene.rings("GiftcardJournalAway", sooner=SOONER)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
        stage.say("mended: there is room; the gateway is not touched")
        stage.until(caller.is_sold, "a redemption is approved")
        scene.is_silent("GiftcardJournalAway", sooner=SOONER)
        scene.booked(ELECTRUM, *caller.books)


@drill("`RECORD_ALTERED`, or `giftcard.fault` with place `seal`")
def record_altered(stage: Stage) -> None:
    """Somebody cuts the only row's document short, and puts it back."""
    sooner = ("[15m:30s]", "[1m:5s]")
    with stage.gateway() as scene, till(scene) as client:
        transaction_id = sold(client).transaction_id

        def read() -> bool:
            try:
                client.get_transaction(transaction_id)
            except CallError as refusal:
                if refusal.reason != "RECORD_ALTERED":
                    raise
                return False
            return True

        with closing(sqlite3.connect(stage.folder / "data" / "journal.db")) as file:
            (kept,) = file.execute("SELECT document FROM transactions").fetchone()
            with file:
                file.execute("UPDATE transactions SET document = ?", (kept[:60],))
            stage.say("broken: a row's document is cut short, and the row is asked for")
            scene.rings("GiftcardRecordAltered", meanwhile=read)
            with file:
                file.execute("UPDATE transactions SET document = ?", (kept,))
        stage.say("mended: the row is put back as it was")
        stage.until(read, "the transaction is told again")
        scene.is_silent("GiftcardRecordAltered", sooner=sooner)
        scene.booked(ELECTRUM, "redeem")


@drill("The gateway refuses to start on its schema")
def rollback(stage: Stage) -> None:
    """An older version is started on a journal that a newer one has written."""
    with stage.gateway() as scene, till(scene) as client:
        done = sold(client)
        scene.booked(ELECTRUM, "redeem")
        scene.sandbox.running.stop()
    with closing(sqlite3.connect(stage.folder / "data" / "journal.db")) as file, file:
        (version,) = file.execute("SELECT max(version) FROM schema_version").fetchone()
        file.execute(
            "UPDATE schema_version SET version = '9999', oldest_reader = NULL WHERE version = ?", (version,)
        )
    stage.say("broken: a newer version has written the journal, and this one is started")
    refused = run("serve", "--sandbox", "--data", "data", "--port", str(free_port()), folder=stage.folder)
    stage.say(refused.stderr.strip().replace(str(stage.folder), "."))
    if refused.returncode != 2:
        raise DrillFailed(f"it ended with {refused.returncode}")
    with closing(sqlite3.connect(stage.folder / "data" / "journal.db")) as file, file:
        file.execute("UPDATE schema_version SET version = ? WHERE version = '9999'", (version,))
    stage.say("mended: the version that wrote the journal is started")
    with stage.gateway() as scene, till(scene) as client:
        if client.get_transaction(transaction_id=done.transaction_id).state != done.state:
            raise DrillFailed("the transaction is not what it was")
        stage.say("ended: the transaction is as it was")
