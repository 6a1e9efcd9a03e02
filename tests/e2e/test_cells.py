"""Two cells, a gateway for each: every tenant is served by its own, and by no other."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from giftcard import v1
from giftcard.stubs import Stubs
from giftcard_adapters.values.secret import Secret
from giftcard_gateway.journal.contract import RowQuery
from giftcard_gateway.journal.settings import JournalSettings
from giftcard_gateway.journal.stores import open_journal
from giftcard_gateway.rpc.health import ask_health
from giftcard_simulators.catalogue import SANDBOXES
from tests.e2e.processes import free_port, run, started
from tests.e2e.sandboxes import ELECTRUM, redemption
from tests.e2e.test_workers import SHOP, simulators
from tests.patience import PATIENCE_S
from tests.postgres import PostgresServer

PAN = "6045000000000111"
TOML = """
[access]
api_keys = true

[journal]
url = "{default}"

[cells.eu]
url = "{eu}"

[tenants.north]
cell = "eu"

[tenants.south]
cell = "default"
"""
SCOPES = ("--scope", "money", "--scope", "read", "--scope", "tenants")
TENANTS = {"default": "south", "eu": "north"}


@dataclass
class Cells:
    """Two gateways over two journals, and a key of the tenant of each."""

    folder: Path
    urls: dict[str, str]
    ports: dict[str, int]
    keys: dict[str, str]

    def redeem(
        self, cell: str, tenant: str, request: v1.RedeemRequest | None = None, *more: tuple[str, str]
    ) -> str:
        """Redeem as a tenant at a cell's gateway; return `OK`, or the code and the reason of the refusal.

        `more` is metadata.
        """
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[cell]}") as channel:
            metadata = (("authorization", f"Bearer {self.keys[tenant]}"), *more)
            try:
                Stubs(channel).gift_cards.Redeem(
                    request or redemption(PAN), metadata=metadata, timeout=PATIENCE_S
                )
            except grpc.RpcError as fault:
                refused = cast("grpc.Call", fault)
                return f"{refused.code().name} {_reason(refused)}"
        return "OK"

    def list_every_tenant(self, cell: str, tenant: str) -> str:
        """Ask for the transactions of all tenants, and return as `redeem` does."""
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[cell]}") as channel:
            metadata = (("authorization", f"Bearer {self.keys[tenant]}"), ("giftcard-tenant", "*"))
            try:
                Stubs(channel).transactions.ListTransactions(
                    v1.ListTransactionsRequest(), metadata=metadata, timeout=PATIENCE_S
                )
            except grpc.RpcError as fault:
                refused = cast("grpc.Call", fault)
                return f"{refused.code().name} {_reason(refused)}"
        return "OK"

    async def tenants(self, cell: str) -> set[str]:
        """Return whose transactions are in a cell's journal."""
        journal = open_journal(JournalSettings(url=Secret(self.urls[cell])))
        return {row.tenant for row in await journal.rows_after("", 500)}

    def health(self, cell: str, service: str) -> str:
        """Return what a cell's gateway says of a service, or the code it refuses with."""
        return ask_health(f"127.0.0.1:{self.ports[cell]}", None, service=service, timeout_s=PATIENCE_S)


def _reason(fault: grpc.Call) -> str:
    for key, value in fault.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = ErrorInfo()
            Status.FromString(cast("bytes", value)).details[0].Unpack(info)
            return info.reason
    return ""


def environ(cell: str, port: int = 1) -> dict[str, str]:
    """Return what tells a command which cell it is for."""
    return {"GIFTCARD_GATEWAY__SERVER__CELL": cell, "GIFTCARD_GATEWAY__SERVER__LISTEN": f"127.0.0.1:{port}"}


def prepared(folder: Path, urls: dict[str, str]) -> Cells:
    """Bring both journals up and make the keys."""
    ports = {"default": free_port(), "eu": free_port()}
    text = (TOML + SHOP).format(simulator=ports["default"] + ELECTRUM, **urls)
    more = (f"{key} = {json.dumps(value)}\n" for key, value in SANDBOXES[0].settings().items())
    (folder / "gateway.toml").write_text(text + "".join(more), encoding="utf-8")
    (folder / "gateway.toml").chmod(0o600)
    migrated = run("migrate", "--config", "gateway.toml", folder=folder, environ=environ("eu"))
    assert migrated.returncode == 0, migrated.stderr
    keys = {}
    for tenant in TENANTS.values():
        words = ["keys", "create", "till", *SCOPES, "--tenant", tenant, "--config", "gateway.toml"]
        made = run(*words, folder=folder, environ=environ("eu"))
        assert made.returncode == 0, made.stderr
        keys[tenant] = made.stdout.strip()
    for cell in ports:
        (folder / cell).mkdir()
    return Cells(folder, urls, ports, keys)


