"""Another release of the gateway beside this one, as a folder that Python finds its packages in first.

The newer release is made up, of this one's package and a step that only adds a table.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import giftcard_gateway
from giftcard_gateway.journal.schema import Steps
from giftcard_gateway.journal.sqlite.schema import STEPS

NEWER = "0099"
"""The schema of the release that is made up."""
ADDS = "CREATE TABLE later (made_up TEXT);\n"
_PACKAGE = Path(giftcard_gateway.__file__).parent


def newer_release(folder: Path, step: Mapping[str, str] | str = ADDS, *, reader: str = STEPS.known) -> Path:
    """Make a release with one step more, in `folder`, and return what PYTHONPATH is to name.

    `step` is its SQL, or that of each kind of journal by its folder's name; `reader` the oldest schema whose
    gateways work with what it leaves.
    """
    package = folder / _PACKAGE.name
    shutil.copytree(_PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for kind in ("sqlite", "postgres"):
        sql = step if isinstance(step, str) else step[kind]
        made = package / "journal" / kind / f"{NEWER}_made_up.sql"
        made.write_text(f"-- oldest reader: {reader}\n{sql}", encoding="utf-8")
        if Steps(made.parent).known != NEWER:
            raise AssertionError(f"{made} is not the last step")
    return folder


def found_in(tree: Path | None) -> dict[str, str]:
    """Return what lets Python find another release's packages; nothing for this one."""
    return {} if tree is None else {"PYTHONPATH": str(tree)}
