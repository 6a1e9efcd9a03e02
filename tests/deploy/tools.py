"""Finds the programs that `make deploy-check` installs; a test that needs one skips without it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from tests.patience import PATIENCE_S

DEPLOY = ROOT / "deploy"
_PLACES = (ROOT / ".venv/deploy/bin", ROOT / ".tools/bin")


def tool(name: str) -> str:
    """Return where a program is; skip the test where it is not."""
    found = shutil.which(name, path=":".join([*map(str, _PLACES), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not on this machine: make deploy-check brings it")
    return found


def ran(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program that ends by itself."""
    return subprocess.run(
        words, input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT
    )