def opened(folder: Path, stack: ExitStack, urls: dict[str, str]) -> Cells:
    """Do that, and start a gateway for each cell."""
    cells = prepared(folder, urls)
    stack.enter_context(simulators(folder, cells.ports["default"]))
    for cell in TENANTS:
        serve_cell(cells, cell, stack)
    return cells


async def proves_cells(cells: Cells) -> None:
    """Ask each cell for each tenant, and look whose rows are where."""
    for cell, own in TENANTS.items():
        for tenant in TENANTS.values():
            said = cells.redeem(cell, tenant)
            assert said == ("OK" if tenant == own else "UNAVAILABLE CELL_NOT_SERVED")
    assert {cell: await cells.tenants(cell) for cell in TENANTS} == {"default": {"south"}, "eu": {"north"}}
    assert cells.health("eu", "cell/eu") == "SERVING"
    assert cells.health("default", "cell/eu") == "NOT_FOUND"


def moved(cells: Cells, tenant: str, to: str) -> list[str]:
    """Give a tenant another cell, and return what each cell's start says; it must not serve."""
    file = cells.folder / "gateway.toml"
    before = file.read_text(encoding="utf-8")
    own = next(cell for cell, one in TENANTS.items() if one == tenant)
    table = f'[tenants.{tenant}]\ncell = "{{}}"'
    file.write_text(before.replace(table.format(own), table.format(to)), encoding="utf-8")
    told = []
    for cell in TENANTS:
        done = run(
            "serve", "--config", "gateway.toml", folder=cells.folder, environ=environ(cell, free_port())
        )
        assert done.returncode == 2, done.stderr
        told.append(done.stderr)
    file.write_text(before, encoding="utf-8")
    return told


def start_with_a_new_tenant(cells: Cells) -> str:
    """Name a tenant for the default cell that has no transactions, and return what its start says."""
    file = cells.folder / "gateway.toml"
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace("[seal]", '[tenants.west]\ncell = "default"\n\n[seal]'), encoding="utf-8")
    words = ("serve", "--config", "gateway.toml")
    done = run(*words, folder=cells.folder, environ=environ("default", free_port()))
    assert done.returncode == 2, done.stderr
    file.write_text(before, encoding="utf-8")
    return done.stderr


async def test_two_sqlite_cells(tmp_path: Path) -> None:
    """Each tenant is served by its cell alone, with SQLite files, and its rows are in no other."""
    with ExitStack() as serving:
        urls = {cell: f"sqlite:///{tmp_path / cell}.db" for cell in TENANTS}
        cells = opened(tmp_path, serving, urls)
        await proves_cells(cells)
        assert cells.list_every_tenant("default", "south") == "INVALID_ARGUMENT FIELD_INVALID"
        purged = ("transactions", "purge", "--older-than", "400", "--tenant", "north")
        done = run(*purged, "--config", "gateway.toml", folder=tmp_path, environ=environ("default"))
        assert (done.returncode, "--tenant north is in the cell eu" in done.stderr) == (2, True)
    for told in moved(cells, "south", "eu"):
        assert "tenants.south.cell is eu, and the tenant has transactions in the cell default" in told
    for told in moved(cells, "north", "default"):
        assert "tenants.north.cell is default, and the tenant has transactions in the cell eu" in told


def settled(cells: Cells, cell: str, tenant: str) -> v1.RedeemRequest:
    """Redeem and confirm as a tenant; return what was asked."""
    request = redemption(PAN)
    assert cells.redeem(cell, tenant, request) == "OK"
    with grpc.insecure_channel(f"127.0.0.1:{cells.ports[cell]}") as channel:
        metadata = (("authorization", f"Bearer {cells.keys[tenant]}"),)
        asked = v1.ConfirmRedeemRequest(transaction_id=request.transaction_id)
        Stubs(channel).gift_cards.ConfirmRedeem(asked, metadata=metadata, timeout=PATIENCE_S)
    return request


