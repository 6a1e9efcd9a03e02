"""Keys at work: a host that lacks one says so, and two commands let one go."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from giftcard_adapters.values.cards import CardRef
from giftcard_adapters.values.money import Money
from giftcard_adapters.values.operations import Redeem
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.cli.person import person
from giftcard_gateway.clock import SystemClock
from giftcard_gateway.journal.notes import KeyInUse
from giftcard_gateway.journal.records import Records
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.sqlite.journal import Sqlite
from giftcard_gateway.ledger import lifecycle
from giftcard_gateway.seal import HashKey, Seal
from tests.e2e.processes import run, started
from tests.patience import PATIENCE_S
from tests.world.app import open_app, settings, until
from tests.world.observer import Heard

CONFIG = """
journal.url = "sqlite:///journal.db"
server.listen = "127.0.0.1:0"

[seal]
active = "{active}"
{hash}
keys = {{ one = "{one}", two = "{two}" }}

[providers.shop]
adapter = "giftcard_adapters.gatepay:GatePay"
settings = {{ base_url = "http://127.0.0.1:9", client_id = "shop", api_secret = "made-up" }}
"""
ONE, TWO, HASH, SECOND = (bytes([fill]) * 32 for fill in (11, 12, 13, 14))
HASHES = f'hash_key = "{base64.b64encode(HASH).decode()}"'


async def leave_open(path: Path, *, age_s: int = 3600) -> str:
    """Leave a transaction in a journal that is nobody's at the moment, sealed under the key `one`."""
    clock = SystemClock()
    seal = Seal(keys={"one": ONE}, active="one", hash_keys={"first": HASH}, random_bytes=clock.random_bytes)
    journal = Sqlite(str(path))
    await journal.start()
    at = datetime.fromtimestamp(clock.now().timestamp() - age_s, UTC)
    card = CardRef(number=Secret("6045000000000061"))
    ask = Redeem(transaction_id=clock.uuid4(), requested_at=at, card=card, amount=Money("ZAR", 1))
    entry = lifecycle.intend(
        ask, "shop", driver="gone", lease_until=at, traceparent="", tenant="default", asked_by=""
    )
    assert await Records(journal, seal).open(entry) is None
    await journal.close()
    return entry.transaction_id


async def test_a_host_without_a_key_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns while it serves; its health is as it was, but for the name `giftcard.seal`, and it counts."""
    monkeypatch.setattr("giftcard_gateway.process.measuring._COUNT_EVERY_S", 0.05)
    await leave_open(tmp_path / "journal.db")
    clock = SystemClock()
    heard = Heard(clock)
    journal = JournalSettings(url=Secret(f"sqlite:///{tmp_path / 'journal.db'}"))
    async with open_app(settings(journal=journal), clock, heard=heard) as app:
        await until(lambda: bool(heard.elsewhere))
        assert heard.elsewhere[0] == {"one": 1}
        await app.journal.use_keys([KeyInUse("seal", "one"), KeyInUse("hash", "next")])
        await until(lambda: heard.elsewhere[-1] == {"one": 1, "hash:next": 0})
        assert app.pipeline.records.is_half_blind
        async with grpc.aio.insecure_channel(f"127.0.0.1:{app.server.port}") as channel:
            assert await _status(channel, "") == HealthCheckResponse.SERVING
            async with asyncio.timeout(PATIENCE_S):
                while await _status(channel, "giftcard.seal") != HealthCheckResponse.NOT_SERVING:  # noqa: ASYNC110 - asked, not told
                    await asyncio.sleep(0.01)


async def _status(channel: grpc.aio.Channel, service: str) -> int | None:
    """Return a health status, None for a name that is not told yet."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    try:
        return int((await check(HealthCheckRequest(service=service))).status)
    except grpc.aio.AioRpcError:
        return None


