"""What an import of the package brings."""

from __future__ import annotations

import subprocess
import sys

import giftcard


def test_messages_alone_need_no_client() -> None:
    """A program that imports the messages, as the gateway does, does not import the clients."""
    asked = "import sys, giftcard.v1; print('giftcard.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_public_name_is_there() -> None:
    """Whatever the package lists can be had, and nothing else."""
    assert [name for name in giftcard.__all__ if not hasattr(giftcard, name)] == []
    assert set(giftcard.__all__) <= set(dir(giftcard))
    assert not hasattr(giftcard, "nothing_of_the_kind")