def serve_cell(cells: Cells, cell: str, stack: ExitStack) -> None:
    """Start a gateway of a cell again."""
    words = ["serve", "--config", str(cells.folder / "gateway.toml")]
    running = stack.enter_context(
        started(*words, folder=cells.folder / cell, environ=environ(cell, cells.ports[cell]))
    )
    running.wait_until(lambda: "serves on" in running.complained)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_tenant_is_moved(tmp_path: Path, request: pytest.FixtureRequest, kind: str) -> None:
    """By the words of docs/cells.md: it is served by its new cell, which knows every id, and by no other."""
    if kind == "sqlite":
        urls = {cell: f"sqlite:///{tmp_path / cell}.db" for cell in TENANTS}
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        urls = {cell: await server.create_database() for cell in TENANTS}
    command = ("cells", "move", "south", "--to", "eu", "--config", "gateway.toml")
    with ExitStack() as serving:
        cells = opened(tmp_path, serving, urls)
        asked = settled(cells, "default", "south")
    file = tmp_path / "gateway.toml"
    text = file.read_text(encoding="utf-8")
    home = '[tenants.south]\ncell = "default"'
    refused = run(*command, folder=tmp_path, environ=environ("eu"))
    assert (refused.returncode, "tenants.south.leaving is not true" in refused.stderr) == (2, True)
    file.write_text(text.replace(home, f"{home}\nleaving = true"), encoding="utf-8")
    with ExitStack() as serving:
        serve_cell(cells, "default", serving)
        assert cells.redeem("default", "south") == "UNAVAILABLE CELL_NOT_SERVED"
    done = run(*command, folder=tmp_path, environ=environ("eu"))
    assert done.returncode == 0, done.stderr
    assert "moved 1 transactions of south from the cell default to the cell eu" in done.stdout
    again = run(*command, folder=tmp_path, environ=environ("eu"))
    assert "moved 0 transactions of south" in again.stdout
    file.write_text(text.replace(home, '[tenants.south]\ncell = "eu"'), encoding="utf-8")
    with ExitStack() as serving:
        # Without the simulator: what is known is answered, and nothing is sent.
        for cell in TENANTS:
            serve_cell(cells, cell, serving)
        assert cells.redeem("eu", "south", asked) == "OK"
        assert cells.redeem("default", "south", asked) == "UNAVAILABLE CELL_NOT_SERVED"
    assert {cell: await cells.tenants(cell) for cell in TENANTS} == {"default": set(), "eu": {"south"}}
    kept = run("audit", "export", "--config", "gateway.toml", folder=tmp_path, environ=environ("eu")).stdout
    told = [one for one in map(json.loads, kept.splitlines()) if one["act"] == "tenant_moved"]
    assert {one["about"] for one in told} == {"from the cell default to the cell eu"}


@pytest.mark.postgres
async def test_a_cell_that_is_away_takes_no_other_with_it(
    tmp_path: Path, postgres_server: PostgresServer, fragile_server: PostgresServer
) -> None:
    """With PostgreSQL clusters: one is killed and its tenants are refused; the others' are served."""
    urls = {
        "default": await postgres_server.create_database(),
        "eu": await fragile_server.create_database(),
    }
    with ExitStack() as serving:
        cells = opened(tmp_path, serving, urls)
        await proves_cells(cells)
        for told in moved(cells, "south", "eu"):
            assert "tenants.south.cell is eu, and the tenant has transactions in the cell default" in told
        fragile_server.stop(signal.SIGQUIT)
        again = redemption(PAN)
        assert cells.redeem("eu", "north", again) == "UNAVAILABLE JOURNAL_UNAVAILABLE"
        assert cells.redeem("default", "south") == "OK"
        assert cells.redeem("default", "north") == "UNAVAILABLE CELL_NOT_SERVED"
        told = start_with_a_new_tenant(cells)
        assert "the cell eu cannot tell whether it has transactions of west" in told
        fragile_server.start()
        until = time.monotonic() + PATIENCE_S
        while (said := cells.redeem("eu", "north", again)) != "OK":
            assert said == "UNAVAILABLE JOURNAL_UNAVAILABLE"
            assert time.monotonic() < until
    assert await cells.tenants("default") == {"south"}
    journal = open_journal(JournalSettings(url=Secret(urls["eu"])))
    await journal.start()
    try:
        assert len(await journal.list(RowQuery(tenant="north"))) == 2
    finally:
        await journal.close()
