"""A drill of a tenant that is moved to another cell: the move is killed half way, and ended by another."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from tests.drills.catalogue import drill
from tests.drills.stage import DrillFailed, Stage
from tests.e2e.processes import run
from tests.e2e.sandboxes import ELECTRUM, Sandbox
from tests.e2e.test_cells import TENANTS, environ, prepared, serve_cell, settled
from tests.e2e.test_moving_killed import HOME, Looker, Moment, fill, killed
from tests.e2e.test_workers import simulators

ENTRY = "A tenant is in two cells"
_MANY = 1_000
"""Transactions that are moved: enough to be killed among."""
_NEW_HOME = HOME.replace("default", "eu")


@drill(ENTRY)
def cut_move(stage: Stage) -> None:
    """The move of a tenant is killed while it copies, and the settings name the new cell too early."""
    urls = {cell: f"sqlite:///{stage.folder / cell}.db" for cell in TENANTS}
    cells = prepared(stage.folder, urls)
    file = stage.folder / "gateway.toml"
    text = file.read_text(encoding="utf-8")
    with ExitStack() as serving:
        port = cells.ports["default"]
        sandbox = Sandbox(serving.enter_context(simulators(stage.folder, port)), port)

        def booked() -> int:
            return len(sandbox.get(ELECTRUM, "effects"))

        with ExitStack() as before:
            serve_cell(cells, "default", before)
            asked = settled(cells, "default", "south")
        books = booked()
        asyncio.run(fill(urls["default"], {"south": _MANY}))
        file.write_text(text.replace(HOME, f"{HOME}\nleaving = true"), encoding="utf-8")
        old, new = Looker(urls["default"]), Looker(urls["eu"])
        if not asyncio.run(killed(stage.folder, Moment(copied=1), old, new)):
            raise DrillFailed("the move had ended before it was killed")
        stage.say("broken: the move of a tenant is killed while it copies")
        file.write_text(text.replace(HOME, _NEW_HOME), encoding="utf-8")
        stage.say("and its settings name the new cell, where a gateway is started")
        refused = run("serve", "--config", file.name, folder=stage.folder, environ=environ("eu"))
        if refused.returncode != 2 or "in two cells" not in refused.stderr:
            raise DrillFailed(f"it ended with {refused.returncode}: {refused.stderr}")
        stage.say(refused.stderr.strip().splitlines()[-1])
        file.write_text(text.replace(HOME, f"{HOME}\nleaving = true"), encoding="utf-8")
        stage.say("mended: the settings name the old cell and leaving = true, and the move is run again")
        told = stage.typed(ENTRY, 0, environ("eu"), TENANT="south", CELL="eu")
        if f"moved {_MANY + 1} transactions" not in told.replace(",", ""):
            raise DrillFailed(f"not all was moved: {told}")
        file.write_text(text.replace(HOME, _NEW_HOME), encoding="utf-8")
        for cell in TENANTS:
            serve_cell(cells, cell, serving)
        answers = {cell: cells.redeem(cell, "south", asked) for cell in TENANTS}
        if answers != {"default": "UNAVAILABLE CELL_NOT_SERVED", "eu": "OK"}:
            raise DrillFailed(f"a sale of before is asked for again, and answered {answers}")
        if booked() != books:
            raise DrillFailed("a sale of before was sent again")
    stage.say(
        "ended: a sale of before the move is answered by the new cell as it was, and sent to nobody again"
    )
