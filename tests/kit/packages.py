"""Adapter packages outside the tree: copied, installed and tested as their authors would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.e2e.processes import environment
from tests.patience import PATIENCE_S

EXAMPLE = ROOT / "tests" / "kit" / "acme"
NAME = "acme-cards"
"""What the example's author told `new-adapter`."""
_LEFT_BEHIND = shutil.ignore_patterns("__pycache__", ".*")


def copy_example(folder: Path) -> Path:
    """Copy the example out of the tree, and return where it is."""
    return shutil.copytree(EXAMPLE, folder / "giftcard-acme-cards", ignore=_LEFT_BEHIND)


def install(package: Path, site: Path) -> dict[str, str]:
    """Build and install a package beside ours, and return the environment in which it is found."""
    python("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index",
           "--no-build-isolation", "--target", str(site), str(package), folder=package)  # fmt: skip
    return {"PYTHONPATH": str(site)}


def run_tests(folder: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in `folder`, a line for each failure."""
    words = ("-m", "pytest", "--tb=line", "-p", "no:cacheprovider", *arguments)
    return python(*words, folder=folder, environ=environ, is_checked=False)


def python(
    *arguments: str, folder: Path, environ: dict[str, str] | None = None, is_checked: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Python in `folder`; unless it may fail, fail with what it said."""
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment({"PYTHONDONTWRITEBYTECODE": "1", **(environ or {})}),
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0 or not is_checked, ended.stdout + ended.stderr
    return ended
