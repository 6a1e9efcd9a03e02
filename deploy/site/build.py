"""Makes the pages a site: `make docs`. They stay where they are; Sphinx reads what is copied into build/.

python deploy/site/build.py [FOLDER]    puts the site into FOLDER/site instead of build/site
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OTHERS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "deploy/runbook.md",
)
"""Pages that are not in docs/."""


def lay_out(source: Path) -> None:
    """Copy every page to where the repository has it, beside the site's own front page."""
    shutil.copytree(ROOT / "docs", source / "docs")
    (source / "deploy").mkdir()
    shutil.copy(HERE / "index.txt", source / "index.md")
    for page in OTHERS:
        shutil.copy(ROOT / page, source / page)


def main(folder: Path) -> int:
    """Make the site anew below a folder; return Sphinx's exit code."""
    source, site, cache = (folder / name for name in ("site-source", "site", "site-cache"))
    for made in (source, site, cache):
        shutil.rmtree(made, ignore_errors=True)
    lay_out(source)
    strict = ["-q", "-W", "--keep-going", "-c", str(HERE), "-d", str(cache)]
    return int(sphinx([*strict, str(source), str(site)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build"))
