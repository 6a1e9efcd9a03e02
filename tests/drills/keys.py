"""Drills of the keys that card data is sealed with: one leaks, one is missing, one is taken out too early."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from giftcard import CallError, is_approved
from tests.conftest import has_postgres
from tests.drills.catalogue import drill
from tests.drills.hosts import Host, Hosts, hosts
from tests.drills.providers import comes_to, sold
from tests.drills.stage import CannotDrill, DrillFailed, Stage
from tests.e2e.processes import run
from tests.e2e.sandboxes import ELECTRUM
from tests.postgres import serving

LEAKED = "A key has leaked"
LACKING = "`giftcard.seal` is NOT_SERVING"
TAKEN_OUT = 'A start ends with "not configured here"'


@contextmanager
def pair(stage: Stage) -> Iterator[Hosts]:
    """Start two hosts on a PostgreSQL journal."""
    if not has_postgres():
        raise CannotDrill("PostgreSQL's programs are not on this machine")
    with serving() as server, hosts(stage, server.url()) as together:
        yield together


def sold_at(host: Host) -> str:
    """Redeem one rand at a host, and return the id of what is approved and not decided."""
    with host.till() as client:
        done = sold(client)
    if not is_approved(done):
        raise DrillFailed("nothing is sold on a fair day")
    return done.transaction_id


def refused(host: Host) -> str:
    """Start a host that must not start, and return the sentence it ends with."""
    done = run("serve", "--config", "gateway.toml", folder=host.folder)
    told = " ".join(done.stderr.split())
    if done.returncode != 2 or "not configured here" not in told:
        raise DrillFailed(f"it ended with {done.returncode}: {told}")
    return told


def sealed_under(status: str, key: str) -> int:
    """Return how many transactions `seal status` counts under a key."""
    (count,) = re.findall(rf"(?m)^\s*{key}\s+(?:active\s+)?(\d+)", status)
    return int(count)


@drill(LEAKED)
def seal_rotate(stage: Stage) -> None:
    """A key is rotated out of two hosts that serve, and its sales are ended without it."""
    with pair(stage) as together:
        first, second = together.hosts
        sold_ids = [sold_at(first), sold_at(second)]
        stage.say("broken: somebody else has the key `old`, under which two sales are open")
        together.roll(keys=("old", "new"))
        stage.say("the key `new` is known on both hosts, restarted one after the other")
        together.roll(active="new")
        sold_ids += [sold_at(first), sold_at(second)]
        stage.say("it is active on both")
        first.stop()
        together.configure(first, keys=("new",))
        refusal = refused(first)
        stage.say("without rotating, `old` cannot be taken out: a start without it is refused")
        stage.say(refusal)
        together.configure(first, keys=("old", "new"))
        first.start()
        counted = together.scene.typed(LEAKED)
        if (sealed_under(counted, "old"), sealed_under(counted, "new")) != (0, len(sold_ids)):
            raise DrillFailed("something is still sealed under the key")
        together.roll(keys=("new",))
        stage.say("mended: `old` is taken out of both hosts")
        confirmed_at(second, sold_ids, stage)
        together.scene.is_silent("GiftcardKeyElsewhere")
        together.scene.booked(ELECTRUM, *["redeem", "confirm"] * len(sold_ids))


def confirmed_at(host: Host, ids: list[str], stage: Stage) -> None:
    """Confirm transactions at a host, and wait until the provider knows of it."""
    with host.till() as client:
        for one in ids:
            client.confirm_redeem(transaction_id=one)
            stage.until(partial(comes_to, client, one, "CONFIRMED"), "it is CONFIRMED")
    stage.say(f"ended: {len(ids)} sales are CONFIRMED")


@drill(LACKING)
def key_missing(stage: Stage) -> None:
    """A key is made active on one host before the other one knows it."""
    with pair(stage) as together:
        first, second = together.hosts
        first.stop()
        together.configure(first, keys=("old", "new"), active="new")
        first.start()
        transaction_id = sold_at(first)
        stage.say("broken: a sale is sealed under a key that one of two hosts lacks")
        together.scene.rings("GiftcardKeyElsewhere")
        with second.till() as client:
            try:
                client.get_transaction(transaction_id=transaction_id)
            except CallError as refusal:
                if refusal.reason != "SEAL_KEY_MISSING":
                    raise
                stage.say(f"that host answers {refusal.reason}, and serves everything else")
            else:
                raise DrillFailed("a host tells what it has no key for")
        sold_id = sold_at(second)
        second.stop()
        together.configure(second, keys=("old", "new"))
        second.start()
        stage.say("mended: the key is added there, and the host restarted")
        together.scene.is_silent("GiftcardKeyElsewhere")
        confirmed_at(second, [transaction_id, sold_id], stage)
        together.scene.booked(ELECTRUM, "redeem", "confirm", "redeem", "confirm")


@drill(TAKEN_OUT)
def key_taken_out(stage: Stage) -> None:
    """A key is taken out of the only host while a sale is still sealed under it."""
    with hosts(stage, f"sqlite:///{stage.folder / 'journal.db'}", number=1) as together:
        (host,) = together.hosts
        transaction_id = sold_at(host)
        host.stop()
        together.configure(host, keys=("new",), active="new")
        stage.say("broken: the key of an open sale is taken out, and the gateway started")
        stage.say(refused(host))
        together.scene.rings("GiftcardSilent")
        together.configure(host, keys=("old", "new"))
        host.start()
        stage.say("mended: the key is put back, beside the one that is active")
        together.scene.is_silent("GiftcardSilent")
        confirmed_at(host, [transaction_id], stage)
        together.scene.booked(ELECTRUM, "redeem", "confirm")
