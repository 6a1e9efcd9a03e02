"""The tables on our pages are what the adapters and simulators say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.house.tables import Table, tables


@pytest.mark.parametrize("table", [*tables()], ids=lambda table: f"{table.page.name}-{table.name}")
def test_a_table_is_up_to_date(table: Table) -> None:
    """Each written table is the one its page has; otherwise `make tables` writes it."""
    page = table.page.read_text(encoding="utf-8")
    assert table.placed(page) == page, f"{table.page.relative_to(ROOT)}: run make tables"


def test_a_page_without_a_place_is_told() -> None:
    """A page that lacks a table's comments is named, with the comments it needs."""
    table = Table(Path("docs/providers/new.md"), "fields left out", "| a |")
    with pytest.raises(ValueError, match=r"new\.md needs one place for its table: <!-- fields left out"):
        table.placed("# New\n")
