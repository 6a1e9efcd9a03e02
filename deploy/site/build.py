"""Makes the pages a site: `make docs`. They stay where they are; Sphinx reads what is copied into build/."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCE = ROOT / "build" / "site-source"
SITE = ROOT / "build" / "site"
CACHE = ROOT / "build" / "site-cache"
OTHERS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deploy/runbook.md",
)
"""Pages that are not in docs/."""


def lay_out() -> None:
    """Copy every page to where the repository has it, beside the site's own front page."""
    for made in (SOURCE, SITE, CACHE):
        shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE / "docs")
    (SOURCE / "deploy").mkdir()
    shutil.copy(HERE / "index.txt", SOURCE / "index.md")
    for page in OTHERS:
        shutil.copy(ROOT / page, SOURCE / page)


if __name__ == "__main__":
    lay_out()
    strict = ["-q", "-W", "--keep-going", "-c", str(HERE), "-d", str(CACHE)]
    sys.exit(sphinx([*strict, str(SOURCE), str(SITE)]))
