"""What an import of the package brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import giftcard


def test_messages_alone_need_no_client() -> None:
    """A program that imports the messages, as the gateway does, does not import the clients."""
    asked = "import sys, giftcard.v1; from giftcard import v1; print('giftcard.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_public_name_is_there() -> None:
    """Whatever the package lists can be had, and nothing else."""
    assert [name for name in giftcard.__all__ if not hasattr(giftcard, name)] == []
    assert set(giftcard.__all__) <= set(dir(giftcard))
    assert not hasattr(giftcard, "nothing_of_the_kind")


def test_a_name_that_is_none_is_seen_by_type_checkers(tmp_path: Path) -> None:
    """A type checker knows every name and its type, and refuses a misspelt one."""
    caller = tmp_path / "caller.py"
    caller.write_text("import giftcard\ngiftcard.Client('x').close()\ngiftcard.Cleint\n")
    checked = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(caller)]
    done = subprocess.run(checked, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert 'has no attribute "Cleint"' in done.stdout
    assert done.stdout.count("error:") == 1
