"""Cells in a configuration: which one a process serves, whose they are, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from giftcard_gateway import config
from giftcard_gateway.access.cells import Cell, cell_of
from giftcard_gateway.access.metadata import EVERY_TENANT
from giftcard_gateway.config import changes
from giftcard_gateway.errors import CellNotServed, InvalidRequest
from giftcard_gateway.ledger.tenants import DEFAULT_TENANT
from tests.gateway.configuration import GOOD, faults_of, load

CELLS = """
[journal]
url = "sqlite:///one.db"

[cells.eu]
url = "sqlite:///two.db"
retention_days = 500

[tenants.north]
cell = "eu"
"""
SERVES = {"GIFTCARD_GATEWAY__SERVER__CELL": "eu"}


def test_the_journal_is_the_served_cell_s(tmp_path: Path) -> None:
    """Whatever works with the journal works with the served cell's, and API keys are in the default one."""
    eu = load(tmp_path, GOOD + CELLS, SERVES)
    assert (eu.journal.url.reveal(), eu.journal.retention_days) == ("sqlite:///two.db", 500)
    assert eu.keys_at.url.reveal() == "sqlite:///one.db"
    assert list(eu.cells) == ["default", "eu"]
    default = load(tmp_path, GOOD + CELLS, {"GIFTCARD_GATEWAY__SERVER__CELL": "default"})
    assert default.journal.url.reveal() == default.keys_at.url.reveal() == "sqlite:///one.db"


def test_without_cells_nothing_is_asked(tmp_path: Path) -> None:
    """One journal is for everybody, and no call is asked for its cell."""
    settings = load(tmp_path, GOOD)
    assert cell_of(settings) is None
    assert settings.keys_at is settings.journal


def test_a_cell_knows_its_tenants(tmp_path: Path) -> None:
    """It takes who names it, refuses others by the name of their cell, and every tenant at once."""
    cell = cell_of(load(tmp_path, GOOD + CELLS, SERVES))
    assert cell == Cell(name="eu", homes={"north": "eu"})
    cell.demand("north")
    with pytest.raises(CellNotServed):
        msgspec.structs.replace(cell, leaving=frozenset({"north"})).demand("north")
    for tenant, home in ((DEFAULT_TENANT, "default"), ("south", "")):
        with pytest.raises(CellNotServed) as refused:
            cell.demand(tenant)
        assert refused.value.metadata == {"cell": home}
    with pytest.raises(InvalidRequest):
        cell.demand(EVERY_TENANT)


@pytest.mark.parametrize(
    ("text", "environ", "fault"),
    [
        (CELLS, {}, "server.cell is missing: a process serves one cell, and there are default, eu"),
        (CELLS, {"GIFTCARD_GATEWAY__SERVER__CELL": "us"}, "server.cell names no cell; known are default, eu"),
        ("", SERVES, "server.cell names no cell; known are default"),
        (
            CELLS + '[tenants.west]\ncell = "us"\n',
            SERVES,
            "tenants.west.cell names no cell; known are default, eu",
        ),
        (
            CELLS + '[tenants.default]\ncell = "eu"\n',
            SERVES,
            "tenants.default.cell must be default: that tenant may have transactions already",
        ),
        (
            CELLS + '[cells.default]\nurl = "sqlite:///x.db"\n',
            SERVES,
            "cells.default must have another name: the cell default is [journal]",
        ),
        (
            CELLS + '[cells.us]\nurl = "sqlite:///two.db"\n',
            SERVES,
            "cells.us.url must not be the database of cells.eu: each cell is one of its own",
        ),
        (CELLS + "[cells.us]\nurl = 'mysql://x'\n", SERVES, "cells.us.url must begin with"),
        (
            CELLS,
            SERVES | {"GIFTCARD_GATEWAY__PROVIDERS__SPAR_ZA__TENANT": "south"},
            "providers.spar-za.tenant has no cell: give it one by [tenants.south]",
        ),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, text: str, environ: dict[str, str], fault: str) -> None:
    """What is wrong with a cell is one sentence that names the setting."""
    (told,) = faults_of(tmp_path, GOOD + text, environ)
    assert told.startswith(fault)


def test_one_database_has_several_spellings(tmp_path: Path) -> None:
    """Another user, another word for PostgreSQL or a host in capitals does not make another database."""
    text = """
[journal]
url = "postgresql://one:x@db/gift?sslmode=verify-full"
[cells.eu]
url = "postgres://two:y@DB/gift?sslmode=verify-full"
"""
    (fault,) = faults_of(tmp_path, GOOD + text, SERVES)
    assert fault == "cells.eu.url must not be the database of journal: each cell is one of its own"


def test_a_cell_s_password_is_not_shown(tmp_path: Path) -> None:
    """Of a cell's URL its place is told, and not who connects."""
    text = CELLS.replace("sqlite:///two.db", "postgresql://u:pass-word@localhost/two")
    told = config.describe(load(tmp_path, GOOD + text, SERVES))
    assert "cells.eu.url = postgresql://localhost/two" in told.splitlines()
    assert "pass-word" not in told


def test_cells_do_not_change_while_serving(tmp_path: Path) -> None:
    """A tenant that is given another cell is a change that needs a restart, where it is looked for."""
    before = load(tmp_path, GOOD + CELLS, SERVES)
    after = load(tmp_path, GOOD + CELLS + '[tenants.south]\ncell = "eu"\n', SERVES)
    assert changes.fixed(before, after) == [
        "tenants.south.cell cannot change while serving: it needs a restart",
        "tenants.south.leaving cannot change while serving: it needs a restart",
    ]