async def test_a_key_is_rotated_out(tmp_path: Path) -> None:
    """`seal rotate` seals all anew, and `seal status` counts what each key is needed for.

    The audit has who rotated; damage under the active key is named, and ends with 1.
    """
    left = await leave_open(tmp_path / "journal.db")
    texts = {name: base64.b64encode(key).decode() for name, key in (("one", ONE), ("two", TWO))}
    configure(tmp_path, active="two", hash=HASHES, **texts)
    assert "one 1 0 0" in command(tmp_path, "seal", "status")
    assert "sealed 1 documents" in command(tmp_path, "seal", "rotate")
    counted = command(tmp_path, "seal", "status")
    assert "one 0 0 0" in counted
    assert "two active 1 0 0" in counted
    told = [
        json.loads(one)
        for one in run("audit", "export", "--config", "gateway.toml", folder=tmp_path).stdout.splitlines()
    ]
    assert [(one["act"], one["by"], one["about"]) for one in told] == [
        ("journal_resealed", person(), "the key two and the hash key first")
    ]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as journal, journal:
        journal.execute("UPDATE transactions SET document = substr(document, 1, 60)")
    damaged = run("seal", "rotate", "--config", "gateway.toml", folder=tmp_path)
    assert damaged.returncode == 1
    assert f"transaction {left} is not what was last written there" in " ".join(damaged.stderr.split())


def configure(folder: Path, **how: str) -> None:
    """Write the configuration of the next commands."""
    (folder / "gateway.toml").write_text(CONFIG.format(**how), encoding="utf-8")


def command(folder: Path, *words: str) -> str:
    """Run a command and return what it printed, in words."""
    done = run(*words, "--config", "gateway.toml", folder=folder)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


async def test_a_hash_key_is_rotated_out(tmp_path: Path) -> None:
    """`seal rotate` indexes all anew, `seal status` counts; the audit holds as long as both are known."""
    await leave_open(tmp_path / "journal.db")
    ring = f'{HASHES}\nhash_keys.second = "{base64.b64encode(SECOND).decode()}"'
    keys = {"active": "one", "one": base64.b64encode(ONE).decode(), "two": base64.b64encode(TWO).decode()}
    configure(tmp_path, hash=HASHES, **keys)
    command(tmp_path, "keys", "create", "till", "--scope", "read")
    configure(tmp_path, hash=f'{ring}\nhash_active = "second"', **keys)
    first, second = HashKey("first", HASH), HashKey("second", SECOND)
    assert f"first {first.fingerprint} 1" in command(tmp_path, "seal", "status")
    assert "the hash key second" in command(tmp_path, "seal", "rotate")
    counted = command(tmp_path, "seal", "status")
    assert f"first {first.fingerprint} 0" in counted
    assert f"second active {second.fingerprint} 1" in counted
    command(tmp_path, "keys", "create", "till", "--scope", "read")
    command(tmp_path, "audit", "verify")
    configure(tmp_path, hash=ring.partition("\n")[2] + '\nhash_active = "second"', **keys)
    assert f"second active {second.fingerprint} 1" in command(tmp_path, "seal", "status")
    told = run("audit", "verify", "--config", "gateway.toml", folder=tmp_path)
    assert told.returncode == 1
    assert f"the hash key first/{first.fingerprint}, which is not configured here" in told.stderr


async def test_a_start_refuses_what_it_has_no_key_of(tmp_path: Path) -> None:
    """Rows under keys that are not configured keep a gateway from starting, unless it is told to do so."""
    await leave_open(tmp_path / "journal.db")
    journal = Sqlite(str(tmp_path / "journal.db"))
    await journal.start()
    await journal.use_keys([KeyInUse("seal", "one"), KeyInUse("hash", "first"), KeyInUse("hash", "unused")])
    await journal.close()
    keys = {"active": "two", "one": base64.b64encode(SECOND).decode(), "two": base64.b64encode(TWO).decode()}
    hash_ = f'hash_keys.second = "{base64.b64encode(HASH).decode()}"\nhash_active = "second"'
    configure(tmp_path, hash=hash_, **keys)
    file = tmp_path / "gateway.toml"
    file.write_text(file.read_text().replace("one = ", "three = "))
    refused = run("serve", "--config", "gateway.toml", folder=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    told = " ".join(refused.stderr.split())
    assert "1 transactions are found by the hash key first" in told
    assert "1 documents are sealed under the key one" in told
    assert "seal.do_without" in told
    file.write_text(file.read_text().replace("[seal]", '[seal]\ndo_without = ["one", "first"]'))
    with started("serve", "--config", "gateway.toml", folder=tmp_path) as gateway:
        gateway.wait_until(lambda: "serves on" in gateway.complained)
