"""The real Envoy in front of two cells, set up by the words of docs/cells.md: one address for all tenants."""

from __future__ import annotations

import re
import textwrap
from contextlib import ExitStack
from pathlib import Path

from google.protobuf import json_format

from giftcard_gateway.access.metadata import TENANT
from tests.conftest import ROOT
from tests.e2e.envoys import door
from tests.e2e.sandboxes import redemption
from tests.e2e.test_cells import PAN, TENANTS, opened

FILTERS = "                http_filters:\n"


def with_cells(text: str, default: int, eu: int, behind: str = FILTERS) -> str:
    """Return Envoy's configuration changed as the page says, the filter behind something."""
    page = (ROOT / "docs" / "cells.md").read_text(encoding="utf-8")
    (chooses,) = re.findall(r"(?ms)^```yaml\n(.*?)^```$", page)
    before, clusters, after = text.partition("  clusters:\n")
    assert before.count("cluster: gateway") > 5
    before = before.replace("cluster: gateway", "cluster_header: giftcard-cell")
    before = before.replace(behind, behind + textwrap.indent(chooses, " " * 18))
    other = after.replace("name: gateway", "name: cell-eu")
    other = other.replace(f"port_value: {default}", f"port_value: {eu}")
    return before + clusters + other + after


async def test_envoy_sends_each_tenant_to_its_cell(tmp_path: Path) -> None:
    """Who names its tenant is served at one address, by gRPC and JSON; who names none is in the default cell.

    A cell that a caller names is not believed, and neither is another's tenant.
    """
    with ExitStack() as serving:
        cells = opened(tmp_path, serving, {cell: f"sqlite:///{tmp_path / cell}.db" for cell in TENANTS})
        ports = cells.ports
        front = serving.enter_context(
            door(
                tmp_path / "door",
                ports["default"],
                changed=lambda text: with_cells(text, ports["default"], ports["eu"]),
            )
        )
        ports["front"] = front.ports["plain"]
        refused = "UNAVAILABLE CELL_NOT_SERVED"
        for tenant in TENANTS.values():
            named = (TENANT, tenant)
            assert cells.redeem("front", tenant, None, named) == "OK"
            assert cells.redeem("front", tenant, None, named, ("giftcard-cell", "cell-none")) == "OK"
        assert cells.redeem("front", "south") == "OK"
        assert cells.redeem("front", "north") == refused
        assert cells.redeem("front", "north", None, ("giftcard-cell", "cell-eu")) == refused
        assert cells.redeem("front", "south", None, (TENANT, "north")).startswith("PERMISSION_DENIED")
        content = json_format.MessageToDict(redemption(PAN), preserving_proto_field_name=True)
        signed = {"authorization": f"Bearer {cells.keys['north']}"}
        assert front.ask("/v1/transactions:redeem", content, signed | {TENANT: "north"}).status == 200
        assert front.ask("/v1/transactions:redeem", content, signed).status == 503
        assert {cell: await cells.tenants(cell) for cell in TENANTS} == {
            "default": {"south"},
            "eu": {"north"},
        }
